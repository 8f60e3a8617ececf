"""A session with the whole program, as somebody at the keyboard has it."""

from __future__ import annotations

import re
import time
from pathlib import Path

from tests.e2e.terminal import Terminal

NAME = "Zorblattina"
QUESTION = f"What are the symptoms of asthma? It is for {NAME} Quux."
PASSPHRASE = "four words of mine"
NEXT = "And how is it treated?"


def begin_records(shown: Terminal) -> None:
    """Choose a passphrase, so that what follows is saved."""
    shown.press("M-s")
    shown.until(lambda screen: "Choose a passphrase" in screen)
    shown.type(PASSPHRASE)
    shown.until(lambda screen: screen.count("•") == len(PASSPHRASE))
    first = shown.line
    shown.press("Tab")
    # What is typed before the focus has gone there goes into the first field.
    shown.until(lambda _: shown.line != first)
    shown.type(PASSPHRASE)
    shown.press("Enter")
    shown.until(lambda screen: "· encrypted ·" in screen and "Choose a" not in screen)


def ask_and_look_around(shown: Terminal, saved: bool = False) -> None:
    """Two questions to the starter pair, and what the keys beside Enter do."""
    shown.until_ready()
    shown.ask(QUESTION)
    if saved:
        shown.until(lambda screen: "may tell who the patient is" in screen)
        shown.press("k")
    shown.until_answered()
    shown.ask(NEXT)
    shown.until(lambda screen: screen.count(NEXT) == 2)
    shown.until_answered()
    # Answered again with another seed; while an answer is written the key does nothing.
    while not re.search(r"answer (\d) of \1", shown.screen):
        shown.press("F5")
        time.sleep(0.2)
    shown.until_answered()
    shown.press("F9")  # copied, by whatever there is
    shown.until(lambda screen: "Copied" in screen or "Sent" in screen)
    shown.press("F10")
    shown.until(lambda screen: screen.count("as shipped with the program") > 2)
    shown.press("Escape")
    shown.until(lambda screen: "as shipped" not in screen)
    shown.press("F1")
    shown.until(lambda screen: "Goes to a new line" in screen)
    shown.press("Escape")
    shown.until(lambda screen: "Goes to a new line" not in screen)


def lock_and_search(shown: Terminal) -> None:
    """Lock, unlock, and find in the records what was asked."""
    shown.press("C-l")
    shown.until(lambda screen: "Locked" in screen and "OFFLINE" not in screen)
    assert NAME not in shown.everything
    shown.type(PASSPHRASE)
    shown.press("Enter")
    shown.until(lambda screen: "· encrypted ·" in screen)
    shown.press("C-o")
    shown.until(lambda screen: "History" in screen)
    shown.type("asthma")
    shown.until(lambda screen: len(re.findall("asthma", screen)) > 1)
    shown.press("Escape")
    shown.until(lambda screen: "History" not in screen)


def export(shown: Terminal, file: Path) -> None:
    """Write the consultation into `file`, identifiers kept."""
    shown.press("C-s")
    shown.until(lambda screen: "Export this consultation" in screen)
    suggested = shown.line
    shown.press("Enter")  # Markdown; on to the file's name
    shown.until(lambda _: shown.line != suggested)
    shown.press("End", "C-u")
    # What is typed before the key has had its effect would be taken away with the rest.
    shown.until(lambda screen: ".md" not in screen)
    shown.type(str(file))
    shown.until(lambda screen: file.name in screen)
    shown.press("Enter")
    shown.until(lambda screen: "may tell who the patient is" in screen)
    shown.press("k")
    shown.until(lambda screen: "Written" in screen)
    assert NAME in file.read_text("utf-8")


def quit(shown: Terminal) -> None:
    shown.press("C-q", "C-q")
    screen = shown.until_left()
    assert "left with 0" in screen, f"it left otherwise:\n{screen}"
