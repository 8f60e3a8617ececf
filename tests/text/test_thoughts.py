"""Thoughts told from answers, in each form in which models write them."""

from __future__ import annotations

import pytest

from medassist.text.thought_marks import opened_by
from medassist.text.written import Shown, WrittenText

THOUGHT = "Perhaps 900 mg? No, too much."
ANSWER = "Give **10 mg** once a day."
HARMONY = "<|channel|>analysis<|message|>" + THOUGHT + "<|end|>"
FINAL = "<|start|>assistant<|channel|>final<|message|>" + ANSWER

FORMS = {
    "written by the model": f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}",
    "closed without being opened": f"{THOUGHT}\n</think>\n\n{ANSWER}",
    "closed on the same line": f"{THOUGHT}</think>{ANSWER}",
    "harmony": HARMONY + FINAL,
    "MedGemma": f"<unused94>thought\n{THOUGHT}<unused95>{ANSWER}",
    "Magistral": f"[THINK]{THOUGHT}[/THINK]{ANSWER}",
    "Seed": f"<seed:think>{THOUGHT}</seed:think>\n{ANSWER}",
    "Gemma 4": f"<|channel>thought\n{THOUGHT}<channel|>{ANSWER}",
    "Command A": f"<|START_THINKING|>{THOUGHT}<|END_THINKING|>{ANSWER}",
    "behind white space": f"\n <think>{THOUGHT}</think> {ANSWER}",
    "Kimi": f"◁think▷{THOUGHT}◁/think▷{ANSWER}",
    "harmony with an end": HARMONY + FINAL + "<|return|>",
    "harmony with a constrained header": (
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant"
        f"<|channel|>final <|constrain|>text<|message|>{ANSWER}"
    ),
    "with code in the thought": (
        f"<think>{THOUGHT}\n```\nx = 1\n</think>\n{ANSWER}"  # a fence left open
    ),
}


def read(
    text: str, size: int = 10_000, opened: str = "", ended: bool = True
) -> WrittenText:
    written = WrittenText(opened=opened)
    data = text.encode()
    shown = Shown()
    for at in range(0, len(data), size):
        shown = shown.then(written.push(data[at : at + size]))
    shown = shown.then(written.finish(ended))
    assert shown.text == written.text
    return written


@pytest.mark.parametrize("size", [1, 3, 7, 10_000])
@pytest.mark.parametrize("form", FORMS)
def test_a_thought_is_told_from_the_answer_however_it_is_split(
    form: str, size: int
) -> None:
    written = read(FORMS[form], size)
    assert written.text == ANSWER
    assert THOUGHT in written.thought
    assert written.thought.startswith("Perhaps")


@pytest.mark.parametrize("mark", ["<think>", "[THINK]", "<unused94>", "<|channel|>"])
def test_a_thought_that_the_prompt_opened_needs_no_mark(mark: str) -> None:
    closes = {"<think>": "</think>", "[THINK]": "[/THINK]", "<unused94>": "<unused95>"}
    close = closes.get(mark, "<|end|><|start|>assistant<|channel|>final<|message|>")
    written = read(f"{THOUGHT}\n{close}\n\n{ANSWER}", 4, opened=mark)
    assert (written.text, written.thought) == (ANSWER, THOUGHT)


def test_a_thought_that_is_never_closed_is_no_answer() -> None:
    for text in (f"<think>{THOUGHT}", "<|channel|>analysis<|message|>" + THOUGHT):
        written = read(text, 5)
        assert (written.text, written.thought) == ("", THOUGHT)
    assert read(THOUGHT, 5, opened="<think>", ended=False).text == ""


def test_an_empty_thought_leaves_nothing() -> None:
    for text in (
        f"<think>\n\n</think>\n\n{ANSWER}",
        f"<|channel>thought\n<channel|>{ANSWER}",
        f"</think>\n\n{ANSWER}",
    ):
        written = read(text, 2)
        assert (written.text, written.thought) == (ANSWER, "")


