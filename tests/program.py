"""The command `medassist` in the test's own process: its words, its streams, its end.

A process of its own takes half a second, nearly all of it imports. It is wanted where
the process itself is looked at: its signals, its pipes, what it loads or leaves behind.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from subprocess import CompletedProcess

import pytest

from medassist.cli import main


def medassist(
    *arguments: object,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> CompletedProcess[bytes]:
    """What the command says and ends with.

    Args:
        arguments: of the command line.
        stdin: what comes on standard input.
        environment: all of it; by default that of the test.
    """
    words = ["medassist", *map(str, arguments)]
    streams = {
        name: io.TextIOWrapper(io.BytesIO(given), "utf-8", write_through=True)
        for name, given in (("stdin", stdin), ("stdout", b""), ("stderr", b""))
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - (environment or os.environ).keys():
            patch.delenv(name)
        for name, value in (environment or {}).items():
            patch.setenv(name, value)
        for name, stream in streams.items():
            patch.setattr(sys, name, stream)
        patch.setattr(sys, "argv", words)
        # It would hold for all that this process does afterwards.
        patch.setattr("medassist.engine.confine.forbid_core_dumps", lambda: None)
        with pytest.raises(SystemExit) as ended:
            main()
    out, err = (written(streams[name]) for name in ("stdout", "stderr"))
    return CompletedProcess(words, int(ended.value.code or 0), out, err)


def written(stream: io.TextIOWrapper) -> bytes:
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue()


def medassist_said(
    *arguments: object, environment: Mapping[str, str] | None = None
) -> CompletedProcess[str]:
    """The same, in text."""
    done = medassist(*arguments, environment=environment)
    out, err = done.stdout.decode(), done.stderr.decode()
    return CompletedProcess(done.args, done.returncode, out, err)
