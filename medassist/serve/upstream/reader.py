"""One answer as it comes from an engine elsewhere, in the events of our own."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

from medassist.core.clean import clean_line
from medassist.core.values import Figures, PaneName, Sampling, StopReason
from medassist.engine.wire import Answered, Reading, Written
from medassist.serve.served_pair import Event
from medassist.serve.upstream import failures
from medassist.serve.upstream.forms import StreamEvent, TokenUsage, read
from medassist.serve.upstream.http_client import HttpClient, NoAnswer
from medassist.text.thoughts import Thoughts, WrittenPart

ENDINGS: dict[str, StopReason] = {"stop": "end", "length": "length"}
END = "[DONE]"


class UpstreamAnswer:
    """An answer, while it comes.

    Times are those of the one who waits here. A count of tokens is the engine's own
    where it tells one at the end, and until then that of the pieces that came.

    Args:
        client: of the engine.
        pane: in which it is an answer.
        sampling: with which it was asked.
    """

    def __init__(self, client: HttpClient, pane: PaneName, sampling: Sampling) -> None:
        self._client = client
        self._host = client.place.host
        self._pane: PaneName = pane
        self._sampling = sampling
        self._thoughts = Thoughts()
        self._apart = ""
        """The thought that came in a field of its own."""
        self._thought_pieces = 0
        self._pieces = 0
        self._asked_at = time.monotonic()
        self._first_at: float | None = None
        self._last_at = self._asked_at
        self._ending: StopReason | None = None
        self._usage: TokenUsage | None = None

    async def events(self, path: str, body: dict[str, Any]) -> AsyncIterator[Event]:
        """All of it, to the end.

        Raises:
            Refusal: it went wrong.
        """
        try:
            async for event in self._asked(path, body):
                yield event
        except NoAnswer as error:
            if self._first_at is None:
                raise failures.unreachable(self._host, str(error)) from None
            raise failures.broke_off(self._host, str(error)) from None

    def stopped(self) -> Answered:
        """Event of the answer up to where it was stopped."""
        self._ending = "stopped"
        self._take(self._thoughts.finish(ended=False))
        return self._answered()

    async def _asked(self, path: str, body: dict[str, Any]) -> AsyncIterator[Event]:
        async with self._client.asked(path, body) as (status, error, events):
            if status == 200:
                async for event in self._read(events):
                    yield event
                return
        refusal = failures.of_status(self._host, status, error)
        if refusal.code == "context_length_exceeded":
            if "max_tokens" in body:
                # Without it, the room that is left is the limit: if that is less than
                # was asked for, the answer ends where it would have.
                shorter = {k: v for k, v in body.items() if k != "max_tokens"}
                async for event in self._asked(path, shorter):
                    yield event
                return
            found = failures.too_long(self._pane, failures.error_in(error))
            if found is not None:
                yield found
                return
        refusal.message = self._client.without_key(refusal.message)
        raise refusal

    async def _read(self, events: AsyncIterator[str]) -> AsyncIterator[Event]:
        async for data in events:
            if data == END:
                break
            chunk = read(StreamEvent, data)
            if chunk is None:
                raise NoAnswer("what it sends is no answer")
            if (error := chunk.told) is not None:
                refusal = failures.of_error(self._host, error)
                refusal.message = self._client.without_key(refusal.message)
                raise refusal
            for event in self._of(chunk):
                yield event
        if self._ending is None:
            raise failures.broke_off(self._host)
        for event in self._take(self._thoughts.finish(self._ending == "end")):
            yield event
        yield self._answered()

    def _of(self, chunk: StreamEvent) -> list[Event]:
        found: list[Event] = []
        progress = chunk.prompt_progress
        if progress is not None:
            found.append(
                Reading(
                    id=0,
                    pane=self._pane,
                    done=progress.processed,
                    total=progress.total,
                    reused=progress.cache,
                )
            )
        self._usage = chunk.usage or self._usage
        for choice in chunk.choices[:1]:
            if choice.delta.thought or choice.said:
                self._count(is_thought=not choice.said)
            parts = self._thoughts.push(choice.said) if choice.said else []
            if choice.delta.thought:
                self._apart += choice.delta.thought
                parts = [WrittenPart("thought", choice.delta.thought), *parts]
            found += self._take(parts)
            if choice.finish_reason:
                self._ending = ENDINGS.get(choice.finish_reason)
                if self._ending is None:  # a filter's, for one
                    why = clean_line(choice.finish_reason)[:50]
                    raise failures.broke_off(self._host, f"its reason: {why}")
        return found

    def _count(self, *, is_thought: bool) -> None:
        self._last_at = time.monotonic()
        self._first_at = self._first_at or self._last_at
        self._pieces += 1
        self._thought_pieces += is_thought or self._thoughts.thinking

    def _take(self, parts: list[WrittenPart]) -> list[Event]:
        """Parts as one event, or none."""
        if not parts:
            return []
        restart = any(part.kind == "restart" for part in parts)
        if restart:  # what was given as the answer was thought
            last = max(i for i, part in enumerate(parts) if part.kind == "restart")
            parts = parts[last + 1 :]
        return [
            Written(
                id=0,
                pane=self._pane,
                text="".join(p.text for p in parts if p.kind == "answer"),
                thought="".join(p.text for p in parts if p.kind == "thought"),
                tokens=self._pieces,
                thought_tokens=self._thought_pieces,
                restart=restart,
            )
        ]

    def _answered(self) -> Answered:
        thoughts = [self._apart.strip(), self._thoughts.thought]
        return Answered(
            id=0,
            pane=self._pane,
            text=self._thoughts.answer,
            thought="\n\n".join(filter(None, thoughts)),
            figures=self._figures(),
            sampling=self._sampling,
        )

    def _figures(self) -> Figures:
        usage = self._usage or TokenUsage()
        written = usage.completion_tokens
        if written is None or self._usage is None:
            written = self._pieces
        details = usage.completion_tokens_details
        thought = details.reasoning_tokens if details else None
        if thought is None:
            thought = self._thought_pieces
        seconds = self._last_at - (self._first_at or self._last_at)
        return Figures(
            ending=self._ending or "stopped",
            tokens_read=usage.prompt_tokens - usage.cached,
            tokens_reused=usage.cached,
            tokens_written=written,
            ttft_s=self._first_at - self._asked_at if self._first_at else None,
            tok_per_s=(written - 1) / seconds if seconds > 0 and written > 1 else None,
            context_used=usage.prompt_tokens + written,
            tokens_thought=min(thought, written),
        )
