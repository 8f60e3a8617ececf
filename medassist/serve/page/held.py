"""A consultation as the page holds it, and the record that it comes to.

The page has it in its memory and sends it whole, to be exported or kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import AfterValidator, ConfigDict

from medassist.consult.answer import Answer, ModelFile, Source
from medassist.consult.consultation import Consultation
from medassist.consult.sides import Sides
from medassist.consult.turn import Turn
from medassist.consult.verdict import Choice, Reason, Verdict
from medassist.core.values import MAX_SEED, PANES, Figures, PaneName, StopReason
from medassist.records.record import FlagShown, Record, now
from medassist.serve.openai.request_parameters import Strict, Text

MOST_TURNS: Final = 500
MOST_ANSWERS: Final = 100
Label = Literal["A", "B"]
Line = Annotated[Text, MaxLen(1000)]
Count = Annotated[int, Ge(0), Le(2**53)]


def _in_our_time(time: datetime) -> datetime:
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    if not 2000 <= aware.year <= 9000:
        raise ValueError("it is no time at which anybody asked anything")
    return aware


Moment = Annotated[datetime, AfterValidator(_in_our_time)]
FileHashes = Mapping[ModelFile, str]
AnsweredBy = Callable[[PaneName, "Provenance | None"], tuple[Source, FileHashes]]
"""Origin of a pane's answer, and the sha256 of its files."""


class Provenance(Strict):
    """Origin of an answer, as the server told it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: Line
    quantization: Line | None = None
    adapter: Line | None = None
    files: Annotated[tuple[Line, ...], MaxLen(8)] = ()
    sha256: Line | None = None
    adapter_sha256: Line | None = None
    demonstration: bool = False


class HeldAnswer(Strict):
    """One answer of a side."""

    text: Text
    thought: Text = ""
    stop_reason: StopReason | None = None
    failure: Line = ""
    seed: Annotated[int, Ge(0)] | None = None
    tokens_read: Count = 0
    tokens_reused: Count = 0
    tokens_written: Count = 0
    thought_tokens: Count = 0
    ttft_s: float | None = None
    tok_per_s: float | None = None
    provenance: Provenance | None = None


class HeldAnswers(Strict):
    """All answers of one side to one question."""

    answers: Annotated[list[HeldAnswer], MinLen(1), MaxLen(MOST_ANSWERS)]
    shown: Count = 0


class HeldFlag(Strict):
    id: Line
    title: Line
    text: Text
    source: Line


class HeldVerdict(Strict):
    choice: Choice
    blind: bool
    given: Moment
    reasons: Annotated[tuple[Reason, ...], MaxLen(4)] = ()


class HeldTurn(Strict):
    question: Text
    flags: Annotated[tuple[HeldFlag, ...], MaxLen(200)] = ()
    sides: Annotated[dict[Label, HeldAnswers], MaxLen(2)]
    left_out: bool = False
    verdicts: Annotated[tuple[HeldVerdict, ...], MaxLen(100)] = ()


class HeldConsultation(Strict):
    """All of a consultation.

    Attributes:
        turns: of the branch that is shown.
        created: when it began.
        side_a: which pane stands on side A; `None`: that is hidden.
        blind: it was begun with hidden names.
    """

    turns: Annotated[list[HeldTurn], MinLen(1), MaxLen(MOST_TURNS)]
    created: Moment
    side_a: PaneName | None = None
    blind: bool = False

    def record(
        self, sides: Sides | None = None, answered_by: AnsweredBy | None = None
    ) -> Record:
        """The same as the records and their exports know it.

        Args:
            sides: which pane is which side; by default as the page knows it.
            answered_by: what answers come from; by default as the page says.
        """
        if sides is None:
            # Where names are hidden any draw will do: nothing is said of it.
            revealed = now() if self.blind and self.side_a else None
            sides = Sides(self.side_a or "base", self.blind, revealed)
        record = Record(Consultation(sides), created=self.created)
        record.consultation.turns.extend(
            _turn(held, sides, record, answered_by or as_said) for held in self.turns
        )
        return record


def as_said(_: PaneName, said: Provenance | None) -> tuple[Source, FileHashes]:
    """Origin of an answer, as the page has it from the server."""
    if said is None:
        return Source(""), {}
    files = tuple(ModelFile(Path(name), 0, 0) for name in said.files)
    known = zip(files, (said.sha256, said.adapter_sha256), strict=False)
    source = Source(
        said.model,
        said.quantization or "",
        said.demonstration,
        said.adapter or "",
        files,
    )
    return source, {file: sha256 for file, sha256 in known if sha256}


def _turn(
    held: HeldTurn, sides: Sides, record: Record, answered_by: AnsweredBy
) -> Turn:
    panes: dict[PaneName, HeldAnswers] = {
        pane: held.sides[sides.letter(pane)]
        for pane in sides.order(PANES)
        if sides.letter(pane) in held.sides
    }
    answers: dict[PaneName, list[Answer]] = {}
    for pane, of in panes.items():
        answers[pane] = []
        for one in of.answers:
            source, hashes = answered_by(pane, one.provenance)
            record.hashes.update(hashes)
            answers[pane].append(_answer(one, source))
    turn = Turn(held.question, {pane: own[0] for pane, own in answers.items()})
    for pane, own in answers.items():
        for answer in own[1:]:
            turn.add(pane, answer)
        while turn.place(pane) != min(panes[pane].shown, len(own) - 1):
            turn.show_earlier(pane)
    turn.left_out = held.left_out
    for verdict in held.verdicts:
        given, reasons = verdict.given, tuple(verdict.reasons)
        turn.judge(Verdict(verdict.choice, sides.side_a, verdict.blind, given, reasons))
    record.flags[turn] = tuple(
        FlagShown(flag.id, flag.title, flag.text, flag.source) for flag in held.flags
    )
    return turn


def _answer(held: HeldAnswer, source: Source) -> Answer:
    answer = Answer(source, min(held.seed or 0, MAX_SEED))
    if held.stop_reason is None:
        answer.text, answer.thought = held.text, held.thought
        answer.fail(held.failure)
        return answer
    figures = Figures(
        ending=held.stop_reason,
        tokens_read=held.tokens_read,
        tokens_reused=held.tokens_reused,
        tokens_written=held.tokens_written,
        ttft_s=held.ttft_s,
        tok_per_s=held.tok_per_s,
        context_used=held.tokens_read + held.tokens_reused + held.tokens_written,
        tokens_thought=min(held.thought_tokens, held.tokens_written),
    )
    answer.finish(held.text, figures, held.thought)
    return answer