def test_two_thoughts_are_both_none_of_the_answer() -> None:
    text = f"<think>One.</think>\nFirst, rest.\n<think>Two.</think>\n{ANSWER}"
    written = read(text, 3)
    assert written.text == f"First, rest.\n\n{ANSWER}"
    assert written.thought == "One.\n\nTwo."
    behind = read(f"<think>One.</think><think>Two.</think>{ANSWER}", 3)
    assert (behind.text, behind.thought) == (ANSWER, "One.\n\nTwo.")
    within = read("It is safe. <think>Is it?</think> It is.", 3)
    assert (within.text, within.thought) == ("It is safe.  It is.", "Is it?")


@pytest.mark.parametrize(
    "text",
    [
        "Write it so:\n```\n<think>\nhere\n</think>\n```\nas said.",
        "Write it so:\n~~~xml\n<think>\n</think>\n~~~\n",
        "Put it between `<think>` and `</think>`.",
        "The marks <think> and </think> enclose it.",
        "```\n[THINK]x[/THINK]\n```",
        "In `<|channel|>analysis<|message|>` it thinks.",
        "The tag is called <think>.",
        "x <thin and y </thi",
        "A list: <unused9> and <|chan",
    ],
)
def test_a_mark_of_which_an_answer_speaks_is_no_thought(text: str) -> None:
    for size in (1, 4, 10_000):
        written = read(text, size)
        assert (written.text, written.thought) == (text, "")


def test_a_mark_at_the_end_of_an_answer_does_not_take_it_away() -> None:
    assert read(f"{ANSWER}\n</think>", 4).text == f"{ANSWER}\n"


def test_a_mark_in_passing_that_is_never_closed_was_text() -> None:
    text = "It is safe. <think> about the kidneys too."
    assert read(text, 4).text == text


def test_marks_that_are_tokens_are_seen_though_they_write_nothing() -> None:
    written = WrittenText()
    shown = [written.push_mark("<|channel|>", b""), written.push(b"analysis")]
    shown += [written.push_mark("<|message|>", b""), written.push(b"Hm.")]
    shown += [written.push_mark("<|end|>", b""), written.push_mark("<|start|>", b"")]
    shown += [written.push(b"assistant"), written.push_mark("<|channel|>", b"")]
    shown += [written.push(b"final"), written.push_mark("<|message|>", b"")]
    shown += [written.push(ANSWER.encode()), written.finish(ended=True)]
    assert "".join(s.text for s in shown) == written.text == ANSWER
    assert written.thought == "Hm."


def test_what_is_taken_back_is_told_to_who_showed_it() -> None:
    written = WrittenText()
    assert written.push(b"Hm, 900 mg?\n") == Shown(text="Hm, 900 mg?\n")
    shown = written.push(b"</think>\nGive 10 mg.")
    assert shown.restart
    assert (shown.text, shown.thought) == ("Give 10 mg.", "Hm, 900 mg?")


def test_a_text_that_ends_answers_ends_thoughts_and_a_users_stop_does_not() -> None:
    written = WrittenText(stops=("Plan",), ends=("\nuser:",))
    written.push(b"<think>A Plan.</think>B. ")
    assert not written.stopped
    written.push(b"Plan")
    assert written.stopped
    assert (written.text, written.thought) == ("B.", "A Plan.")
    unclosed = WrittenText(ends=("\nuser:",))
    unclosed.push(b"<think>A.\nuser: more")
    assert unclosed.stopped
    assert (unclosed.text, unclosed.thought) == ("", "A.")


@pytest.mark.parametrize(
    ("prompt_end", "mark"),
    [
        ("<|im_start|>assistant\n<think>\n", "<think>"),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", ""),
        ("<|start|>assistant<|channel|>analysis<|message|>", "<|channel|>"),
        ("<|start|>assistant", ""),
        ("<|start|>assistant<|channel|>final<|message|>", ""),
        ("<|turn>model\n<|channel>thought\n<channel|>", ""),
        ("assistant:", ""),
    ],
)
def test_what_a_prompt_opens_is_known_by_its_end(prompt_end: str, mark: str) -> None:
    assert opened_by(prompt_end) == mark
