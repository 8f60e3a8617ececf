from __future__ import annotations

from pathlib import Path

import gguf
import pytest

from medassist.core.end_tokens import known_ends
from medassist.core.values import PairFiles
from medassist.engine.template_probe import probe
from medassist.engine.weights import Weights, start_llama
from medassist.library.template_check import (
    TemplateFinding,
    check_model,
    check_pair,
    probe_file,
)
from tests.engine.conversation import tiny_engine
from tests.scripted_model import END as SCRIPT_END
from tests.scripted_model import write_scripted_model
from tests.tiny_models import END, TEMPLATE, TinyPair, write_adapter, write_model


def found_in(path: Path) -> list[TemplateFinding]:
    return check_model(path.name, probe(path))


def wrong(findings: list[TemplateFinding]) -> list[str]:
    return [f.text for f in findings if f.weight == "wrong"]


def test_a_good_model_has_nothing_wrong(tiny: TinyPair) -> None:
    assert wrong(found_in(tiny.base)) == []
    assert probe(tiny.base).turn_end == END


def test_a_missing_template_is_told_with_the_fix(
    tiny: TinyPair, tmp_path: Path
) -> None:
    path = write_model(tmp_path / "m.gguf", tiny.weights, tiny.tokenizer, template=None)
    (finding,) = found_in(path)
    assert "no chat template" in finding.said
    assert "convert it again" in finding.fix


def test_a_bos_that_stands_twice_is_told(tiny: TinyPair, tmp_path: Path) -> None:
    twice = write_model(
        tmp_path / "m.gguf",
        tiny.weights,
        tiny.tokenizer,
        template="{{ bos_token }}" + TEMPLATE,
    )
    assert any("twice" in text for text in wrong(found_in(twice)))
    once = [f for f in found_in(tiny.base) if "doubled" in f.said]
    assert [f.weight for f in once] == ["note"]


def test_an_end_of_turn_that_ends_nothing_is_told_with_its_number(
    tiny: TinyPair, tmp_path: Path
) -> None:
    path = write_model(
        tmp_path / "m.gguf",
        tiny.weights,
        tiny.tokenizer,
        template=TEMPLATE.replace(END, "<|user|>"),
    )
    number = tiny.tokenizer.token_to_id("<|user|>")
    assert any(f"eot_token_id = {number}" in text for text in wrong(found_in(path)))
    none = write_model(
        tmp_path / "n.gguf",
        tiny.weights,
        tiny.tokenizer,
        end=False,
        template=TEMPLATE.replace(END, "<|over|>"),
    )
    assert any("no end" in text for text in wrong(found_in(none)))


def test_an_end_that_is_mere_text_is_told(tiny: TinyPair, tmp_path: Path) -> None:
    path = write_model(
        tmp_path / "m.gguf",
        tiny.weights,
        tiny.tokenizer,
        template=TEMPLATE.replace(END, "### End"),
    )
    assert any("'### End'" in f.said for f in found_in(path))
    spoken = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    path = write_model(
        tmp_path / "s.gguf", tiny.weights, tiny.tokenizer, template=spoken
    )
    assert any(repr("\nuser:") in f.said for f in found_in(path))


def test_an_end_that_answers_may_hold_is_told(tiny: TinyPair, tmp_path: Path) -> None:
    path = write_model(
        tmp_path / "m.gguf",
        tiny.weights,
        tiny.tokenizer,
        template="{% for m in messages %}{{ m.content }}\n---\n{% endfor %}",
    )
    assert any("'---'" in f.said and "run on" in f.said for f in found_in(path))


async def test_what_is_told_is_what_the_engine_does(
    tiny: TinyPair, tmp_path: Path
) -> None:
    path = write_model(
        tmp_path / "m.gguf",
        tiny.weights,
        tiny.tokenizer,
        template=TEMPLATE.replace(END, "\n### End\n"),
    )
    async with tiny_engine(PairFiles(base=path)) as engine:
        assert engine.loaded is not None
        (notice,) = engine.loaded.notices
    (finding,) = [f for f in found_in(path) if "end" in f.said]
    assert repr(probe(path).stop) in finding.said
    assert repr(probe(path).stop.strip()) in notice


