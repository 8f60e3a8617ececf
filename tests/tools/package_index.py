"""An index of packages in a folder, and an environment that knows no other."""

from __future__ import annotations

import os
import shutil
import subprocess
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def add_wheel(
    index: Path,
    name: str,
    version: str,
    needs: Sequence[str] = (),
    modules: dict[str, str] | None = None,
    ballast: int = 0,
) -> Path:
    """Put a wheel into the index whose folder is `index`; `ballast` bytes in it."""
    module, folder = name.replace("-", "_"), index / name
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{module}-{version}.dist-info"
    wheel = folder / f"{module}-{version}-py3-none-any.whl"
    requires = "".join(f"Requires-Dist: {need}\n" for need in needs)
    texts = {
        f"{info}/METADATA": (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}"
        ),
        f"{info}/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\n"
            "Tag: py3-none-any\n"
        ),
        f"{module}/__init__.py": "",
        f"{module}/ballast": "x" * ballast,
        **(modules or {}),
    }
    record = "".join(f"{file},,\n" for file in [*texts, f"{info}/RECORD"])
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, text in (texts | {f"{info}/RECORD": record}).items():
            archive.writestr(file, text)
    links = (f'<a href="{file.name}">{file.name}</a>' for file in folder.glob("*.whl"))
    (folder / "index.html").write_text("\n".join(links))
    return wheel


class Environment:
    """An environment of its own, with a pip that knows one index, in a folder."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=True)
        self.python = folder / "bin" / "python"
        self._packages = next(folder.glob("lib/*/site-packages"))
        self._at_first = set(self._packages.iterdir())
        self.index = folder

    def begin_anew(self, index: Path) -> None:
        """With no package but pip's own, and what will be put into `index`."""
        for path in set(self._packages.iterdir()) - self._at_first:
            shutil.rmtree(path)
        index.mkdir()
        self.index = index

    def run(
        self, *arguments: str | Path, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Run its Python in the repository, with nothing set but what is named here."""
        own = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
        own |= {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": self.index.as_uri(),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_CACHE_DIR": "1",
            "PYTHONPATH": str(ROOT),
        }
        return subprocess.run(
            [str(self.python), *map(str, arguments)],
            env=own | settings,
            cwd=ROOT,
            capture_output=True,
            text=True,
        )

    def version_of(self, name: str) -> str | None:
        asked = f"from importlib.metadata import version; print(version({name!r}))"
        done = self.run("-c", asked)
        return done.stdout.strip() if done.returncode == 0 else None
