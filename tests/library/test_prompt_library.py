from __future__ import annotations

from pathlib import Path

import pytest

from medassist.library.errors import LibraryError
from medassist.library.prompt_library import (
    MAX_BYTES,
    keep_prompt,
    load_prompts,
    own_copy,
    prompts_dir,
)

SHIPPED = {
    "differential",
    "discharge-summary",
    "medication-review",
    "patient-explanation",
    "referral",
    "soap-note",
}


def test_six_prompts_are_shipped_each_with_places_to_fill_in(home: Path) -> None:
    found = load_prompts()
    assert {p.name for p in found.prompts} == SHIPPED
    assert found.problems == ()
    for prompt in found.prompts:
        assert len(prompt.places) >= 4
        assert not prompt.text.startswith("#")
        assert not prompt.is_own


def test_an_own_prompt_takes_the_place_of_a_shipped_one(home: Path) -> None:
    soap = next(p for p in load_prompts().prompts if p.name == "soap-note")
    own = own_copy(soap)
    assert (own.text, own.title) == (soap.text, soap.title)
    own.file.write_text("# My note\n\nAbout [[whom]]?\n")
    found = {p.name: p for p in load_prompts().prompts}
    assert found["soap-note"].title == "My note"
    assert found["soap-note"].places == ("whom",)
    assert soap.file.read_text().startswith("# SOAP note")
    own.file.unlink()
    assert "SOAP note" in {p.title for p in load_prompts().prompts}


def test_a_file_that_the_user_adds_is_one_more(home: Path) -> None:
    keep_prompt("ward-round-short", "Ward round, short", "Sum up [[what]].")
    added = [p for p in load_prompts().prompts if p.is_own]
    assert [(p.name, p.title) for p in added] == [
        ("ward-round-short", "Ward round, short")
    ]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"# x\n", b"a" * (MAX_BYTES + 1)])
def test_a_file_that_is_no_prompt_is_told_and_the_others_stay(
    home: Path, content: bytes
) -> None:
    keep_prompt("mine", "Mine", "text")
    (prompts_dir() / "broken.md").write_bytes(content)
    found = load_prompts()
    assert len(found.prompts) == 7
    assert "broken.md" in found.problems[0]


def test_escape_sequences_of_a_file_reach_nobody(home: Path) -> None:
    keep_prompt("mine", "Mine", "text")
    (prompts_dir() / "mine.md").write_text("# M\x1b]0;x\x07y\n\nText\x1b[31m.")
    mine = next(p for p in load_prompts().prompts if p.is_own)
    assert "\x1b" not in mine.title + mine.text


@pytest.mark.parametrize("name", ["../x", "a/b", "", "X", ".hidden"])
def test_a_name_that_is_no_file_is_refused(home: Path, name: str) -> None:
    with pytest.raises(LibraryError, match="name"):
        keep_prompt(name, "T", "text")
