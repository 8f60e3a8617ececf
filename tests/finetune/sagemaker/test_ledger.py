from __future__ import annotations

import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.resource_ledger import (
    FILE,
    ResourceLedger,
    open_books,
    read_ledger,
)

ACCOUNT, REGION = "123456789012", "eu-central-1"


def test_a_thing_is_on_the_disk_before_it_is_asked_for(tmp_path: Path) -> None:
    books = open_books(tmp_path, ACCOUNT, REGION)
    with books.making("training-job", "job-1", price=Decimal("1.515"), hard_s=3600):
        found = read_ledger(tmp_path)
        assert found is not None
        (made,) = found.made
        assert (made.name, made.state) == ("job-1", "asked")
        assert made.worst == Decimal("1.515")
    after = read_ledger(tmp_path)
    assert after is not None
    assert after.made[0].state == "there"


def test_what_failed_may_have_arrived_and_stays_written_down(tmp_path: Path) -> None:
    books = open_books(tmp_path, ACCOUNT, REGION)
    with pytest.raises(ConnectionError), books.making("role", "ours"):
        raise ConnectionError
    found = read_ledger(tmp_path)
    assert found is not None
    assert found.made[0].state == "asked"


def test_a_program_that_is_killed_while_it_asks_leaves_the_entry(
    tmp_path: Path,
) -> None:
    script = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from finetune.sagemaker.resource_ledger import open_books\n"
        f"books = open_books(Path({str(tmp_path)!r}), {ACCOUNT!r}, {REGION!r})\n"
        "with books.making('endpoint', 'e-1'):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], env=dict(os.environ))
    assert ended.returncode == -signal.SIGKILL
    found = read_ledger(tmp_path)
    assert found is not None
    assert [(m.kind, m.name, m.state) for m in found.made] == [
        ("endpoint", "e-1", "asked")
    ]


def test_nothing_is_asked_for_where_it_cannot_be_written_down(tmp_path: Path) -> None:
    books = open_books(tmp_path, ACCOUNT, REGION)
    (tmp_path / FILE).mkdir()
    asked = False
    with (
        pytest.raises(SageMakerError, match="nothing more is asked for"),
        books.making("role", "ours"),
    ):
        asked = True
    assert not asked


def test_jobs_that_run_count_at_worst_and_those_that_ended_as_billed(
    tmp_path: Path,
) -> None:
    books = open_books(tmp_path, ACCOUNT, REGION)
    for name in ("one", "two"):
        with books.making("training-job", name, price=Decimal(2), hard_s=3600):
            pass
    assert books.ledger.spent == 4
    books.note("training-job", "one", billed_s=900)
    books.gone("training-job", "one")
    assert books.ledger.spent == Decimal("2.5")


def test_what_is_made_again_under_its_name_is_written_down_beside(
    tmp_path: Path,
) -> None:
    books = open_books(tmp_path, ACCOUNT, REGION)
    for _ in range(2):
        with books.making("role", "ours"):
            pass
        books.gone("role", "ours")
    assert [made.state for made in books.ledger.made] == ["gone", "gone"]


def test_another_account_would_find_nothing_and_is_refused(tmp_path: Path) -> None:
    with open_books(tmp_path, ACCOUNT, REGION).making("role", "ours"):
        pass
    with pytest.raises(SageMakerError, match="--region eu-central-1"):
        open_books(tmp_path, ACCOUNT, "us-east-1")
    with pytest.raises(SageMakerError, match=f"account {ACCOUNT}"):
        open_books(tmp_path, "210987654321", REGION)


@pytest.mark.parametrize("text", ["", "{}", '{"version": 2}', "\x00" * 20])
def test_a_broken_ledger_is_not_an_empty_one(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(SageMakerError, match="is not what was written there"):
        read_ledger(tmp_path)


def test_no_ledger_is_none(tmp_path: Path) -> None:
    assert read_ledger(tmp_path) is None
    assert ResourceLedger(account=ACCOUNT, region=REGION).spent == 0
