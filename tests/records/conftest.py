from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from medassist.records.vault import Vault
from tests.records.making import CHEAP, PASSPHRASE


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[Vault]:
    """New records, open for writing."""
    vault = Vault(tmp_path / "records")
    await vault.create(PASSPHRASE, CHEAP)
    yield vault
    await vault.lock()
