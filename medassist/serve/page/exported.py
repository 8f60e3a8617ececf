"""A consultation as the page holds it, and the file that it is exported as.

The server keeps no consultation: the page sends it whole, and what comes back says what
an export of the terminal says, in the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from annotated_types import Ge, MaxLen, MinLen
from pydantic import ConfigDict

from medassist.consult.answer import Answer, ModelFile, Source
from medassist.consult.consultation import Consultation
from medassist.consult.sides import Sides
from medassist.consult.turn import Turn
from medassist.consult.verdict import Choice, Reason, Verdict
from medassist.core.values import MAX_SEED, Figures, PaneName, StopReason
from medassist.records.export import Form, suggested_name
from medassist.records.export.document import compose, texts
from medassist.records.record import FlagShown, Record, WarningGiven, now
from medassist.serve.openai.parameters import Strict, Text
from medassist.session.identifier_check import LookedFor, look_for_identifiers

MOST_TURNS: Final = 500
MOST_ANSWERS: Final = 100
Label = Literal["A", "B"]
Line = Annotated[Text, MaxLen(1000)]
Count = Annotated[int, Ge(0)]
PageForm = Literal["markdown", "html", "json"]
"""Without PDF: a browser prints the HTML as one."""
TYPES: Final[Mapping[PageForm, str]] = {
    "markdown": "text/markdown;charset=utf-8",
    "html": "text/html;charset=utf-8",
    "json": "application/json",
}


class Provenance(Strict):
    """What the server said that an answer comes from."""

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
    given: datetime
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
    created: datetime
    side_a: PaneName | None = None
    blind: bool = False

    def record(self) -> Record:
        """The same as the records and their exports know it."""
        # Where names are hidden any draw will do: nothing is said of it.
        revealed = now() if self.blind and self.side_a else None
        sides = Sides(self.side_a or "base", self.blind, revealed)
        consultation = Consultation(sides)
        record = Record(consultation, created=self.created)
        consultation.turns.extend(
            self._turn(held, sides, record) for held in self.turns
        )
        return record

    def _turn(self, held: HeldTurn, sides: Sides, record: Record) -> Turn:
        panes: dict[PaneName, HeldAnswers] = {
            pane: held.sides[sides.letter(pane)]
            for pane in sides.order(("base", "tuned"))
            if sides.letter(pane) in held.sides
        }
        answers: dict[PaneName, list[Answer]] = {
            pane: [_answer(one, record) for one in of.answers]
            for pane, of in panes.items()
        }
        turn = Turn(held.question, {pane: own[0] for pane, own in answers.items()})
        for pane, own in answers.items():
            for answer in own[1:]:
                turn.add(pane, answer)
            while turn.place(pane) != min(panes[pane].shown, len(own) - 1):
                turn.show_earlier(pane)
        turn.left_out = held.left_out
        for verdict in held.verdicts:
            given, reasons = verdict.given, tuple(verdict.reasons)
            turn.judge(
                Verdict(verdict.choice, sides.side_a, verdict.blind, given, reasons)
            )
        record.flags[turn] = tuple(
            FlagShown(flag.id, flag.title, flag.text, flag.source)
            for flag in held.flags
        )
        return turn


class ExportRequest(Strict):
    """What is to be exported, as what, and what becomes of identifiers in it."""

    consultation: HeldConsultation
    form: PageForm = "markdown"
    thoughts: bool = False
    identifiers: Literal["ask", "keep", "replace"] = "ask"


def look(request: ExportRequest) -> LookedFor:
    """What in the export may tell who the patient is. For a thread."""
    return look_for_identifiers(texts(request.consultation.record(), request.thoughts))


def export(request: ExportRequest, looked: LookedFor) -> dict[str, Any]:
    """The file: its name, type and content. For a thread."""
    record = request.consultation.record()
    replaces = request.identifiers == "replace"
    outcome: Literal["kept", "replaced"] = "replaced" if replaces else "kept"
    warned = tuple(
        WarningGiven(kind, count, "exporting", outcome, now())
        for kind, count in looked.counts.items()
    )
    every = texts(record, request.thoughts)
    known = dict(zip(every, looked.without, strict=True)) if replaces else {}
    document = compose(
        record,
        warned,
        mask=_as_it_is,  # the server hid names before it sent the answers
        redact=lambda text: known.get(text, text),
        thoughts=request.thoughts,
    )
    form: Form = request.form
    match request.form:
        case "markdown":
            from medassist.records.export.markdown import markdown as write
        case "html":
            from medassist.records.export.html import html as write
        case "json":
            from medassist.records.export.as_json import as_json as write
    return {
        "name": suggested_name(form, now()),
        "type": TYPES[request.form],
        "content": write(document),
    }


def _as_it_is(text: str) -> str:
    return text


def _answer(held: HeldAnswer, record: Record) -> Answer:
    found = held.provenance
    files = _files(found, record) if found else ()
    source = (
        Source(
            found.model,
            found.quantization or "",
            found.demonstration,
            found.adapter or "",
            files,
        )
        if found
        else Source("")
    )
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


def _files(found: Provenance, record: Record) -> tuple[ModelFile, ...]:
    files = tuple(ModelFile(Path(name), 0, 0) for name in found.files)
    for file, known in zip(files, (found.sha256, found.adapter_sha256), strict=False):
        if known:
            record.hashes[file] = known
    return files
