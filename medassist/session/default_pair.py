"""Chooses the models to open: those on the command line, or the default pair.

The first frame waits for this, so the list of models is looked at as JSON here;
`medassist.library.registry`, which checks all of it, costs a good part of the time to
the first frame. What is not as expected is left to it, and to the Models screen.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from medassist.core.files import read_bytes
from medassist.core.model_list import FILE_NAME, MAX_BYTES
from medassist.core.paths import data_place
from medassist.session.choice import Choice
from medassist.starter import STARTER


def opening(
    base: Path | None, tuned: Path | None, adapter: Path | None, pair: str | None
) -> Choice:
    """The models to open first.

    Args:
        base: the base model, as the command line names it.
        tuned: the tuned model.
        adapter: the adapter on the base.
        pair: a named pair, in place of files.

    Raises:
        LibraryError: there is no pair of that name, or its models are not known.
    """
    if base or tuned or adapter:
        return Choice(base, tuned, adapter)
    table = _read(FILE_NAME)
    name = pair or _text(table, "default") or STARTER
    if name == STARTER:
        return Choice()
    found = _choice(table, name)
    if found is None and pair:
        _complain(pair)
    return found or Choice()


def _read(name: str) -> dict[str, Any]:
    try:
        file = data_place() / name
        small = file.stat().st_size <= MAX_BYTES
        found: object = json.loads(read_bytes(file)) if small else None
    except (OSError, ValueError):
        found = None
    return _table(found)


def _choice(table: dict[str, Any], name: str) -> Choice | None:
    pair = _table(_table(table.get("pairs")).get(name))
    models = _table(table.get("models"))
    paths: list[Path | None] = []
    for field in ("base", "tuned", "adapter"):
        model = _text(pair, field)
        path = _text(_table(models.get(model)), "path") if model else None
        if model and not path:
            return None
        paths.append(Path(path) if path else None)
    choice = Choice(*paths, pair=name)
    return None if choice.is_starter or choice.problem else choice


def _complain(pair: str) -> None:
    from medassist.library.errors import LibraryError
    from medassist.library.registry import load_registry

    load_registry().files(pair)
    raise LibraryError(
        f"The pair {pair!r} cannot be opened. `medassist models show {pair}` says what "
        "is known of it."
    )


def _table(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(table: dict[str, Any], key: str) -> str | None:
    value: object = table.get(key)
    return value if isinstance(value, str) else None
