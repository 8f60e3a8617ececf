from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.finetune.data.fetch.server import FakeService, serving


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeService]:
    """A service whose failures are waited for no longer than needed."""
    monkeypatch.setattr("medassist.core.download.PAUSES", (0.0, 0.0, 0.0))
    with serving(FakeService()) as found:
        yield found
