"""Checks the installed packages and extras."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires, version

from medassist import __version__
from medassist.doctor.finding import Finding, listed

PART = "installed"
EXTRAS = {
    "records": "saving consultations and exporting PDFs",
    "convert": "making GGUFs and publishing to Ollama",
    "finetune": "training",
}
"""The extras of the package, and what a user cannot do without each."""


def installed() -> list[Finding]:
    """Findings about the program and its packages."""
    python = f"Python {platform.python_version()}"
    found = [Finding(PART, "ok", f"medassist {__version__}, {python}, {_system()}.")]
    try:
        wanted = requires("medassist") or []
    except PackageNotFoundError:
        return [
            *found,
            Finding(
                PART,
                "note",
                "medassist runs from a folder and is not installed, so what it needs "
                "cannot be compared with what is here.",
                "make install",
            ),
        ]
    missing = _missing(_packages(wanted, None))
    if missing:
        found.append(
            Finding(
                PART,
                "wrong",
                f"The program needs {listed(missing)}, which this Python lacks.",
                "make install, or: pip install medassist",
            )
        )
    here = ["textual", "llama-cpp-python", "sqlcipher3", "huggingface-hub"]
    versions = [f"{name} {v}" for name in here if (v := _version(name))]
    found.append(Finding(PART, "ok", f"{', '.join(versions)}."))
    for extra, what_for in EXTRAS.items():
        missing = _missing(_packages(wanted, extra))
        if missing:
            found.append(
                Finding(
                    PART,
                    "note",
                    f"The extra {extra} ({what_for}) is not installed, or not whole: "
                    f"{_some(missing)}.",
                    f"Where it is wanted: pip install 'medassist[{extra}]'",
                )
            )
        else:
            found.append(Finding(PART, "ok", f"The extra {extra}: {what_for}."))
    return found


def _system() -> str:
    name = {"darwin": "macOS", "win32": "Windows"}.get(sys.platform, platform.system())
    return f"{name} {platform.release()}, {platform.machine()}"


def _packages(wanted: Iterable[str], extra: str | None) -> list[str]:
    """The names in requirements of `extra`, or of the program itself."""
    names: list[str] = []
    for requirement in wanted:
        name = re.match(r"[\w.-]+", requirement)
        of = re.search(r"extra == '([\w-]+)'", requirement)
        if name and (of[1] if of else None) == extra:
            names.append(name[0])
    return list(dict.fromkeys(names))


def _missing(packages: Iterable[str]) -> list[str]:
    return [name for name in packages if _version(name) is None]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _some(names: list[str]) -> str:
    shown = names[:4]
    more = len(names) - len(shown)
    return f"{', '.join(shown)} and {more} more" if more else listed(shown)
