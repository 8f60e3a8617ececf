"""Reads settings.toml for callers that need only a part of it.

The app reads all of it (`medassist.settings`); a verb that downloads reads the table
[network]. What is wrong in the file is told in the same sentences.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medassist.core.errors import SettingsError
from medassist.core.files import read_text
from medassist.core.paths import SETTINGS, config_dir
from medassist.core.validated import validated
from medassist.core.way_out import WayOut

if TYPE_CHECKING:
    from pydantic import ValidationError

NETWORK = "network"
UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")
"""Name of Pydantic's error for a key that a model, or a dataclass, has no field for."""


@dataclass(frozen=True)
class SettingsContents:
    """Contents of settings.toml; empty where there is no file."""

    file: Path
    text: str
    values: dict[str, Any]

    def refusal(
        self,
        error: ValidationError,
        known: Mapping[str, Sequence[str]],
        table: tuple[str, ...] = (),
    ) -> SettingsError:
        """The first thing that is wrong: file, line, key, and what would be right.

        Args:
            error: of the check of `values`, or of its `table`.
            known: the keys of each table by its name; "" is the file itself.
            table: where in the file the checked values stand.
        """
        problem = error.errors(include_url=False)[0]
        path = [*table, *(str(part) for part in problem["loc"])]
        key = ".".join(path)
        where = f"{self.file}, line {_line_of(self.text, path)}: "
        if problem["type"] in UNKNOWN_KEY:
            names = known.get(path[0], known.get("", ()))
            near = difflib.get_close_matches(path[-1], names, n=1)
            meant = (
                f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}."
            )
            return SettingsError(f"{where}there is no setting {key}; {meant}")
        if problem["type"] == "value_error":  # a sentence of our own
            said = problem["msg"].removeprefix("Value error, ")
            return SettingsError(f"{where}{key}: {said}.")
        what = problem["msg"][:1].lower() + problem["msg"][1:]
        if path[0] == NETWORK:  # a proxy's password may stand in it
            return SettingsError(f"{where}{key} is not allowed: {what}.")
        return SettingsError(
            f"{where}{key} = {problem['input']!r} is not allowed: {what}."
        )


def settings_file() -> Path:
    return config_dir() / SETTINGS


def read_settings_file() -> SettingsContents:
    """Read settings.toml.

    Raises:
        SettingsError: it cannot be read, or is no TOML.
    """
    file = settings_file()
    try:
        text = read_text(file)
        return SettingsContents(file, text, tomllib.loads(text))
    except FileNotFoundError:
        return SettingsContents(file, "", {})
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{file}: this is not UTF-8 text (byte {error.start}). Repair the file, "
            "or remove it to get the defaults."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"{file}: this is not TOML: {error}. Repair the line, or remove the file "
            "to get the defaults."
        ) from None
    except OSError as error:
        raise SettingsError(
            f"{file}: the settings cannot be read: {error.strerror}."
        ) from None


def way_out(proxy: str | None = None) -> WayOut:
    """Connection of a download: by `proxy`, or as the settings say; "" is by none.

    Raises:
        SettingsError: the settings cannot be read, or `proxy` is no address.
    """
    from pydantic import ValidationError

    written = read_settings_file()
    try:
        found = validated(WayOut, written.values.get(NETWORK, {}))
    except ValidationError as error:
        known = {NETWORK: [field.name for field in fields(WayOut)]}
        raise written.refusal(error, known, (NETWORK,)) from None
    try:
        return found if proxy is None else replace(found, proxy=proxy)
    except ValueError as error:
        raise SettingsError(f"--proxy: {error}.") from None


def _line_of(text: str, path: list[str]) -> int:
    """The line that sets the key at `path`, or its table's; 1 where neither stands."""
    table: list[str] = []
    found = 1
    for number, line in enumerate(text.splitlines(), start=1):
        head = re.match(r"\s*\[([^\[\]]+)\]", line)
        if head:
            table = [p.strip().strip("\"'") for p in head[1].split(".")]
            if table == path[: len(table)]:
                found = number
            continue
        key = re.match(r"\s*([\w\-.\"' ]+?)\s*=", line)
        if not key:
            continue
        full = table + [p.strip().strip("\"'") for p in key[1].split(".")]
        if full == path:
            return number
        if full == path[: len(full)]:
            found = number
    return found
