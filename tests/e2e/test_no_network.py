"""The whole program makes no call to a network, and works where there is none."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import StartTerminal
from tests.e2e.session import (
    NAME,
    ask_and_look_around,
    begin_records,
    export,
    lock_and_search,
    quit,
)
from tests.e2e.traced import can_trace, outward, traced


def may_unshare() -> bool:
    unshare = shutil.which("unshare")
    if unshare is None:
        return False
    return subprocess.run([unshare, "-rn", "true"], check=False).returncode == 0


needs_unshare = pytest.mark.skipif(
    not may_unshare(), reason="unshare -rn is not permitted here"
)
needs_strace = pytest.mark.skipif(not can_trace(), reason="strace is not installed")


@needs_unshare
def test_a_session_goes_its_way_where_there_is_no_network_at_all(
    starts: StartTerminal, tmp_path: Path
) -> None:
    shown = starts(before=["unshare", "-rn"])
    begin_records(shown)
    ask_and_look_around(shown, saved=True)
    export(shown, tmp_path / "visit.md")
    lock_and_search(shown)
    assert "OFFLINE" in shown.screen
    quit(shown)


@needs_strace
def test_no_process_of_a_session_calls_the_network(
    starts: StartTerminal, tmp_path: Path
) -> None:
    log = tmp_path / "calls"
    shown = starts(before=traced(log))
    begin_records(shown)
    ask_and_look_around(shown, saved=True)
    assert NAME in shown.screen
    export(shown, tmp_path / "visit.md")
    lock_and_search(shown)
    quit(shown)
    # Nor does the terminal keep what was on the screen.
    assert NAME not in shown.everything
    assert "asthma" not in shown.everything
    assert "socketpair(AF_UNIX" in log.read_text()  # so it was traced
    assert outward(log) == []


REACHING = {
    "a connection": "socket.socket().connect_ex(('127.0.0.1', 9))",
    "a datagram": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('::1', 9))",
    "a socket that is not used yet": "socket.socket(socket.AF_INET6)",
    "a list of the interfaces": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "another program's socket": "socket.socket(socket.AF_UNIX).connect_ex('/tmp/none')",
    "a socket that listens": "socket.socket(socket.AF_UNIX).bind(os.urandom(8).hex())",
    "another program": """os.system("bash -c 'exec 3<>/dev/tcp/127.0.0.1/9'")""",
}


@needs_strace
@pytest.mark.parametrize("way", REACHING)
def test_the_trace_sees_each_way_out(way: str, tmp_path: Path) -> None:
    log = tmp_path / "calls"
    reach = f"import os, socket\ntry:\n {REACHING[way]}\nexcept OSError: pass"
    command = [*traced(log), sys.executable, "-c", reach]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert outward(log) != [], log.read_text()
