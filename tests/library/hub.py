"""A repository on a Hub of the tests' own: its list, and its files on a second host."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from tests.finetune.data.fetch.server import FakeService

COMMIT = "c" * 40
REPO = "own/tiny-GGUF"


@dataclass
class HubFiles:
    own: FakeService
    storage: FakeService
    """Where large files lie, which the Hub names by a redirect."""
    entries: list[dict[str, object]] = field(default_factory=list)

    def add(self, name: str, content: bytes, sha256: str | None = None) -> str:
        """Put a large file into the repository; its path on the second host."""
        found = sha256 or hashlib.sha256(content).hexdigest()
        self.entries.append(
            {
                "rfilename": name,
                "size": len(content),
                "blobId": "b" * 40,
                "lfs": {"sha256": found, "size": len(content), "pointerSize": 130},
            }
        )
        place = f"/storage/{len(self.entries)}"
        self.storage.files[place] = content
        path = f"/{REPO}/resolve/{COMMIT}/{name}"
        self.own.redirects[path] = f"{self.storage.url}{place}"
        self._list()
        return place

    def add_small(self, name: str, content: bytes) -> None:
        """Put a small file into the repository, which the Hub serves itself."""
        self.entries.append(
            {"rfilename": name, "size": len(content), "blobId": "b" * 40}
        )
        self.own.files[f"/{REPO}/resolve/{COMMIT}/{name}"] = content
        self._list()

    def _list(self) -> None:
        info = {
            "id": REPO,
            "sha": COMMIT,
            "cardData": {"license": "apache-2.0"},
            "siblings": self.entries,
        }
        self.own.answers[f"/api/models/{REPO}/revision/main"] = lambda _: json.dumps(
            info
        ).encode()
