"""Names of files are shown by a real terminal, and not obeyed."""

from __future__ import annotations

import base64
from pathlib import Path

from tests.e2e.conftest import StartTerminal

COPIED = base64.b64encode(b"written by a name").decode()
EVIL = f"alpha\x1b]52;c;{COPIED}\x1b\\beta\x1b]2;RENAMED\x1b\\gamma"


def test_a_file_of_a_prompt_writes_neither_the_clipboard_nor_the_title(
    consult: StartTerminal, home: Path
) -> None:
    folder = home / "config" / "prompts"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{EVIL}.md").write_text("What is asthma?")
    shown = consult()
    shown.take_the_clipboard()
    shown.until_ready()
    shown.press("M-y")
    shown.until(lambda screen: "alphabetagamma" in screen)
    shown.until(lambda screen: "(yours)" in screen)
    assert "written by a name" not in shown.clipboard
    assert "RENAMED" not in shown.everything
