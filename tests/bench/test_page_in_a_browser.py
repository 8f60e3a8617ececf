"""The page in a real browser: its policy refuses nothing of it, and all else."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.bench.test_result_page import whole  # noqa: F401  (a fixture)

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is on the PATH")


def shown(html: str, folder: Path) -> tuple[list[str], bytes]:
    """What the browser complains of, and its picture of the page."""
    page, picture = folder / "page.html", folder / "page.png"
    page.write_text(html, "utf-8")
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [
            *(str(BROWSER), "--headless", "--disable-gpu", *as_root),
            *(f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr"),
            # Nor does the browser itself reach anything.
            *("--host-resolver-rules=MAP * ~NOTFOUND", f"--screenshot={picture}"),
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return complaints, picture.read_bytes()


def test_a_browser_draws_the_page_and_refuses_nothing_of_it(whole, tmp_path):  # noqa: F811
    complaints, picture = shown(whole.html, tmp_path)
    assert not complaints
    assert len(picture) > 20_000  # an empty one has 5 kB


def test_a_browser_refuses_a_script_and_what_lies_elsewhere(whole, tmp_path):  # noqa: F811
    evil = '<img src="https://example.org/x.png"><script>document.title = 1</script>'
    complaints, _ = shown(whole.html.replace("</main>", f"{evil}</main>"), tmp_path)
    said = " ".join(complaints)
    assert "example.org" in said and "script" in said
