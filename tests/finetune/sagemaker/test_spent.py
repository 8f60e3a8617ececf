from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from finetune.sagemaker import job_limits, spent
from finetune.sagemaker.spent import AccountLost, Spent

ROOT = Path(__file__).parents[3]


def test_a_start_that_was_killed_is_charged_for_what_it_did_not_write() -> None:
    after = spent.next_start(Spent(now_s=1000))
    assert after.seconds == 1000 + spent.LOST_S + spent.BOOT_S
    in_order = spent.next_start(Spent(now_s=1000).close(1010))
    assert in_order.seconds == 1010 + spent.BOOT_S


def test_the_account_never_falls_and_the_rest_never_rises(tmp_path: Path) -> None:
    account = Spent().at(50).at(40)
    assert account.seconds == 50
    assert account.rest(60) == 10
    assert account.rest(20) == 0
    spent.save(tmp_path, account)
    assert spent.load(tmp_path) == account
    assert [each.name for each in tmp_path.iterdir()] == [spent.FILE]


def test_a_job_without_an_account_has_its_first_start(tmp_path: Path) -> None:
    assert spent.next_start(spent.load(tmp_path)) == Spent()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"before_s": 1, "now_s": 2, "starts": 1}',
        '{"before_s": -1, "now_s": 2, "starts": 1, "closed": false}',
        '{"before_s": NaN, "now_s": 2, "starts": 1, "closed": false}',
        '{"before_s": true, "now_s": 2, "starts": 1, "closed": false}',
        '{"before_s": 1e400, "now_s": 2, "starts": 1, "closed": false}',
        '{"before_s": 1, "now_s": "2", "starts": 1, "closed": false}',
    ],
)
def test_a_broken_account_is_not_an_empty_one(text: str) -> None:
    with pytest.raises(AccountLost, match="trains no further"):
        spent.read(text)


def test_it_charges_what_the_limits_set_aside_for_it() -> None:
    assert (spent.BOOT_S, spent.LOST_S) == (job_limits.BOOT_S, job_limits.LOST_S)


def test_it_needs_nothing_but_python_where_no_package_is_installed_yet() -> None:
    # Without site-packages; our own package lies on the path, as in the container.
    look = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {spent.__name__}"
    subprocess.run([sys.executable, "-I", "-S", "-c", look], check=True)
