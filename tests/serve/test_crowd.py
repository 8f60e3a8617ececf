"""Forty clients at once for a while: no answer is lost, each has turns, memory is flat.

Five seconds in `make test`, two minutes in `make soak`, where the figures are printed.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace

import httpx
import psutil
import pytest

from medassist.serve.limits import Limits
from medassist.serve.options import ServeOptions
from tests.serve.serving import PAIR, Served, answered_in, chat_body, served
from tests.stubs.engine import answer_of

USERS = [f"user{number}" for number in range(8)]
EACH = 5
"""Clients of a user; one of them is answered or has the next turn, the others wait."""
PATH = "/v1/chat/completions"


@dataclass
class Crowd:
    """What forty clients have seen.

    Attributes:
        answers: of each user.
        wrong: answers that were lost, or were another client's.
        order: the users, as the engine was asked for them.
    """

    answers: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])
    order: list[str] = field(default_factory=list[str])

    @property
    def fairness(self) -> float:
        """Jain's index of the answers: 1 where every user has as many."""
        counts = [self.answers[user] for user in USERS]
        return sum(counts) ** 2 / (len(counts) * sum(n * n for n in counts))

    @property
    def longest_wait(self) -> int:
        """The most questions of others between two of a user who always waits."""
        last: dict[str, int] = {}
        longest = 0
        for place, user in enumerate(self.order):
            if user in last:
                longest = max(longest, place - last[user] - 1)
            last[user] = place
        return longest


async def press(server: Served, seconds: float) -> Crowd:
    """Have all clients ask one question after the other for so long."""
    crowd, end = Crowd(), time.monotonic() + seconds

    async def ask(client: httpx.AsyncClient, user: str, number: int) -> None:
        turn = 0
        while time.monotonic() < end:
            turn += 1
            text, streamed = f"{user} {number} {turn}", bool((number + turn) % 2)
            answer = await client.post(
                PATH, json=chat_body("base", text, stream=streamed)
            )
            said = (
                answered_in(answer.text, streamed=streamed) if answer.is_success else ""
            )
            crowd.answers[user] += 1
            if said != answer_of("base", text):
                crowd.wrong.append(f"{text}: {answer.status_code} {answer.text[:200]}")

    async def one(user: str, number: int) -> None:
        async with server.http(user) as client:
            await ask(client, user, number)

    await asyncio.gather(*(one(user, n) for user in USERS for n in range(EACH)))
    asked = [q["base"].messages[-1].content for q in server.engine.asked]
    crowd.order = [said.split()[0] for said in asked]
    if len(asked) != crowd.answers.total() or len(set(asked)) != len(asked):
        crowd.wrong.append(f"{len(asked)} were asked, {crowd.answers} were answered")
    server.engine.asked.clear()
    server.engine.modes.clear()
    return crowd


def objects() -> int:
    """How many objects there are that could refer to others."""
    gc.collect()
    return len(gc.get_objects())


@pytest.mark.parametrize(
    "seconds", [5, pytest.param(120, marks=pytest.mark.soak)], ids=str
)
async def test_forty_clients_for_a_while(
    seconds: int, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = replace(Limits(), waiting_each=EACH, waiting=EACH * len(USERS))
    options = ServeOptions(choice=PAIR, limits=limits)
    memory = psutil.Process().memory_info
    async with served(named=USERS, options=options) as server:
        first = await press(server, seconds / 5)  # what is kept once is made here
        rss, kept = memory().rss, objects()
        crowd = await press(server, seconds * 4 / 5)
        rss, kept = memory().rss - rss, objects() - kept
    with capsys.disabled():
        sys.stdout.write(
            f"\n{seconds} s, 40 clients: {crowd.answers.total()} answers, "
            f"{len(crowd.wrong)} lost or wrong, fairness {crowd.fairness:.4f}, "
            f"at most {crowd.longest_wait} others between, memory {rss / 2**20:+.1f} "
            f"MiB, {kept:+d} objects\n"
        )
    assert first.wrong == crowd.wrong == []
    assert crowd.fairness > 0.99
    # Every user has questions waiting all the time: seven others come between. A client
    # that was answered asks again a moment later, in which one turn may be missed.
    assert crowd.longest_wait <= 2 * (len(USERS) - 1)
    # An answer leaves nothing behind, far less than one object each.
    assert kept < 1000 + crowd.answers.total() / 10
    assert rss < 64 * 2**20
