"""Routes of the page beside `/v1/compare`: its beginning, drawing, and exports."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

from annotated_types import MaxLen, MinLen
from fastapi import APIRouter, Request

from medassist import __version__
from medassist.consult.differences import FACTS, SentencePair, compare
from medassist.consult.differences import Mark as Differing
from medassist.core.clean import clean
from medassist.core.values import LETTERS
from medassist.intended_use import INTENDED_USE, INTENDED_USE_VERSION
from medassist.serve.desk import Desk, user_of
from medassist.serve.errors import Refusal, ServeError
from medassist.serve.limits import IDLE_MINUTES
from medassist.serve.openai.request_parameters import Strict, Text
from medassist.serve.page.acceptance import accept, accepted
from medassist.serve.page.blocks import blocks
from medassist.serve.page.exported import ExportRequest, export, look
from medassist.serve.page.found_identifiers import as_shown
from medassist.serve.records.vaults import UserVaults
from medassist.session import wording
from medassist.session.identifier_check import look_for_identifiers
from medassist.text.sentences import Sentence

P = ParamSpec("P")
T = TypeVar("T")
OF_THIS_COMPUTER = ("127.0.0.1", "localhost", "::1", "[::1]")
_EMPHASIS = re.compile(r"(?<![\d*])\*\*(?=[^\s*])|(?<=[^\s*])\*\*(?![\d*])")
"""Signs of Markdown, which tell nothing where it is not drawn."""
Shown = Annotated[Text, MaxLen(60_000)]
AT_ONCE = 2
"""Texts that are worked on: red flags of a question must not wait behind them."""


class Accepted(Strict):
    version: int


class Drawn(Strict):
    """An answer that is to be drawn."""

    text: Shown


class BothAnswers(Strict):
    """Two answers, that of side A first."""

    a: Shown
    b: Shown


class Sent(Strict):
    """A question that is about to leave this computer, or to be kept.

    Attributes:
        text: the question.
        done: what happens to it next.
    """

    text: Annotated[Shown, MinLen(1)]
    done: Literal["sent", "saved"] = "sent"


def router(desk: Desk, vaults: UserVaults | None) -> APIRouter:
    """The routes; `vaults` are the users' records, where the server keeps any."""
    routes = APIRouter(prefix="/v1/page")
    room = asyncio.Semaphore(AT_ONCE)

    async def in_thread(work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        async with room:
            return await asyncio.to_thread(work, *args, **more)

    @routes.get("/setup")
    async def setup(request: Request) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        user = user_of(request)
        return {
            **_setup(desk),
            "user": user,
            "records": vaults.state(user, "") if vaults is not None else None,
            "accepted": accepted(user) >= INTENDED_USE_VERSION,
        }

    @routes.post("/accepted")
    async def accept_use(body: Accepted, request: Request) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        if body.version != INTENDED_USE_VERSION:
            sentence = "The text has changed since. Load the page again and read it."
            raise Refusal(409, "other_version", sentence, "version")
        try:
            await asyncio.to_thread(accept, user_of(request), body.version)
        except ServeError:  # its text names a folder of the operator's computer
            sentence = "It was taken, and cannot be kept: it will be asked for again."
            raise Refusal(500, "not_kept", sentence) from None
        return {"accepted": True}

    @routes.post("/blocks")
    async def draw(body: Drawn) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        return {"blocks": await in_thread(blocks, body.text)}

    @routes.post("/differences")
    async def differences(body: BothAnswers) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        return await in_thread(_differences, clean(body.a), clean(body.b))

    @routes.post("/identifiers")
    async def identifiers(body: Sent) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        looked = await in_thread(look_for_identifiers, [body.text])
        return {"found": as_shown(looked, body.done), "without": looked.without[0]}

    @routes.post("/export")
    async def write(body: ExportRequest) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        looked = await in_thread(look, body)
        if body.identifiers == "ask" and (found := as_shown(looked, "exported")):
            return {"found": found}
        return await in_thread(export, body, looked)

    return routes


def _setup(desk: Desk) -> dict[str, Any]:
    models = [
        {
            "pane": model.pane,
            "side": LETTERS[model.pane],
            "name": model.root,
            "notice": model.notice or None,
        }
        for model in desk.source.models
    ]
    host = desk.source.answers_from
    title, *paragraphs = (wording.BEFORE_YOU_BEGIN, *INTENDED_USE.strip().split("\n\n"))
    return {
        "version": __version__,
        "models": models,
        "seed": desk.source.sampling(desk.source.models[0].pane).seed,
        "answers_from": host or None,
        "leaves": bool(host) and _name(host) not in OF_THIS_COMPUTER,
        "lock_minutes": IDLE_MINUTES,
        "intended_use": {
            "version": INTENDED_USE_VERSION,
            "title": title,
            "paragraphs": paragraphs,
        },
    }


def _name(host: str) -> str:
    """Host of `host:port`."""
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def _differences(a: str, b: str) -> dict[str, Any]:
    found = compare(a, b)
    rows = [_row(row) for row in found.rows]
    places = {id(row): place for place, row in enumerate(found.rows)}
    facts = [
        {
            "fact": fact,
            "head": wording.HEADS[fact],
            "rows": [places[id(row)] for row in found.first(fact)],
        }
        for fact in FACTS
        if found.first(fact)
    ]
    return {
        "summary": f"{found.summary}. {wording.BY_WORDING}",
        "apart": [wording.APART[fact] for fact in found.against],
        "facts": facts,
        "rows": rows,
    }


def _row(row: SentencePair) -> dict[str, Any]:
    alone = row.a is None or row.b is None
    return {
        "same": row.same,
        "a": _pieces(row.a, row.marks_a, alone),
        "b": _pieces(row.b, row.marks_b, alone),
    }


def _pieces(
    sentence: Sentence | None, marks: tuple[Differing, ...], alone: bool
) -> list[list[str]] | None:
    """A sentence in pieces, each with in what it differs; `None`: there is none."""
    if sentence is None:
        return None
    # A whole sentence underlined cannot be read; a fact counts more than words.
    kept: dict[int, str] = {}
    for mark in sorted(marks, key=lambda one: one.kind != "words"):
        if not (alone and mark.kind == "words"):
            kept |= dict.fromkeys(range(mark.start, mark.end), mark.kind)
    pieces: list[list[str]] = []
    signs = {
        at for sign in _EMPHASIS.finditer(sentence.text) for at in range(*sign.span())
    }
    for at, character in enumerate(sentence.text):
        if at in signs:
            continue
        kind = kept.get(sentence.start + at, "")
        if pieces and pieces[-1][1] == kind:
            pieces[-1][0] += character
        else:
            pieces.append([character, kind])
    return pieces
