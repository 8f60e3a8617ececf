"""Why pip failed, read from what it wrote."""

from __future__ import annotations

import re

LOST = re.compile(r"connection broken by '\w+\((.*)\)': ")
# Before the reason stand the objects that it happened to: `<...object at 0x7f>: `.
OBJECTS = re.compile(r"^.*(?:>|\)): ")
# Looks like an error, and only says where to read about the one before it.
ADVICE = re.compile(r"ERROR: ResolutionImpossible: for help visit")


def lost_connection(said: str) -> str | None:
    """Why pip could not reach an index; None if it could, or did not say."""
    found = LOST.findall(said)
    if not found:
        return None
    return OBJECTS.sub("", str(found[-1]).strip("\"'"), count=1)


def last_error(said: str) -> str:
    """The last of the errors, without the advice that may follow it."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    wrong = [
        line for line in lines if line.startswith("ERROR: ") and not ADVICE.match(line)
    ]
    last = (wrong or lines or ["pip said nothing"])[-1]
    return last.removeprefix("ERROR: ").rstrip(".")


def why(said: str, code: int) -> str:
    """The last error in words, with the connection that was lost before it.

    "No matching distribution found for torch==2.13.0 (exit code 1; Failed to resolve
    'download.pytorch.org' ([Errno -2] Name or service not known))"
    """
    lost = lost_connection(said)
    return f"{last_error(said)} (exit code {code}{f'; {lost}' if lost else ''})"
