"""A session without a face: what a screen, `ask` and a server stand on."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from medassist.consult.consultation import Consultation
from medassist.core.values import Message, PaneName, TooLong
from medassist.records.vault import Vault
from medassist.safety.red_flags.conversation import Raised
from medassist.session.choice import Choice
from medassist.session.pair import Pair
from medassist.session.session import Session
from medassist.settings import Settings
from tests.records.making import CHEAP, PASSPHRASE
from tests.stubs.engine import FakeEngine, FakeEngines

PAIR = Choice(base=Path("/models/base.gguf"), adapter=Path("/models/adapter.gguf"))
HEART = "58M, crushing chest pain, sweaty"


@dataclass
class Told:
    """A face and a panel that remember what they were told."""

    said: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    told_when: list[int] = field(default_factory=list)
    engine: FakeEngine | None = None

    def say(self, sentence: str, warning: bool = False) -> None:
        self.said.append(sentence)

    def record_changed(self) -> None: ...

    def show(self, raised: Sequence[Raised], reason: str, foreign: bool) -> None:
        self.flags = [r.flag.id for r in raised]

    async def wait_for_refresh(self) -> bool:
        self.told_when.append(len(self.engine.asked) if self.engine else 0)
        return True


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDASSIST_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


async def loaded(engines: FakeEngines) -> Pair:
    pair = Pair(PAIR, engines)
    await pair.load(Settings())
    return pair


async def ask(session: Session, question: str) -> tuple[TooLong, ...]:
    outcome = await session.answer(session.begin(question), Settings(), "together")
    assert outcome.ready
    return outcome.too_long


def shown(session: Session, pane: PaneName) -> list[str]:
    found = [turn.shown(pane) for turn in session.consultation.turns]
    return [answer.text for answer in found if answer is not None]


async def test_ten_sessions_over_one_engine_keep_to_themselves(home: Path) -> None:
    engines = FakeEngines()
    pair = await loaded(engines)
    faces = [Told() for _ in range(10)]
    vaults = [Vault(home / f"records-{n}") for n in range(10)]
    sessions = [
        Session(pair, face, face, vault)
        for face, vault in zip(faces, vaults, strict=True)
    ]

    async def consult(number: int) -> None:
        session, vault = sessions[number], vaults[number]
        await vault.create(PASSPHRASE, CHEAP)
        session.record.opened()
        # Every other one has a danger sign in it.
        danger = HEART if number % 2 else "What is a cough?"
        await ask(session, f"{danger} This is number {number}.")
        await ask(session, f"And then, {number}?")
        assert await session.record.save()

    await asyncio.gather(*(consult(number) for number in range(10)))

    (engine,) = engines.made
    assert len(engine.asked) == 20
    for number, session in enumerate(sessions):
        texts = shown(session, "base")
        assert len(texts) == 2
        assert all(f"{number}" in text for text in texts)
        second = next(
            asked["base"]
            for asked in engine.asked
            if asked["base"].messages[-1].content == f"And then, {number}?"
        )
        before = [m.content for m in second.messages]
        assert before[0].endswith(f"number {number}.")
        assert len(before) == 3
        assert bool(faces[number].flags) == bool(number % 2)
        store = vaults[number].store
        assert store is not None
        kept = await store.page()
        assert len(kept) == 1
        assert f"number {number}." in kept[0].title
        await session.record.close()


async def test_flags_are_shown_before_a_model_is_asked() -> None:
    engines = FakeEngines()
    pair = await loaded(engines)
    face = Told(engine=engines.made[0])
    session = Session(pair, face, face)

    await ask(session, HEART)

    assert "acute-coronary-syndrome" in face.flags
    assert face.told_when == [0]
    assert len(engines.made[0].asked) == 1


async def test_a_prompt_that_does_not_fit_is_taken_back_and_asked_with_less() -> None:
    engines = FakeEngines()
    pair = await loaded(engines)
    face = Told()
    session = Session(pair, face, face)
    await ask(session, "What is a cough?")
    engines.script.too_long = lambda pane, question: (
        TooLong(pane, 110, 100, (30,)) if len(question.messages) > 1 else None
    )

    asked = session.begin("And a fever?")
    outcome = await session.answer(asked, Settings(), "together")
    assert [long.pane for long in outcome.too_long] == ["base", "tuned"]
    surplus = session.consultation.turns_in_excess(outcome.too_long)
    assert session.take_back(asked) == "And a fever?"
    session.leave_out(surplus)

    assert await ask(session, "And a fever?") == ()
    sent = engines.made[0].asked[-1]["base"].messages
    assert sent == (Message("user", "And a fever?"),)


async def test_what_leaving_would_lose_is_said() -> None:
    pair = await loaded(FakeEngines())
    face = Told()
    session = Session(pair, face, face)

    assert session.loss("") == ""
    assert "written is not saved" in session.loss("a draft")
    await ask(session, "What is a cough?")
    assert "consultation is not saved" in session.loss("")
    session.new(Consultation())
    assert session.loss("") == ""


async def test_a_pair_that_cannot_be_loaded_leaves_the_question_to_be_asked_again() -> (
    None
):
    engines = FakeEngines()
    engines.script.bad_file = PAIR.adapter
    pair = await loaded(engines)
    face = Told()
    session = Session(pair, face, face)

    asked = session.begin("What is a cough?")
    outcome = await session.answer(asked, Settings(), "together")

    assert not outcome.ready
    assert "ends in the middle" in pair.trouble
    assert session.take_back(asked) == "What is a cough?"
    assert session.consultation.turns == []


def test_the_calls_that_a_face_needs_are_at_most_fifteen_and_all_named() -> None:
    told_of_itself = {"record_changed"}
    calls = {
        name
        for name, value in vars(Session).items()
        if inspect.isfunction(value) and not name.startswith("_")
    } - told_of_itself
    told = inspect.getdoc(inspect.getmodule(Session)) or ""
    named = re.findall(r"^    (\w+) {2,}", told, re.MULTILINE)

    assert sorted(calls) == sorted(named)
    assert len(calls) <= 15
