"""Keeps a consultation of the page in its user's records.

The page sends all of it each time. What is stored already is read again, what has come
since is added to it, and the app's recorder writes the difference in one transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen
from pydantic import ValidationError

from medassist.consult.sides import Sides
from medassist.consult.turn import Turn
from medassist.core.values import PaneName
from medassist.records.errors import Locked
from medassist.records.record import Record, WarningGiven, now
from medassist.records.recorder import Recorder
from medassist.records.vault import Vault
from medassist.serve.comparisons import KeptComparisons
from medassist.serve.errors import Refusal
from medassist.serve.log import tell
from medassist.serve.openai.request_parameters import Strict
from medassist.serve.page.found_identifiers import as_shown
from medassist.serve.page.held import (
    AnsweredBy,
    Count,
    FileHashes,
    HeldConsultation,
    Line,
    Provenance,
    as_said,
)
from medassist.serve.served_pair import ServedPair
from medassist.session.identifier_check import look_for_identifiers

ConsultationId = Annotated[int, Ge(1), Le(2**53)]
"""Id of a consultation in the records."""
Outcome = Literal["kept", "replaced"]


class WarnedIdentifier(Strict):
    """Identifiers that the user was warned of in a question, and what was decided."""

    kind: Annotated[Line, MaxLen(40)]
    count: Count
    outcome: Outcome


class SaveRequest(Strict):
    """A consultation that is to be kept.

    Attributes:
        consultation: all of it.
        id: its number, where it is kept already.
        drawn_by: the comparison whose draw of the sides holds, where names are hidden
            and it is not kept yet.
        identifiers: what is done with those in what is not kept yet: they are looked
            for and shown; kept; replaced; or the user has decided on each question.
        warned: what the user was warned of in questions since it was kept last.
    """

    consultation: HeldConsultation
    id: ConsultationId | None = None
    drawn_by: Annotated[str, MaxLen(64)] | None = None
    identifiers: Literal["ask", "keep", "replace", "decided"] = "ask"
    warned: Annotated[tuple[WarnedIdentifier, ...], MaxLen(1000)] = ()


@dataclass(frozen=True)
class SaveOutcome:
    """Outcome of saving.

    Attributes:
        id: the number of the consultation; `None`: it was not kept.
        found: identifiers that the user has to decide on first.
        replaced: some were replaced in what is kept.
    """

    id: int | None
    found: Mapping[str, Any] | None = None
    replaced: bool = False


async def save(
    request: SaveRequest,
    vault: Vault,
    source: ServedPair,
    kept: KeptComparisons,
    user: str,
) -> SaveOutcome:
    """Keep a consultation, or what has come of it since.

    Args:
        request: the consultation, and what is known of it.
        vault: the open records of `user`.
        source: what answers now.
        kept: knows which side of a blind comparison is which.
        user: whose it is.

    Raises:
        RecordsError: it cannot be kept, or is not there any more.
        Refusal: it cannot be kept.
    """
    held = request.consultation
    store = vault.open_store
    saved = await store.reopen(request.id) if request.id is not None else None
    sides = saved.record.sides if saved else _sides(request, kept, user)
    coming = held.record(sides, answered_by(source))
    decided = await _decided(request, coming, saved.record if saved else None)
    if not isinstance(decided, list):
        return SaveOutcome(request.id, found=decided)
    if saved is not None:
        recorder = Recorder(vault, saved.record, saved)  # knows what is stored
        record = _brought_up(saved.record, coming)
    else:
        recorder, record = Recorder(vault, coming), coming
    record.warnings = (*record.warnings, *decided)
    if held.side_a is not None:
        record.sides = record.sides.reveal(now())
    if not await recorder.save(at_once=True):
        if vault.store is None:
            raise Locked(recorder.trouble)
        tell(recorder.trouble)
        raise not_kept()
    return SaveOutcome(recorder.id, replaced=request.identifiers == "replace")


def not_kept() -> Refusal:
    """The disk does not take it."""
    return Refusal(
        500,
        "not_kept",
        "The server cannot write your records. What was kept is safe; what came since "
        "is not kept. Whoever runs the server has been told why.",
    )


def answered_by(source: ServedPair) -> AnsweredBy:
    """Tells what answers come from, with what only the server knows of the files."""

    def of(pane: PaneName, said: Provenance | None) -> tuple[Any, FileHashes]:
        # The page does not know it while names are hidden.
        if said is None or _is_now(said, source.provenance(pane)):
            return source.made_of(pane)
        # Of other models than now, from before the server was started again. A hash
        # would be taken for that of every file of this name.
        return as_said(pane, said)[0], {}

    return of


def _is_now(said: Provenance, provenance: Mapping[str, Any]) -> bool:
    try:
        now_ = Provenance.model_validate(provenance)
    except ValidationError:
        return False
    names = ("model", "quantization", "adapter", "files")
    return all(getattr(said, name) == getattr(now_, name) for name in names)


def _sides(request: SaveRequest, kept: KeptComparisons, user: str) -> Sides | None:
    """Sides of the panes, where the page does not know them."""
    held = request.consultation
    if held.side_a is not None or not held.blind:
        return None
    if request.drawn_by is None:
        raise Refusal(
            400,
            "invalid_value",
            "Where names are hidden, 'drawn_by' has to name the comparison that drew "
            "the sides.",
            "drawn_by",
        )
    try:
        return kept.of(user, request.drawn_by).sides
    except Refusal:
        raise Refusal(
            409,
            "draw_unknown",
            "Which side is which is not known here any more, since the server was "
            "started again. This consultation cannot be kept.",
        ) from None


async def _decided(
    request: SaveRequest, coming: Record, stored: Record | None
) -> list[WarningGiven] | Mapping[str, Any]:
    """The warnings that were decided on, or the findings that are to be decided on.

    Identifiers that are to be replaced are replaced in `coming`.
    """
    given = [
        WarningGiven(one.kind, one.count, "saving", one.outcome, now())
        for one in request.warned
    ]
    if request.identifiers == "decided":
        return given
    known = _texts(stored) if stored else ()
    new = [text for text in _texts(coming) if text not in known]
    looked = await asyncio.to_thread(look_for_identifiers, new)
    if request.identifiers == "ask" and (found := as_shown(looked, "saved")):
        return found
    outcome: Outcome = "kept"
    if request.identifiers == "replace":
        outcome = "replaced"
        _replace(coming, dict(zip(new, looked.without, strict=True)))
    return given + [
        WarningGiven(kind, count, "saving", outcome, now())
        for kind, count in looked.counts.items()
    ]


def _texts(record: Record) -> Sequence[str]:
    """Every text of users and models as it stands there, each once."""
    found: list[str] = []
    for turn in record.consultation.turns:
        answers = [answer for pane in turn.panes for answer in turn.answers(pane)]
        found.append(turn.question)
        found += [text for one in answers for text in (one.text, one.thought)]
    return [text for text in dict.fromkeys(found) if text.strip()]


def _replace(record: Record, without: Mapping[str, str]) -> None:
    for turn in record.consultation.turns:
        turn.question = without.get(turn.question, turn.question)
        for pane in turn.panes:
            for answer in turn.answers(pane):
                answer.text = without.get(answer.text, answer.text)
                answer.thought = without.get(answer.thought, answer.thought)


def _brought_up(record: Record, coming: Record) -> Record:
    """Stored consultation with what has come since. Turns that go on are the same."""
    turns, new = record.consultation.turns, coming.consultation.turns
    same = 0
    for mine, theirs in zip(turns, new, strict=False):
        if not _goes_on(mine, theirs):
            break
        _bring_up(mine, theirs)
        same += 1
    turns[same:] = new[same:]
    for turn in new[same:]:
        record.flags[turn] = coming.flags[turn]
    record.hashes.update(coming.hashes)
    return record


def _goes_on(mine: Turn, theirs: Turn) -> bool:
    """Whether `theirs` is what is stored, with more answers at most."""
    return mine.question == theirs.question and all(
        _written(mine, pane) == _written(theirs, pane)[: len(mine.answers(pane))]
        for pane in mine.panes
    )


def _written(turn: Turn, pane: PaneName) -> Sequence[tuple[str, str]]:
    return [(answer.text, answer.state) for answer in turn.answers(pane)]


def _bring_up(mine: Turn, theirs: Turn) -> None:
    for pane in theirs.panes:
        for answer in theirs.answers(pane)[len(mine.answers(pane)) :]:
            mine.add(pane, answer)
        while mine.place(pane) != theirs.place(pane):
            mine.show_earlier(pane)
    mine.left_out = theirs.left_out
    for verdict in theirs.verdicts[len(mine.verdicts) :]:
        mine.judge(verdict)
