"""Answers before and after, side by side."""

from __future__ import annotations

from typing import TypeVar

from finetune.evaluate.result import AnsweredItem, Evaluation, Example
from finetune.report.wording import counted, number
from medassist.report.elements import Part, QuestionWithAnswers, Section, Text
from medassist.report.shown import cut

MOST_EXAMPLES = 8
MOST_ANSWERS = 6
MOST_PROMPT = 800  # characters
MOST_ANSWER = 1600
T = TypeVar("T")


def answers(evaluation: Evaluation) -> Section | None:
    """The section, or None where nothing was generated.

    Which answers are shown is decided by place in the file, never by how good they
    are: evenly spread over all, so that nobody picked them.
    """
    examples = spread(evaluation.examples, MOST_EXAMPLES)
    held_out = spread(evaluation.answers, MOST_ANSWERS)
    if not examples and not held_out:
        return None
    settings = evaluation.settings
    how = (
        "the likeliest token each time"
        if settings.temperature == 0
        else f"temperature {settings.temperature:g}"
    )
    parts: list[Part] = [
        Text(
            f"Shown are {len(examples)} of "
            f"{counted(len(evaluation.examples), 'prompt')} without a reference and "
            f"{len(held_out)} of "
            f"{counted(len(evaluation.answers), 'held-out question')}, evenly spread "
            "over the file and not picked by how good they are. Written with "
            f"{how}, at most {settings.max_new_tokens:,} tokens.",
            on_slides=False,
        ),
        Text(
            "What models write here can be wrong in every sentence, however fluent it "
            "reads.",
            tone="warning",
            on_slides=False,
        ),
    ]
    parts += [_example(example) for example in examples]
    parts += [_answer(answer) for answer in held_out]
    return Section(
        "answers",
        "Answers side by side",
        tuple(parts),
        notes="The examples were taken evenly from the file, not chosen. Read both "
        "before you judge; a fluent answer is not a right one.",
    )


def spread(found: tuple[T, ...], most: int) -> tuple[T, ...]:
    """At most `most` of `found`, evenly spread, the first included."""
    if len(found) <= most:
        return found
    return tuple(found[place * len(found) // most] for place in range(most))


def _example(example: Example) -> QuestionWithAnswers:
    return QuestionWithAnswers(
        heading=f"Prompt {example.id}",
        question=cut(example.prompt, MOST_PROMPT),
        base=cut(example.base, MOST_ANSWER),
        tuned=cut(example.tuned, MOST_ANSWER),
        remark=_ended(base=example.base_ended, tuned=example.tuned_ended),
    )


def _answer(answer: AnsweredItem) -> QuestionWithAnswers:
    overlap = (
        f"ROUGE-L with the reference: base {number(100 * answer.base_rouge_l, 1)}, "
        f"tuned {number(100 * answer.tuned_rouge_l, 1)} of 100."
    )
    ended = _ended(base=answer.base_ended, tuned=answer.tuned_ended)
    return QuestionWithAnswers(
        heading=f"Held-out question {answer.id}",
        question=cut(answer.prompt, MOST_PROMPT),
        base=cut(answer.base, MOST_ANSWER),
        tuned=cut(answer.tuned, MOST_ANSWER),
        reference=cut(answer.reference, MOST_ANSWER),
        remark=f"{overlap} {ended}".strip(),
    )


def _ended(*, base: bool, tuned: bool) -> str:
    match base, tuned:
        case True, True:
            return ""
        case False, False:
            return "Both answers were cut off at the limit."
        case _:
            return (
                f"The {'tuned' if base else 'base'} model's was cut off at the limit."
            )
