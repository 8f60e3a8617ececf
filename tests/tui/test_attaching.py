"""A file whose text goes into a question, once it has been seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from medassist.tui.consult.attachments import mentioned
from medassist.tui.dialogs.attached import Attached
from medassist.tui.dialogs.one_line import OneLine
from medassist.tui.wording import dialogs as wording
from tests.stubs.engine import FakeEngines
from tests.tui.page import opened

NOTE = "Mrs Johnson, MRN 48151623, takes digoxin."


@pytest.fixture
def note(tmp_path: Path) -> Path:
    file = tmp_path / "my note.txt"
    file.write_text(NOTE)
    return file


async def test_a_file_named_in_a_question_is_shown_before_it_goes_in(
    engines: FakeEngines, note: Path
) -> None:
    async with opened(engines) as page:
        await page.send(f'Any risk? @"{note}"')
        await page.until_on_top(Attached)
        await page.until_seen("2 places may tell who the patient is")
        assert not page.told, "it would cover the first line"
        assert NOTE in page.seen
        assert "41 characters, about 10 tokens of the 4,096" in page.seen
        assert page.turns == []
        await page.press("r")
        await page.until_back()
        text = page.consult.composer.text
        assert text.startswith("Any risk?") and "takes digoxin" in text
        assert "Johnson" not in text and "48151623" not in text and "@" not in text
        await page.press("enter")
        await page.until_answered()
        asked = engines.last.asked[0]["base"].messages[-1].content
        assert "[my note.txt]" in asked and "takes digoxin" in asked


async def test_of_a_file_that_the_rules_cannot_read_it_is_said_that_they_cannot(
    engines: FakeEngines, tmp_path: Path
) -> None:
    file = tmp_path / "list.txt"
    file.write_text(
        "Pacjentka zgłasza od trzech dni gorączkę, kaszel i ból gardła. Proszę o ocenę."
    )
    async with opened(engines) as page:
        await page.send(f"Any risk? @{file}")
        await page.until_on_top(Attached)
        await page.until_seen("miss most in any other language")
        assert "Nothing was found" in page.seen


def test_what_was_found_beyond_the_part_that_is_shown_is_not_said_to_be_marked() -> (
    None
):
    said = wording.marked_identifiers(3, below=2)
    assert "2 of them beyond what is shown" in said and "each" not in said


async def test_a_key_asks_which_file_and_leaving_puts_nothing_in(
    engines: FakeEngines, note: Path
) -> None:
    async with opened(engines) as page:
        composer = page.consult.composer
        for key, expected in (("escape", False), ("k", True)):
            await page.press("alt+a")
            await page.until_on_top(OneLine)
            page.screen.query_one(Input).value = str(note)
            await page.press("enter")
            await page.until_on_top(Attached)
            await page.press(key)
            await page.until_back()
            await page.pause()
            assert (NOTE in composer.text) is expected


async def test_a_file_that_is_not_there_is_told_and_the_question_stays(
    engines: FakeEngines, tmp_path: Path
) -> None:
    async with opened(engines) as page:
        question = f"Any risk? @{tmp_path}/gone.pdf"
        await page.send(question)
        await page.until_told("No such file")
        assert page.consult.composer.text == question and page.turns == []


def test_what_is_no_file_is_no_mention(note: Path) -> None:
    assert mentioned("Is 5@10 or someone@example.org or @home a problem?") is None
    found = mentioned(f'See @"{note}" please')
    assert found and found.file == note
    put_in = "[x.txt]\nsee @other.pdf\n[end of x.txt]\n"
    assert mentioned(put_in) is None
    assert mentioned(f"{put_in} and @other.pdf") is not None
