"""An answer ends where its model's chat template ends it, token or text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from medassist.core.values import EngineOptions, Message, PairFiles, Sampling
from medassist.engine.extra_ends import ExtraEnds
from medassist.engine.loaded_pair import LoadedPair
from medassist.engine.template import ChatTemplate
from medassist.engine.weights import start_llama
from medassist.engine.wire import Answered, Written
from medassist.text.answer_end import AnswerEnd
from tests.engine.conversation import answers, events_of, question, tiny_engine
from tests.scripted_model import CHATML, END, GENERATION, GO, write_scripted_model
from tests.tiny_models import END as TINY_END
from tests.tiny_models import random_weights, tokenizer, write_model

SCRIPT = Sampling(temperature=0, max_tokens=60, repeat_penalty=1)
RUNS_ON = ("Give 15 mg/kg.", "<|im", "_e", "nd|>", "\n<|im_start|>user\n", "And then?")
SPOKEN = (
    "{% for m in messages %}{{ m.role | capitalize }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:" + GO + "{% endif %}"
)


def each(turn: str) -> str:
    """A template that writes every message as `turn`."""
    return "{% for m in messages %}" + turn + "{% endfor %}" + GENERATION


def end_of(source: str | None, specials: Sequence[str] = ()) -> AnswerEnd:
    return ChatTemplate(source, "m.gguf", "<s>", END).answer_end(specials)


@pytest.mark.parametrize(
    ("source", "specials", "text", "is_token"),
    [
        (None, (END,), END, True),
        (CHATML, (), "<|im_end|>", False),
        (CHATML, ("<|im_end|>", "<|im"), "<|im_end|>", True),
        (SPOKEN, (), "\nUser:", False),
        (each("### {{ m.role }}:\n{{ m.content }}\n\n"), (), "\n### user:", False),
        # "### End" also begins "### Endocrine causes".
        (each("{{ m.role }}> {{ m.content }}\n### End\n"), (), "\n### End\n", False),
        (each("{{ m.role }}\n{{ m.content }}\n\n"), (), "\nuser\n", False),
        (each("<{{ m.role }}>{{ m.content }}"), (), "<user>", False),
        (each("<{{ m.role }}>{{ m.content }}"), ("<user>",), "<user>", True),
        (each("{{ m.role }}: {{ m.content }} ###{{ eos_token }}"), (END,), END, True),
        (
            each("{{ m.role }}: {{ m.content }} [/X]{{ eos_token }}"),
            (END,),
            " [/X]",
            False,
        ),
        (each("{{ m.role }}: {{ m.content }}\n---\n"), (), "\n---\nuser:", False),
        (each("<|start|>{{ m.role }}|{{ m.content }}<|eot|>"), (), "<|eot|>", False),
        (
            each("[{{ m.role }} {{ loop.index }}]\n{{ m.content }}\n"),
            (),
            "\n[user ",
            False,
        ),
        # The last answer is left open, so that it can be gone on with.
        (
            each("{{ m.content }}{% if not loop.last %}<|turn|>{% endif %}"),
            ("<|turn|>",),
            "<|turn|>",
            True,
        ),
    ],
)
def test_the_end_of_an_answer_is_read_off_the_template(
    source: str | None, specials: Sequence[str], text: str, is_token: bool
) -> None:
    end = end_of(source, specials)
    assert (end.text, end.is_token) == (text, is_token)


@pytest.mark.parametrize(
    "source",
    [
        each("{{ m.content }}\n\n"),
        each("{{ m.role }} {{ m.content }} "),
        each("[{{ m.content }}]\n"),
        each("{{ m.content }}\n---\n"),
        each("{{ m.content }}\n###\n"),
        each("{{ m.content }} END\n"),
        each("{% if m.role == 'user' %}{{ m.content }}{% endif %}"),
        "{{ raise_exception('no') }}",
    ],
)
def test_what_answers_are_made_of_is_taken_for_no_end(source: str) -> None:
    assert end_of(source).text == ""


async def test_an_answer_ends_at_the_text_that_the_template_ends_it_with(
    tmp_path: Path,
) -> None:
    base = write_scripted_model(tmp_path / "a.gguf", RUNS_ON, template=CHATML)
    tuned = write_scripted_model(tmp_path / "b.gguf", RUNS_ON[:-1], template=CHATML)
    async with tiny_engine(PairFiles(base=base, tuned=tuned)) as engine:
        assert engine.loaded is not None
        notices = engine.loaded.notices
        events = await events_of(engine, question("How much?", sampling=SCRIPT))
    assert [n.split()[0] for n in notices if "'<|im_end|>'" in n] == [
        "a.gguf",
        "b.gguf",
    ]
    for pane in ("base", "tuned"):
        shown = [e.text for e in events if isinstance(e, Written) and e.pane == pane]
        (answer,) = (e for e in events if isinstance(e, Answered) and e.pane == pane)
        assert "".join(shown) == answer.text == "Give 15 mg/kg."
        assert answer.figures.ending == "end"


async def test_roles_written_as_text_end_the_answer_before_the_next_question(
    tmp_path: Path,
) -> None:
    pieces = ("Give iron.", "\n", "\nUs", "er", ": And how long?", "\nAssistant:")
    model = write_scripted_model(tmp_path / "m.gguf", pieces, template=SPOKEN)
    async with tiny_engine(PairFiles(base=model)) as engine:
        got = await answers(engine, question("What?", sampling=SCRIPT))
    assert got["base"].text == "Give iron."


@pytest.mark.parametrize("kind", ["control", "added"])
async def test_a_token_that_the_file_forgets_to_name_ends_the_answer(
    tmp_path: Path, kind: str
) -> None:
    turn = "<|over|>"
    model = write_scripted_model(
        tmp_path / "m.gguf",
        ("Give iron.", turn, "And more."),
        template=CHATML.replace("<|im_end|>", turn),
        control=(turn,) if kind == "control" else (),
        added=(turn,) if kind == "added" else (),
    )
    async with tiny_engine(PairFiles(base=model)) as engine:
        assert engine.loaded is not None
        (notice,) = engine.loaded.notices
        got = await answers(engine, question("What?", sampling=SCRIPT))
    assert repr(turn) in notice and "name" in notice
    assert got["base"].text == "Give iron."
    assert got["base"].figures.ending == "end"


@pytest.mark.parametrize("ends", [True, False])
def test_a_model_without_a_template_ends_where_it_would_ask_itself_a_question(
    tmp_path: Path, ends: bool
) -> None:
    made = tokenizer()
    weights = random_weights(made.get_vocab_size(), 1)
    model = write_model(tmp_path / "m.gguf", weights, made, template=None, end=ends)
    start_llama()
    with LoadedPair(PairFiles(base=model), EngineOptions(), lambda *_: True) as pair:
        pane = pair.panes["base"]
        assert pane.ends == ExtraEnds(stops=("\nQuestion:",))
        so = Message(role="assistant", content="So.")
        asked = pane.prompts.template.render([so], ask=False)
    # Where a file names no end, llama.cpp takes what is a piece of text for one.
    assert asked == f"<|bos|>Answer: So.{TINY_END if ends else ''}\n"


async def test_an_end_that_the_file_names_is_not_spoken_of(tmp_path: Path) -> None:
    model = write_scripted_model(
        tmp_path / "m.gguf",
        ("Give iron.", "\nUser: is a word, too."),
        template=each("{{ m.role }}: {{ m.content }}{{ eos_token }}"),
    )
    async with tiny_engine(PairFiles(base=model)) as engine:
        assert engine.loaded is not None
        assert engine.loaded.notices == ()
        got = await answers(engine, question("What?", sampling=SCRIPT))
    assert got["base"].text == "Give iron.\nUser: is a word, too."


async def test_an_end_on_a_line_of_its_own_is_told_without_escapes(
    tmp_path: Path,
) -> None:
    model = write_scripted_model(
        tmp_path / "m.gguf", ("Give iron.", "\nUser:", "Why?"), template=SPOKEN
    )
    async with tiny_engine(PairFiles(base=model)) as engine:
        assert engine.loaded is not None
        (notice,) = engine.loaded.notices
    assert "ends its answers with 'User:'" in notice
