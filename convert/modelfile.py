"""Modelfiles for Ollama: weights, adapter, template, parameters.

Its values have no escapes. Ollama's reader (parser/parser.go, read in August 2026)
ends a value at a line's end once its quotes are closed, and drops characters that are
not printable; a text that it would change is refused here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from convert.errors import ConvertError
from convert.go_template.write import is_printable
from convert.ollama.model_settings import OllamaSettings
from convert.ollama.parameters import Parameter

QUOTES = '"""'


class WrittenModelfile(BaseModel):
    """Output of `convert modelfile --json`."""

    file: Path | None
    modelfile: str
    template: str
    stops: list[str]
    parameters: dict[str, float | int | bool | str]
    origins: list[Parameter]
    """Every parameter, each stop for itself, with who named it."""
    notes: list[str]


@dataclass(frozen=True)
class ModelfileParts:
    """Contents of a Modelfile; paths are relative to it."""

    weights: str
    """A GGUF, or the name of a model that Ollama has."""
    adapter: str | None
    settings: OllamaSettings
    heading: str = ""
    """Comment lines at its top."""


def modelfile(parts: ModelfileParts) -> str:
    """The text of a Modelfile, with which `ollama create NAME -f FILE` works.

    Raises:
        ConvertError: a text holds what a Modelfile cannot, such as three quotes.
    """
    settings = parts.settings
    lines = [f"# {line}".rstrip() for line in parts.heading.splitlines()]
    lines.append(f"FROM {_path(parts.weights)}")
    if parts.adapter:
        lines.append(f"ADAPTER {_path(parts.adapter)}")
    lines.append(f"TEMPLATE {_quoted('TEMPLATE', settings.template)}")
    if settings.system:
        lines.append(f"SYSTEM {_quoted('SYSTEM', settings.system)}")
    for stop in settings.stops:
        quoted = _quoted("stop", stop, short='"' not in stop)
        lines.append(f"PARAMETER stop {quoted}")
    for name, value in settings.parameters.items():
        written = str(value).lower() if isinstance(value, bool) else value
        lines.append(f"PARAMETER {name} {written}")
    lines += [f"LICENSE {_quoted('LICENSE', text)}" for text in settings.licences]
    lines += [
        f"MESSAGE {role} {_quoted('MESSAGE', text)}" for role, text in settings.messages
    ]
    return "\n".join(lines) + "\n"


def beside(path: Path, folder: Path) -> str:
    """`path` relative to a Modelfile in `folder`."""
    whole, home = path.resolve(), folder.resolve()
    if whole.is_relative_to(home):
        return f"./{whole.relative_to(home).as_posix()}"
    return whole.as_posix()


def _path(path: str) -> str:
    _check_characters("FROM or ADAPTER", path)
    if path != path.strip() or '"' in path or "\n" in path or "\r" in path:
        raise ConvertError(
            f"a Modelfile cannot name a file {path!r}; give it a name without quotes, "
            "line ends and blanks at its ends"
        )
    return path


def _quoted(what: str, text: str, *, short: bool = False) -> str:
    _check_characters(what, text)
    if QUOTES in text:
        raise ConvertError(
            f"a Modelfile cannot hold three quotes in a row, and the {what} does: "
            f"{text[:80]!r}. Change the text, or send it with `publish`, which needs "
            "no Modelfile"
        )
    return f'"{text}"' if short else f"{QUOTES}{text}{QUOTES}"


def _check_characters(what: str, text: str) -> None:
    if wrong := next((c for c in text if not is_printable(c)), None):
        raise ConvertError(
            f"the {what} holds the character U+{ord(wrong):04X}, which Ollama drops "
            "when it reads a Modelfile. Change the text, or send it with `publish`, "
            "which needs no Modelfile"
        )
