"""Whatever computes waits alike: the engine's children, and torch in this process."""

from __future__ import annotations

import os

import pytest

from medassist.core.spin_time import SPIN_COUNT, VARIABLE
from medassist.core.terminal import room
from medassist.engine.child import environment


@pytest.mark.parametrize("extra", ["finetune", "convert"])
def test_what_a_room_loads_waits_as_the_engine_does(monkeypatch, extra):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert environment()[VARIABLE] == SPIN_COUNT
    assert VARIABLE not in os.environ
    with room(extra):
        assert os.environ[VARIABLE] == SPIN_COUNT


def test_what_the_user_has_set_stays(monkeypatch):
    monkeypatch.setenv(VARIABLE, "7")
    with room("finetune"):
        assert os.environ[VARIABLE] == environment()[VARIABLE] == "7"
