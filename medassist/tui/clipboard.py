"""Copies text to the clipboard with the platform's programs.

The terminal's own way (OSC 52) fails without a word in many terminals. So the
platform's program comes first, and its exit status says whether the text was copied.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass

TIMEOUT_S = 3.0


@dataclass(frozen=True)
class Program:
    """A program that sets the clipboard from its standard input.

    Attributes:
        command: copies.
        encoding: of the text.
        reads: prints what the clipboard holds; empty: nothing here can.
        clears: empties the clipboard; empty: `command` does, given nothing.
    """

    command: tuple[str, ...]
    encoding: str = "utf-8"
    reads: tuple[str, ...] = ()
    clears: tuple[str, ...] = ()


def programs(environment: Mapping[str, str], platform: str) -> list[Program]:
    """Clipboard programs to try here, the best first.

    In a session over SSH the clipboard of the far computer is of no use to the user:
    there only a display that was forwarded counts.
    """
    far = "SSH_CONNECTION" in environment or "SSH_TTY" in environment
    found: list[Program] = []
    if platform == "darwin" and not far:
        found.append(Program(("pbcopy",), reads=("pbpaste",)))
    if platform == "win32" and not far:
        found.append(Program(("clip.exe",), "utf-16"))
    if environment.get("WAYLAND_DISPLAY") and not far:
        found.append(
            Program(
                ("wl-copy", "--type", "text/plain;charset=utf-8"),
                reads=("wl-paste", "--no-newline"),
                clears=("wl-copy", "--clear"),
            )
        )
    if environment.get("DISPLAY"):
        found.append(
            Program(
                ("xclip", "-selection", "clipboard", "-in"),
                reads=("xclip", "-selection", "clipboard", "-out"),
            )
        )
        found.append(
            Program(
                ("xsel", "--clipboard", "--input"),
                reads=("xsel", "--clipboard", "--output"),
                clears=("xsel", "--clipboard", "--clear"),
            )
        )
    if "WSL_DISTRO_NAME" in environment and not far:
        found.append(Program(("clip.exe",), "utf-16"))
    return found


async def copy_by_program(text: str) -> bool:
    """Copy `text` with the first program that works; whether one did."""
    for program in programs(os.environ, sys.platform):
        path = shutil.which(program.command[0])
        if path and await _run((path, *program.command[1:]), text, program.encoding):
            return True
    return False


async def read_by_program() -> str | None:
    """Text on the clipboard; `None` if no program can read it."""
    for program in programs(os.environ, sys.platform):
        path = shutil.which(program.reads[0]) if program.reads else None
        if path and shutil.which(program.command[0]):
            held = await _output((path, *program.reads[1:]))
            if held is not None:
                return held.decode(program.encoding, "replace")
    return None


async def clear_by_program() -> bool:
    """Empty the clipboard; whether a program did."""
    for program in programs(os.environ, sys.platform):
        command = program.clears or program.command
        path = shutil.which(command[0])
        if path and await _run((path, *command[1:]), "", program.encoding):
            return True
    return False


async def _output(command: tuple[str, ...]) -> bytes | None:
    nowhere = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=nowhere, stdout=asyncio.subprocess.PIPE, stderr=nowhere
        )
    except OSError:
        return None
    try:
        found, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    return found if process.returncode == 0 else None


async def _run(command: tuple[str, ...], text: str, encoding: str) -> bool:
    # Output goes nowhere: xclip and wl-copy leave a process behind that serves the
    # clipboard, and it would hold a pipe open.
    nowhere = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=nowhere, stderr=nowhere
        )
    except OSError:
        return False
    try:
        await asyncio.wait_for(process.communicate(text.encode(encoding)), TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        return False
    except (BrokenPipeError, ConnectionResetError):
        await process.wait()
        return False
    return process.returncode == 0
