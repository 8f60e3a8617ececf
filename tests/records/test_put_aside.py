"""Records are put aside, so that others can be begun, or deleted whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from medassist.records.errors import InUse, RecordsError
from medassist.records.records_folder import (
    ASIDE,
    GONE,
    KEY_FILE,
    MOST_ASIDE,
    destroy,
    put_aside,
)
from medassist.records.vault import Vault
from tests.records.making import CHEAP, PASSPHRASE


async def begin(folder: Path) -> None:
    vault = Vault(folder)
    await vault.create(PASSPHRASE, CHEAP)
    await vault.lock()


async def test_none_that_were_put_aside_take_another_ones_place(tmp_path: Path) -> None:
    folder = tmp_path / "anna"
    keys: list[str] = []
    for number in range(1, MOST_ASIDE + 1):
        await begin(folder)
        keys.append((folder / KEY_FILE).read_text())
        assert put_aside(folder) == tmp_path / f"anna{ASIDE}{number}"
    await begin(folder)
    with pytest.raises(RecordsError, match="Move those that were put aside away"):
        put_aside(folder)
    assert (folder / KEY_FILE).exists()
    found = [(tmp_path / f"anna{ASIDE}{n}" / KEY_FILE).read_text()
             for n in range(1, MOST_ASIDE + 1)]  # fmt: skip
    assert found == keys


async def test_records_that_are_open_are_neither_put_aside_nor_deleted(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "anna"
    vault = Vault(folder)
    await vault.create(PASSPHRASE, CHEAP)
    for end in (put_aside, destroy):
        with pytest.raises(InUse):
            end(folder)
    assert (folder / KEY_FILE).exists()
    await vault.lock()


async def test_of_a_deletion_that_was_broken_off_the_next_one_leaves_nothing(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "anna"
    await begin(folder)
    folder.rename(tmp_path / f"anna{GONE}")
    await begin(folder)
    destroy(folder)
    assert list(tmp_path.iterdir()) == []
