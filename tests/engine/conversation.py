"""Asking an engine in tests: a turn at a time, each pane with its own history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from medassist.core.validated import validated
from medassist.core.values import (
    EngineOptions,
    Message,
    Mode,
    PairFiles,
    PaneName,
    Sampling,
)
from medassist.engine.client import AskEvent, Engine
from medassist.engine.wire import Answered, Question

GREEDY = Sampling(temperature=0, max_tokens=24, repeat_penalty=1)
LONG = "What are the symptoms of anaemia, and which tests are done first? " * 12


def tiny_engine(files: PairFiles, **options: object) -> Engine:
    """An engine on one thread: more would only wait for each other on tiny models."""
    return Engine(files, validated(EngineOptions, {"threads": 1, **options}))


def user(text: str) -> Message:
    return Message(role="user", content=text)


def question(*texts: str, sampling: Sampling = GREEDY) -> Question:
    """A question with earlier turns: user, assistant, user, ..."""
    roles = ("user", "assistant")
    messages = (Message(role=roles[i % 2], content=t) for i, t in enumerate(texts))
    return Question(messages=tuple(messages), sampling=sampling)


async def answers(
    engine: Engine,
    asked: Question | Mapping[PaneName, Question],
    mode: Mode = "together",
) -> dict[PaneName, Answered]:
    """Ask, and wait for the answers."""
    if isinstance(asked, Question):
        asked = dict.fromkeys(engine.files.panes, asked)
    events = [event async for event in engine.ask(asked, mode)]
    return {e.pane: e for e in events if isinstance(e, Answered)}


async def events_of(engine: Engine, asked: Question) -> list[AskEvent]:
    panes = dict.fromkeys(engine.files.panes, asked)
    return [event async for event in engine.ask(panes)]


@dataclass
class Conversation:
    """A conversation in which each pane goes on from its own answers."""

    engine: Engine
    sampling: Sampling = GREEDY
    prepared: bool = False
    histories: dict[PaneName, list[Message]] = field(default_factory=dict)

    async def turn(self, text: str) -> dict[PaneName, Answered]:
        for pane in self.engine.files.panes:
            self.histories.setdefault(pane, []).append(user(text))
        panes: dict[PaneName, Question] = {
            pane: Question(messages=tuple(history), sampling=self.sampling)
            for pane, history in self.histories.items()
        }
        got = await answers(self.engine, panes)
        for pane, answer in got.items():
            said = Message(role="assistant", content=answer.text)
            self.histories[pane].append(said)
        if self.prepared:
            await self.engine.prepare(self.histories)
        return got
