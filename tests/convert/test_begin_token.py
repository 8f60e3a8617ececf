"""A conversation begins with the begin token in training as it does in the app."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers.processors import ByteLevel
from transformers import AutoTokenizer

from convert.gguf.model import convert_model
from finetune.data.prepared_records import DialogueRecord, Licence
from finetune.data.prepared_records import RecordMessage as Learned
from finetune.train.chat_format import begins_with_bos, encode_dialogue, prompt_ids
from medassist.core.values import EngineOptions, Message, PairFiles
from medassist.engine.loaded_pair import LoadedPair
from medassist.engine.weights import start_llama
from tests.convert.test_plain_template import CHATML, bare_base

# As Zephyr's: the tokenizer is to put the begin token, not the template.
BARE = CHATML
TEMPLATES = {
    "without": BARE,
    "with": "{{ bos_token }}" + BARE,
    "with two": "{{ bos_token }}{{ bos_token }}" + BARE,
}
TURNS = (
    ("user", "What helps a sore knee?"),
    ("assistant", "Rest."),
    ("user", "And then?"),
    ("assistant", "Walk."),
)


@pytest.mark.parametrize("adds", [True, False], ids=["tokenizer adds", "adds none"])
@pytest.mark.parametrize("template", list(TEMPLATES))
def test_a_dialogue_is_learned_with_the_ids_that_it_is_asked_with(
    tmp_path: Path, template: str, adds: bool
) -> None:
    folder = bare_base(tmp_path / "base", "byte-level")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = TEMPLATES[template]
    if not adds:
        plain = ByteLevel(add_prefix_space=False)
        tokenizer.backend_tokenizer.post_processor = plain
    tokenizer.save_pretrained(folder)
    assert begins_with_bos(tokenizer) == adds
    file = convert_model(folder, tmp_path / "base.gguf")

    learned = [Learned.model_validate({"role": r, "content": c}) for r, c in TURNS]
    record = DialogueRecord(
        id="1",
        source="own",
        group="1",
        licence=Licence(name="MIT", evidence="ours"),
        messages=tuple(learned),
    )
    row = encode_dialogue(tokenizer, record.messages)
    start_llama()
    with LoadedPair(PairFiles(base=file), EngineOptions(), lambda *_: True) as pair:
        prompts = pair.panes["base"].prompts
        turns = [Message(role=r, content=c) for r, c in TURNS]  # pyright: ignore[reportArgumentType]
        asked = [prompts.tokens(turns[:end]) for end in (1, 3)]
    for end, ids in zip((1, 3), asked, strict=True):
        assert prompt_ids(tokenizer, learned[:end]) == ids
        assert list(row.ids[: len(ids)]) == ids
    assert [row.answers[i] for i in (0, 1)] == [len(ids) for ids in asked]
    begins = adds or template != "without"
    assert (row.ids[0] == tokenizer.bos_token_id) == begins
    assert row.ids[1] != tokenizer.bos_token_id
    assert not row.learned[0]
