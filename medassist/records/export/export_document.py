"""Contents of an export, whatever its form.

While the names of the models are hidden, nothing in it tells them apart: the panes
stand as A and B, without files, settings, speed or length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from medassist.consult.answer import Answer
from medassist.consult.turn import Turn
from medassist.consult.verdict import Verdict
from medassist.core.clean import clean, clean_line
from medassist.core.values import PANES, PaneName
from medassist.records.record import FlagShown, Record, WarningGiven

Mask = Callable[[str], str]
Value = str | int | float | bool | None

UNREVIEWED = "DRAFT, UNREVIEWED"
THOUGHT = "What the model thought first. It is no part of the answer:"
INTENT = (
    "Written by language models for a clinician to check. Not a medical device, not "
    "for time-critical decisions."
)
HIDDEN = "The models' names are hidden until they are revealed."
STATES: Mapping[str, str] = {
    "waiting": "not begun",
    "reading": "not begun",
    "writing": "still being written",
    "finished": "whole",
    "stopped": "stopped by the user; not whole",
    "failed": "failed; not whole",
}


@dataclass(frozen=True)
class AnswerPart:
    """One answer of one side."""

    side: Literal["A", "B"]
    pane: PaneName | None
    """`None` while names are hidden."""
    model: str
    state: str
    shown: bool
    """The reader saw this one last; the others are earlier ones."""
    facts: tuple[tuple[str, Value], ...]
    text: str
    thought: str = ""
    """Thought of the model before; empty unless it was asked for."""


@dataclass(frozen=True)
class TurnPart:
    """A question, what was shown with it, and its answers."""

    number: int
    question: str
    left_out: bool
    flags: tuple[FlagShown, ...]
    answers: tuple[AnswerPart, ...]
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class ExportDocument:
    """A whole export."""

    title: str
    created: datetime
    signed_off: datetime | None
    hidden: bool
    turns: tuple[TurnPart, ...]
    warned: tuple[WarningGiven, ...]

    @property
    def status(self) -> str:
        """Whether a clinician has signed it off."""
        if self.signed_off is None:
            return UNREVIEWED
        return f"Reviewed and signed off {time_line(self.signed_off)}"


def unmasked(text: str) -> str:
    """The text as it is."""
    return text


def thinks(record: Record) -> bool:
    """Whether there is a thought that may be exported.

    While names are hidden there is none: whether a model thinks tells which it is.
    """
    turns = () if record.sides.hidden else record.consultation.turns
    return any(
        answer.thought.strip()
        for turn in turns
        for pane in PANES
        for answer in turn.answers(pane)
    )


def texts(record: Record, thoughts: bool = False) -> tuple[str, ...]:
    """Every text of users and models, as `compose` gives it to `redact`."""
    thoughts = thoughts and thinks(record)
    found = [record.heading]
    for turn in record.consultation.turns:
        found.append(clean(turn.question))
        answers = [a for pane in PANES for a in turn.answers(pane)]
        found += [clean(answer.text) for answer in answers]
        if thoughts:
            found += [clean(answer.thought) for answer in answers]
        found += [verdict.note for verdict in turn.verdicts]
    return tuple(text for text in dict.fromkeys(found) if text.strip())


def compose(
    record: Record,
    warned: Sequence[WarningGiven],
    mask: Mask,
    redact: Mask = unmasked,
    thoughts: bool = False,
) -> ExportDocument:
    """Composes what is told of `record`; all text in it is cleaned.

    Args:
        record: the consultation.
        warned: the identifiers that the user was warned of.
        mask: hides a model's name in a text, while names are hidden.
        redact: gives each of `texts` without the identifiers in it.
        thoughts: what the models thought is exported too, unless names are hidden.
    """
    hidden = record.sides.hidden

    thoughts = thoughts and not hidden

    def shown(text: str) -> str:
        text = redact(text)
        return mask(text) if hidden else text

    return ExportDocument(
        shown(record.heading) or "Consultation",
        record.created,
        record.signed_off,
        hidden,
        tuple(
            _turn(record, turn, number, shown, thoughts)
            for number, turn in enumerate(record.consultation.turns, start=1)
        ),
        tuple(warned),
    )


def time_line(time: datetime) -> str:
    """A time as it is read, with its zone."""
    return f"{time.astimezone():%Y-%m-%d %H:%M %z}"


def verdict_line(verdict: Verdict, hidden: bool) -> str:
    """A verdict in words."""
    words = {
        "A": "A is better",
        "B": "B is better",
        "tie": "a tie",
        "both poor": "both are poor",
    }
    line = words[verdict.choice]
    if verdict.winner and not hidden:
        line += f" ({verdict.winner} model)"
    line += ", given while names were hidden" if verdict.blind else ", names known"
    if verdict.reasons:
        line += "; for " + ", ".join(verdict.reasons)
    if verdict.note:
        line += f"; note: {clean_line(verdict.note)}"
    return line


def warning_line(warning: WarningGiven) -> str:
    """A warning in words: a kind and a number, never what was found."""
    return f"{warning.count} x {clean_line(warning.kind)} ({warning.outcome})"


def _turn(
    record: Record, turn: Turn, number: int, mask: Mask, thoughts: bool
) -> TurnPart:
    sides = record.sides
    panes = sorted(PANES, key=sides.letter)
    answers = [
        _answer(record, pane, answer, place == turn.place(pane), mask, thoughts)
        for pane in panes
        for place, answer in enumerate(turn.answers(pane))
    ]
    return TurnPart(
        number,
        mask(clean(turn.question)),
        turn.left_out,
        tuple(
            FlagShown(
                clean_line(f.rule),
                clean_line(f.title),
                clean(f.text),
                clean_line(f.source),
            )
            for f in record.flags.get(turn, ())
        ),
        tuple(answers),
        tuple(replace(v, note=mask(v.note)) for v in turn.verdicts),
    )


def _answer(
    record: Record,
    pane: PaneName,
    answer: Answer,
    shown: bool,
    mask: Mask,
    thoughts: bool,
) -> AnswerPart:
    hidden = record.sides.hidden
    side = record.sides.letter(pane)
    state = STATES[answer.state]
    if answer.failure and not hidden:  # it may name a file
        state += f". {clean_line(answer.failure)}"
    return AnswerPart(
        side,
        None if hidden else pane,
        f"Model {side}" if hidden else clean_line(answer.source.label),
        state,
        shown,
        () if hidden else tuple(_facts(record, answer)),
        mask(clean(answer.text)),
        mask(clean(answer.thought)).strip() if thoughts else "",
    )


def _facts(record: Record, answer: Answer) -> list[tuple[str, Value]]:
    source = answer.source
    facts: list[tuple[str, Value]] = [
        ("quantization", clean_line(source.quantization)),
        ("adapter", clean_line(source.adapter) or None),
        ("kind", "demonstration, not for clinical use" if source.demonstration else ""),
    ]
    for file in source.files:
        sha256 = record.hashes.get(file, "not computed")
        facts.append((f"sha256 of {clean_line(file.path.name)}", sha256))
    facts.append(("seed", answer.seed))
    if answer.conditions is not None:
        setup, sampling = answer.conditions.setup, answer.conditions.sampling
        facts += [
            ("system prompt", clean_line(answer.conditions.system)),
            ("temperature", sampling.temperature),
            ("top_k", sampling.top_k),
            ("top_p", sampling.top_p),
            ("min_p", sampling.min_p),
            ("repeat penalty", sampling.repeat_penalty),
            ("most tokens", sampling.max_tokens),
            ("chat template", "the model's" if setup.template == "model" else "plain"),
            ("context", setup.context),
            ("KV cache", setup.kv),
        ]
    if answer.figures is not None:
        figures = answer.figures
        facts += [
            ("tokens read", figures.tokens_read + figures.tokens_reused),
            ("tokens written", figures.tokens_written),
            ("gone on with at tokens", ", ".join(map(str, figures.gone_on_at))),
            ("seconds to the first token", _rounded(figures.ttft_s)),
            ("tokens a second", _rounded(figures.tok_per_s)),
        ]
    return [(name, value) for name, value in facts if value not in (None, "")]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
