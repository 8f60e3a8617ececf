"""Whatever a verb prints, a terminal obeys none of it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from medassist.core.clean import clean, escaped_json
from tests.program import medassist

ROOT = Path(__file__).parents[2]
EVIL = "a\x1b]52;c;SEFDS0VE\x1b\\b\x1b]0;OWNED\x07c\x9b2Jd\u202e\u200fe"
OBEYED = set("\x1b\x07\x9b\x9d\u202e\u200f")
PRINTS = {
    "medassist/core/terminal.py",
    # Into a job's log, which `sagemaker logs` cleans when it shows it.
    "finetune/sagemaker/container/job_process.py",
    "finetune/sagemaker/container/job.py",
}
"""The one place that prints, and what has no terminal."""


def printing(file: Path) -> Iterator[int]:
    """The lines of a file that print by themselves."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"), str(file))):
        match node:
            case ast.Call(func=ast.Name(id="print")):
                yield node.lineno
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Name(id="typer"),
                    attr="echo" | "secho" | "confirm" | "prompt",
                )
            ):
                yield node.lineno
            case ast.Call(func=ast.Attribute(value=where, attr="print")) if (
                "console" in ast.unparse(where).lower()
            ):
                yield node.lineno
            case _:
                pass


def test_every_verb_prints_through_the_one_place_that_cleans() -> None:
    found = [
        f"{name}:{line}"
        for package in ("medassist", "convert", "finetune")
        for file in sorted((ROOT / package).rglob("*.py"))
        if (name := file.relative_to(ROOT).as_posix()) not in PRINTS
        for line in printing(file)
    ]
    assert found == []


@pytest.mark.parametrize(
    "words",
    [
        ("models", "show", EVIL),
        ("models", "check", EVIL),
        ("models", "remove", EVIL),
        ("models", "import", f"/nowhere/{EVIL}.gguf"),
        ("models", "pair", EVIL, "--base", EVIL),
        ("models", EVIL),
        (f"--{EVIL}",),
        ("ask", "--base", f"/nowhere/{EVIL}.gguf", "why?"),
        ("ask", "--mode", EVIL, "why?"),
        ("--debug", "models", "show", EVIL),
        ("convert", "modelfile", f"/nowhere/{EVIL}"),
        ("convert", EVIL),
        ("finetune", EVIL),
        ("finetune", "report", f"/nowhere/{EVIL}"),
    ],
)
def test_a_name_that_is_typed_wrongly_is_quoted_and_not_obeyed(
    environment: dict[str, str], words: tuple[str, ...]
) -> None:
    done = medassist(*words, environment=environment)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode
    assert re.search("a.{0,40}b.{0,40}c.{0,10}d", said)
    assert not set(said) & OBEYED


def test_json_keeps_every_character_and_a_terminal_obeys_none() -> None:
    said = escaped_json(
        json.dumps({EVIL: [f"{EVIL}\U000e0041", "é 発"]}, ensure_ascii=False)
    )
    assert not set(said) & OBEYED
    assert "é 発" in said
    assert json.loads(said) == {EVIL: [f"{EVIL}\U000e0041", "é 発"]}
    assert clean(said) == said
