"""A server that keeps records, and somebody whose consultations are kept there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from medassist.serve.options import ServeOptions
from medassist.serve.records.routes import OPENING
from medassist.serve.records.vaults import UserVaults, default_root
from tests.serve.serving import PAIR, Served, served
from tests.stubs.engine import Script

KEEPS = ServeOptions(choice=PAIR, records=True)
PASSPHRASE = "correct horse battery"
OTHER = "another staple entirely"


def answer(text: str, **more: Any) -> dict[str, Any]:
    return {"text": text, "stop_reason": "end", "tokens_written": 4, "seed": 7, **more}


def turn(question: str, a: str = "From A.", b: str = "From B.") -> dict[str, Any]:
    sides = {"A": {"answers": [answer(a)]}, "B": {"answers": [answer(b)]}}
    flags = [{"id": "r1", "title": "A flag", "text": "Look.", "source": "us"}]
    return {"question": question, "flags": flags, "sides": sides}


def held(*turns: dict[str, Any], **more: Any) -> dict[str, Any]:
    created = "2026-05-05T09:00:00Z"
    return {"turns": list(turns), "created": created, "side_a": "base", **more}


@dataclass
class Keeper:
    """A user with a client, and the opening that the passphrase gave."""

    client: httpx.AsyncClient
    opening: str = ""

    async def ask(self, method: str, path: str = "", body: Any = None) -> Any:
        """What comes back, as its status and its JSON."""
        headers = {OPENING: self.opening} if self.opening else {}
        found = await self.client.request(
            method, f"/v1/records{path}", json=body, headers=headers
        )
        return found.status_code, found.json()

    async def does(self, method: str, path: str = "", body: Any = None) -> Any:
        """The same, which has to go well."""
        status, found = await self.ask(method, path, body)
        assert status == 200, found
        return found

    async def begins(self, passphrase: str = PASSPHRASE, **more: Any) -> None:
        found = await self.does("POST", "", {"passphrase": passphrase, **more})
        self.opening = found["opening"]

    async def unlocks(self, passphrase: str = PASSPHRASE) -> tuple[int, Any]:
        status, found = await self.ask("POST", "/unlock", {"passphrase": passphrase})
        self.opening = found.get("opening", self.opening)
        return status, found

    async def keeps(self, consultation: dict[str, Any], **more: Any) -> Any:
        body = {"consultation": consultation, "identifiers": "decided", **more}
        return await self.does("POST", "/consultations", body)

    async def finds(self, text: str = "", **more: Any) -> list[str]:
        """The titles that are listed."""
        found = await self.does("POST", "/search", {"text": text, **more})
        return [line["title"] for line in found["lines"]]

    async def opens(self, number: int) -> Any:
        return await self.does("GET", f"/consultations/{number}")


@asynccontextmanager
async def keeping(
    *named: str, script: Script | None = None, options: ServeOptions = KEEPS
) -> AsyncIterator[tuple[Served, Sequence[Keeper]]]:
    """A server, and a keeper for each of its users."""
    async with served(script, named=named, options=options) as server:
        clients = [server.http(user) for user in named or ("",)]
        try:
            yield server, [Keeper(client) for client in clients]
        finally:
            for client in clients:
                await client.aclose()


def vaults(server: Served) -> UserVaults:
    found = server.running.vaults
    assert found is not None
    return found


def files() -> list[Path]:
    """Every file of the records of all users."""
    return [file for file in default_root().rglob("*") if file.is_file()]
