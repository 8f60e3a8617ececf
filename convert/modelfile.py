"""A Modelfile for Ollama: weights, adapter, template, parameters, licence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from convert.errors import ConvertError
from convert.turns import ROLES, Turns
from medassist.engine.protocol import Sampling

QUOTES = '"""'


@dataclass(frozen=True)
class ModelfileParts:
    """What a Modelfile says; paths are relative to where it lies."""

    weights: str
    adapter: str | None
    turns: Turns
    stops: Sequence[str]
    context: int
    licence: str
    system: str | None = None
    heading: str = ""
    """Comment lines at its top."""
    sampling: Sampling = Sampling()


def modelfile(parts: ModelfileParts) -> str:
    """The text of a Modelfile, with which `ollama create NAME -f FILE` works.

    Raises:
        ConvertError: a text holds three quotes in a row, which a Modelfile cannot.
    """
    sampling = parts.sampling
    lines = [f"# {line}".rstrip() for line in parts.heading.splitlines()]
    lines.append(f"FROM {parts.weights}")
    if parts.adapter:
        lines.append(f"ADAPTER {parts.adapter}")
    lines.append(f"TEMPLATE {_quoted(go_template(parts.turns))}")
    if parts.system:
        lines.append(f"SYSTEM {_quoted(parts.system)}")
    lines += [f'PARAMETER stop "{stop}"' for stop in parts.stops]
    lines += [
        f"PARAMETER num_ctx {parts.context}",
        f"PARAMETER num_predict {sampling.max_tokens or -1}",
        f"PARAMETER temperature {sampling.temperature}",
        f"PARAMETER top_k {sampling.top_k}",
        f"PARAMETER top_p {sampling.top_p}",
        f"PARAMETER min_p {sampling.min_p}",
        f"PARAMETER repeat_penalty {sampling.repeat_penalty}",
        f"LICENSE {_quoted(parts.licence)}",
    ]
    return "\n".join(lines) + "\n"


def go_template(turns: Turns) -> str:
    """`turns` as a Go template over Ollama's `.Messages`."""
    branches: list[str] = []
    for index, role in enumerate(ROLES):
        around = turns.around[role]
        word = "if" if index == 0 else "else if"
        branches.append(
            f'{{{{ {word} eq .Role "{role}" }}}}'
            f"{_go_text(around.before)}{{{{ .Content }}}}{_go_text(around.after)}"
        )
    each = "".join(branches) + "{{ end }}"
    return f"{{{{ range .Messages }}}}{each}{{{{ end }}}}{_go_text(turns.asks)}"


def _go_text(text: str) -> str:
    """`text` so that Go takes no part of it for an action."""
    return text.replace("{{", '{{ "{{" }}')


def _quoted(text: str) -> str:
    if QUOTES in text or text.endswith('"'):
        raise ConvertError(
            f"a Modelfile cannot hold three quotes in a row, nor a text that ends in "
            f"one: {text!r}"
        )
    return f"{QUOTES}{text}{QUOTES}"