def test_a_template_that_breaks_is_told_and_not_waited_for(
    tiny: TinyPair, tmp_path: Path
) -> None:
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}"
    path = write_model(
        tmp_path / "m.gguf",
        tiny.weights,
        tiny.tokenizer,
        template=endless + "{% endfor %}",
    )
    findings = check_model("m", probe_file(path))
    assert any("does not work" in text for text in wrong(findings))


def test_a_tuned_model_with_another_template_is_told_where_they_part(
    tiny: TinyPair, tmp_path: Path
) -> None:
    other = write_model(
        tmp_path / "t.gguf",
        tiny.weights,
        tiny.tokenizer,
        template=TEMPLATE.replace("m['content']", "' ' ~ m['content']"),
    )
    findings = check_pair(PairFiles(base=tiny.base, tuned=other))
    said = [f.said for f in findings if "differently" in f.said]
    assert said and "a-question" in said[0]
    same = check_pair(PairFiles(base=tiny.base, tuned=tiny.merged))
    assert not any("differently" in f.said for f in same)
    bare = write_model(tmp_path / "b.gguf", tiny.weights, tiny.tokenizer, template=None)
    lost = check_pair(PairFiles(base=tiny.base, tuned=bare))
    assert any("lost the chat template" in text for text in wrong(lost))


def test_an_adapter_that_nothing_switches_on_is_told(
    tiny: TinyPair, tmp_path: Path
) -> None:
    fine = check_pair(PairFiles(base=tiny.base, adapter=tiny.activated))
    assert wrong(fine) == []
    silent = write_model(
        tmp_path / "m.gguf",
        tiny.weights,
        tiny.tokenizer,
        template=TEMPLATE.replace("'<|assistant|>'", "'Answer:'"),
    )
    findings = check_pair(PairFiles(base=silent, adapter=tiny.activated))
    assert any("switched on" in text for text in wrong(findings))


@pytest.mark.parametrize("end", [True, False])
def test_what_ends_an_answer_is_what_llama_cpp_says(
    tiny: TinyPair, tmp_path: Path, end: bool
) -> None:
    path = write_model(tmp_path / "m.gguf", tiny.weights, tiny.tokenizer, end=end)
    start_llama()
    with Weights(path, 0, lambda _: True) as weights:
        vocabulary = weights.vocabulary
        ends = {
            vocabulary.text(n)
            for n in range(vocabulary.size)
            if vocabulary.ends_answer(n)
        }
        found = probe(path)
        assert found.adds_bos == vocabulary.adds_bos
        if end:
            assert set(found.ends) == ends
        else:  # a number by default is no end that the file names
            assert found.ends == ()
            assert not vocabulary.has_end


def test_llama_cpp_knows_by_heart_what_the_table_says(tmp_path: Path) -> None:
    known = known_ends()
    # Beside the two of gpt-oss it takes <|end|> for the end of a part of an answer.
    parts = {"<|return|>", "<|call|>"}
    start_llama()
    for name, texts in (
        ("without", known.ends_by_heart - parts - {SCRIPT_END}),
        ("with", parts),
    ):
        path = write_scripted_model(tmp_path / f"{name}.gguf", sorted(texts))
        with Weights(path, 0, lambda _: True) as weights:
            vocabulary = weights.vocabulary
            ids = {vocabulary.text(n): n for n in range(vocabulary.size)}
            ends = {t for t, n in ids.items() if vocabulary.ends_answer(n)}
            by_heart = known.ends_by_heart & ids.keys()
            assert by_heart <= ends & set(vocabulary.control_texts)


def test_a_file_that_is_no_model_is_said_in_words(tmp_path: Path) -> None:
    from medassist.core.errors import ModelFileError

    path = tmp_path / "letter.gguf"
    path.write_text("Dear colleague " * 50)
    with pytest.raises(ModelFileError, match=r"letter\.gguf"):
        probe_file(path)


def test_a_switch_beyond_the_vocabulary_is_refused(
    tiny: TinyPair, tmp_path: Path
) -> None:
    from medassist.library.errors import LibraryError

    weights = {"blk.0.attn_q.weight.lora_a": tiny.weights["output_norm.weight"][None]}
    far = write_adapter(tmp_path / "a.gguf", weights, [999_999])
    assert gguf.GGUFReader(far)
    with pytest.raises(LibraryError, match="999999"):
        check_pair(PairFiles(base=tiny.base, adapter=far))
