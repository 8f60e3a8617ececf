from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from medassist.core.quiet import TELLING


def test_what_textual_reads_is_gone_before_textual_is_imported() -> None:
    script = (
        "import medassist, os\n"
        "from textual import constants\n"
        "from medassist.core.quiet import TELLING, taken_away\n"
        "print(constants.LOG_FILE, constants.SCREENSHOT_DELAY, constants.DEBUG)\n"
        "print(*taken_away())\n"
        "print(*(name for name in TELLING if name in os.environ))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **dict.fromkeys(TELLING, "1")},
        capture_output=True,
        text=True,
        check=True,
    )
    textual, taken, left = done.stdout.splitlines()
    assert textual == "None -1 False"
    assert taken.split() == list(TELLING)
    assert left == ""


@pytest.mark.parametrize("package", ["medassist", "convert", "finetune"])
def test_the_first_import_of_each_package_takes_them_away(package: str) -> None:
    script = f"import {package}, os; print('TEXTUAL_LOG' in os.environ)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "TEXTUAL_LOG": "x"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_other_variables_stay(tmp_path: Path) -> None:
    script = "import medassist, os; print(os.environ['TEXTUAL_THEME'])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "TEXTUAL_THEME": "nord"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "nord"
