"""What a verb says where a library of an extra is missing, and what it keeps back."""

from __future__ import annotations

import logging

import pytest

from medassist.core.terminal import RoomError, room


def test_a_missing_library_is_a_sentence_with_the_extra() -> None:
    said = r"needs torch.*medassist\[finetune\]"
    with pytest.raises(RoomError, match=said), room("finetune"):
        raise ModuleNotFoundError("no", name="torch.nn")


def test_the_complaint_of_a_library_of_a_library_is_kept_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with room("finetune"):
        theirs = logging.getLogger("bitsandbytes.backends.cpu.ops")
        theirs.warning("no kernel from the Hub")
        theirs.error("no memory")
    assert [record.message for record in caplog.records] == ["no memory"]
