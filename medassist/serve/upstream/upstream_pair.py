"""`ServedPair` of the queue and the routes, for an engine that exists elsewhere.

vLLM answers both panes, and the questions of several users, in one batch; llama-server,
which has one scale of a LoRA in a batch, one pane after the other.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from medassist.consult.answer import ModelFile, Source
from medassist.core.values import PANES, Mode, PaneName, Sampling
from medassist.engine.wire import Question
from medassist.serve.errors import Refusal
from medassist.serve.served_pair import Asked, ServedModel, State
from medassist.serve.upstream import failures
from medassist.serve.upstream.asking import UpstreamQuestion
from medassist.serve.upstream.discover import Found, UpstreamError, discover
from medassist.serve.upstream.http_client import HttpClient
from medassist.serve.upstream.options import UpstreamOptions, key_in, place_of
from medassist.serve.upstream.outgoing import Outgoing
from medassist.serve.upstream.reader import UpstreamAnswer
from medassist.serve.upstream.request_body import Asker, body_of, usual

if TYPE_CHECKING:
    from medassist.settings import Settings

AGAIN_S: Final = 5.0
"""Between two looks at an engine that does not answer."""
REPLACED: Final = (
    "Names, dates and other places that may tell who somebody is are replaced before a "
    "question goes there."
)


class UpstreamPair:
    """An engine elsewhere.

    Args:
        options: where and what it is.
        settings: how it is asked, as far as it can be told.
        mode: how its panes are asked.
        log: is told what the operator has to know; nothing of it is content.
        again_s: between two looks at it while it does not answer.

    Raises:
        ServeError: its address or the file of its key cannot be used.
    """

    def __init__(
        self,
        options: UpstreamOptions,
        settings: Settings,
        mode: Mode,
        log: Callable[[str], None],
        again_s: float = AGAIN_S,
    ) -> None:
        place = place_of(options.url)
        self.mode: Mode = mode
        self.restarts = 0
        self.answers_from = place.host
        self._outgoing = Outgoing(place, options.identifiers)
        self._client = HttpClient(place, key_in(options.key_file), settings.network)
        self._options = options
        self._settings = settings
        self._log = log
        self._again_s = again_s
        self._found: Found | None = None
        self._state: State = "loading"
        self._told = ""
        self._looking: asyncio.Task[None] | None = None
        self._one_look = asyncio.Lock()
        self._salts = secrets.token_bytes(32)
        self._last: dict[PaneName, str] = {}
        """User who asked last, for each pane."""

    @property
    def state(self) -> State:
        return self._state

    @property
    def at_once(self) -> int:
        return self._found.at_once if self._found else 1

    @property
    def models(self) -> Sequence[ServedModel]:
        found = self._found
        known: Sequence[PaneName] = PANES if found is None else tuple(found.panes)
        return tuple(self._model(pane) for pane in known)

    async def cleared(
        self, questions: Mapping[PaneName, Question], identifiers: str | None
    ) -> Mapping[PaneName, Question]:
        return await self._outgoing.cleared(questions, identifiers)

    def sampling(self, pane: PaneName) -> Sampling:
        kind = self._found.kind if self._found else self._options.kind
        return usual(self._settings.sampling, kind or "openai")

    def system(self, pane: PaneName) -> str:
        return ""

    async def start(self) -> None:
        """Look for it, again and again until it answers."""
        await self._outgoing.prepare()
        self._look_again()
        if self._looking is not None:
            await asyncio.shield(self._looking)

    async def ready(self) -> None:
        if self._state != "ok" and not await self._look():
            host = self.answers_from
            raise failures.unreachable(host, "it did not when it was last asked")

    def ask(
        self, questions: Mapping[PaneName, Question], mode: Mode, asker: str
    ) -> Asked:
        self._outgoing.expect_cleared(questions.values())
        found = self._found
        if found is None or not questions.keys() <= found.panes.keys():
            raise failures.unreachable(self.answers_from, "it has other models now")
        answers: dict[PaneName, UpstreamAnswer] = {}
        bodies: dict[PaneName, tuple[str, dict[str, Any]]] = {}
        for pane, question in questions.items():
            served, said = found.panes[pane], self._asker(pane, asker)
            answers[pane] = UpstreamAnswer(self._client, pane, question.sampling)
            bodies[pane] = body_of(
                question, pane, found.kind, served, found.server, said
            )
        asking = UpstreamQuestion(answers, bodies, mode, self._met)
        return Asked(asking.events(), asking.stop)

    def memory(self) -> int | None:
        return None

    def provenance(self, pane: PaneName) -> dict[str, Any]:
        found = self._found.panes.get(pane) if self._found else None
        return {
            "model": found.label if found else "",
            "quantization": None,
            "adapter": (found.adapter or None) if found else None,
            "files": [],
            "confined": None,
            # No file of it was seen here: its name is what it says of itself.
            "sha256": None,
            "stated_by": self.answers_from,
        }

    def made_of(self, pane: PaneName) -> tuple[Source, Mapping[ModelFile, str]]:
        found = self.provenance(pane)
        return Source(found["model"], adapter=found["adapter"] or ""), {}

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
        await self._client.close()

    def _asker(self, pane: PaneName, asker: str) -> Asker:
        """Name of the asker; what was read for one is used for no other."""
        salt = hmac.digest(self._salts, asker.encode(), hashlib.sha256)
        goes_on = self._last.get(pane) == asker
        self._last[pane] = asker
        return Asker(base64.urlsafe_b64encode(salt).decode().rstrip("="), goes_on)

    def _met(self, refusal: Refusal) -> None:
        """Look whether it is still there, where that is in doubt."""
        if refusal.code in ("upstream_unreachable", "upstream_refuses_key"):
            self._state = "dead"
            self._look_again()

    def _look_again(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._until_it_answers())

    async def _until_it_answers(self) -> None:
        while not await self._look():  # noqa: ASYNC110
            await asyncio.sleep(self._again_s)

    async def _look(self) -> bool:
        """Ask it what it has; whether it answers."""
        async with self._one_look:
            try:
                self._found = await discover(self._client, self._options)
            except UpstreamError as error:
                self._state = "dead"
                self._tell(self._client.without_key(str(error)))
                return False
            self._state = "ok"
            names = " and ".join(
                f"{pane} is {served.label}"
                for pane, served in self._found.panes.items()
            )
            self._tell(f"Answers come from {self.answers_from}: {names}.")
            for notice in self._found.notices:
                self._log(notice)
            return True

    def _tell(self, sentence: str) -> None:
        """Tell the operator, once until it is another one."""
        if sentence != self._told:
            self._told = sentence
            self._log(sentence)

    def _model(self, pane: PaneName) -> ServedModel:
        served = self._found.panes.get(pane) if self._found else None
        notice = f"This answer comes from {self.answers_from}, not from this program."
        if self._outgoing.replaces:
            notice = f"{notice} {REPLACED}"
        return ServedModel(
            pane,
            (pane,),
            served.label if served else "",
            "base" if served and served.has_parent else "",
            served.created if served else 0,
            notice,
            thinks=False,
        )
