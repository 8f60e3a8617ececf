"""`/v1/records`: what the page asks of its user's records.

Every route wants the token, as all do, and all that reads or writes what is kept wants
the opening too, which only the passphrase gives. What is searched for comes in a body,
since addresses stand in the logs of what lies between two computers.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any, Final

from annotated_types import Ge, Le, MaxLen
from fastapi import APIRouter, Path, Request
from pydantic import SecretStr

from medassist.consult.verdict import Choice
from medassist.records.errors import (
    InUse,
    Locked,
    NotSaved,
    NotThere,
    RecordsError,
    WrongPassphrase,
)
from medassist.records.history import PAGE, Filter, Summary
from medassist.records.key import LONGEST, check_new
from medassist.records.search import SearchHit
from medassist.serve.comparisons import KeptComparisons, comparison_of
from medassist.serve.desk import Desk, user_of
from medassist.serve.errors import Refusal
from medassist.serve.log import tell
from medassist.serve.openai.request_parameters import Strict, Text
from medassist.serve.records.reopened import answered_last, as_page_holds_it
from medassist.serve.records.saving import SaveRequest, not_kept, save
from medassist.serve.records.vaults import UserVaults

OPENING: Final = "Medassist-Opening"
"""The header with what was given for the passphrase."""
Passphrase = Annotated[SecretStr, MaxLen(LONGEST)]
Id = Annotated[int, Path(ge=1, le=2**53)]


class RecordsUnlock(Strict):
    passphrase: Passphrase


class RecordsBegin(Strict):
    """Records that are begun.

    Attributes:
        passphrase: of the new ones.
        anew: records that are there are put aside; without it they stay.
    """

    passphrase: Passphrase
    anew: bool = False


class PassphraseChange(Strict):
    old: Passphrase
    new: Passphrase


class RecordsQuery(Strict):
    """Search among what is kept.

    Attributes:
        text: words that have to stand there; empty: all are listed.
        verdict: a verdict that was given last; `None`: any or none.
        offset: how many are passed over.
    """

    text: Annotated[Text, MaxLen(1000)] = ""
    verdict: Choice | None = None
    offset: Annotated[int, Ge(0), Le(10_000_000)] = 0


def router(desk: Desk, vaults: UserVaults, kept: KeptComparisons) -> APIRouter:
    """The routes, for a server that keeps records."""
    routes = APIRouter(prefix="/v1/records")

    @routes.get("")
    async def state(request: Request) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        return {"state": vaults.state(user_of(request), _opening(request))}

    @routes.post("")
    async def begin(body: RecordsBegin, request: Request) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        passphrase = _new(body.passphrase, "passphrase")
        user = user_of(request)
        if body.anew:
            return {"opening": await vaults.begin_anew(user, passphrase)}
        if vaults.state(user, "") != "none":
            sentence = "You have records already. Unlock them with their passphrase."
            raise Refusal(409, "records_exist", sentence)
        return {"opening": await vaults.create(user, passphrase)}

    @routes.delete("")
    async def delete_all(request: Request) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        await vaults.destroy(user_of(request), _opening(request))
        return {"state": "none"}

    @routes.post("/unlock")
    async def unlock(body: RecordsUnlock, request: Request) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        passphrase = body.passphrase.get_secret_value()
        return {"opening": await vaults.unlock(user_of(request), passphrase)}

    @routes.post("/lock")
    async def lock(request: Request) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        user = user_of(request)
        await vaults.lock(user, _opening(request))
        return {"state": vaults.state(user, "")}

    @routes.post("/passphrase")
    async def change(body: PassphraseChange, request: Request) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        old, new = body.old.get_secret_value(), _new(body.new, "new")
        await vaults.change(user_of(request), old, new)
        return {"changed": True}

    @routes.post("/search")
    async def search(body: RecordsQuery, request: Request) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        store = vaults.store(user_of(request), _opening(request))
        chosen = Filter(verdict=body.verdict)
        if body.text.strip():
            hits = await store.search(body.text, chosen, body.offset)
            lines = [_hit(hit) for hit in hits]
            return {"lines": lines, "total": None, "more": len(lines) == PAGE}
        lines = [_line(one) for one in await store.page(chosen, body.offset)]
        total = await store.count(chosen)
        more = body.offset + len(lines) < total
        return {"lines": lines, "total": total, "more": more}

    @routes.post("/consultations")
    async def keep(body: SaveRequest, request: Request) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        user = user_of(request)
        async with vaults.writing(user, _opening(request)) as vault:
            done = await save(body, vault, desk.source, kept, user)
            if done.found is not None:
                return {"id": done.id, "found": done.found}
            shown = None
            if done.replaced and done.id is not None:
                saved = await vault.open_store.reopen(done.id)
                shown = await asyncio.to_thread(as_page_holds_it, saved)
            return {"id": done.id, "found": None, "consultation": shown}

    @routes.get("/consultations/{id}")
    async def reopen(id: Id, request: Request) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        user = user_of(request)
        saved = await vaults.store(user, _opening(request)).reopen(id)
        shown = await asyncio.to_thread(as_page_holds_it, saved)
        hidden = saved.record.sides.hidden
        then = answered_last(saved.record)
        now = {m.pane: desk.source.made_of(m.pane)[0].name for m in desk.source.models}
        drawn_by = f"records-{id}" if hidden else None
        if drawn_by is not None:
            # This server knows the draw again, so that it is gone on with blind.
            made = comparison_of(desk.source, saved.record.sides)
            kept.keep(user, drawn_by, made)
        return {
            "id": id,
            "consultation": shown,
            "drawn_by": drawn_by,
            "others": any(now.get(pane) != name for pane, name in then.items()),
            "answered_by": None if hidden else list(dict.fromkeys(then.values())),
        }

    @routes.delete("/consultations/{id}")
    async def delete(id: Id, request: Request) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        user, opening = user_of(request), _opening(request)
        async with vaults.writing(user, opening, uses=True) as vault:
            return {"deleted": await vault.open_store.delete([id])}

    return routes


def refusal_of(error: RecordsError) -> Refusal:
    """Refusal for an error of the records.

    Most of them name a folder of the operator's computer: those are the operator's.
    """
    match error:
        case WrongPassphrase():
            return Refusal(403, "wrong_passphrase", str(error))
        case Locked():
            sentence = "Your records are locked. Unlock them with your passphrase."
            return Refusal(423, "records_locked", sentence)
        case NotThere():
            sentence = "This consultation is not in your records any more."
            return Refusal(404, "not_found", sentence)
        case InUse():
            tell(str(error))
            sentence = "Another program on the server's computer has your records open."
            return Refusal(409, "records_in_use", sentence)
        case NotSaved():
            tell(str(error))
            return not_kept()
        case _:
            tell(str(error))
            return Refusal(
                500,
                "records_failed",
                "Your records cannot be used. Whoever runs the server has been told "
                "why.",
            )


def _opening(request: Request) -> str:
    return request.headers.get(OPENING, "")


def _new(passphrase: SecretStr, name: str) -> str:
    """A new passphrase that is long enough."""
    said = passphrase.get_secret_value()
    try:
        check_new(said)
    except RecordsError as error:
        raise Refusal(400, "weak_passphrase", str(error), name) from None
    return said


def _hit(hit: SearchHit) -> dict[str, Any]:
    pieces = [[piece.text, piece.found] for piece in hit.snippet]
    return {**_line(hit.summary), "snippet": pieces}


def _line(line: Summary) -> dict[str, Any]:
    def time(at: datetime) -> str:
        return at.isoformat(timespec="seconds")

    return {
        "id": line.id,
        "title": line.title,
        "created": time(line.created),
        "changed": time(line.changed),
        "turns": line.turns,
        "models": list(dict.fromkeys(line.models.values())),
        "verdicts": list(line.verdicts),
        "hidden": line.hidden,
        "snippet": [],
    }
