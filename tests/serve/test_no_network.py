"""What the server and its child ask of the network: loopback and nothing else."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.e2e.traced import beyond_loopback, can_trace, outward, traced
from tests.serve.serving import PATIENCE_S, chat_body, said
from tests.serve.test_program import pair_of, program
from tests.tiny_models import TinyPair

pytestmark = pytest.mark.skipif(not can_trace(), reason="strace is not installed")


def test_a_server_is_heard_on_loopback_and_calls_nobody(
    tiny: TinyPair, home: Path, tmp_path: Path
) -> None:
    log, told = tmp_path / "calls", tmp_path / "told"
    with program(home, *pair_of(tiny), told=told, before=traced(log)) as (
        process,
        address,
    ):
        url, _, token = address.partition("#")
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=url, headers=headers, timeout=PATIENCE_S) as client:
            while client.get("/health").status_code != 200:
                pass
            body = chat_body(max_tokens=4, stream=True)
            assert "[DONE]" in client.post("/v1/chat/completions", json=body).text
            asked = {"messages": said(), "sampling": {"max_tokens": 4}}
            assert "event: done" in client.post("/v1/compare", json=asked).text
            for path in ("/", "/metrics", "/v1/models"):
                assert client.get(path).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert outward(log)  # so it was traced
    assert beyond_loopback(log) == []


REACHING = {
    "a connection on loopback": "socket.socket().connect_ex(('127.0.0.1', 9))",
    "a connection elsewhere": "socket.socket().connect_ex(('192.0.2.1', 9))",
    "a datagram": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('::1', 9))",
    "every interface": "socket.socket().bind(('', 0))",
    "every interface of IPv6": "socket.socket(socket.AF_INET6).bind(('::', 0))",
    "a list of the interfaces": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "another program's socket": "socket.socket(socket.AF_UNIX).connect_ex('/tmp/none')",
}


@pytest.mark.parametrize("way", REACHING)
def test_the_trace_sees_what_is_more_than_being_heard_on_loopback(
    way: str, tmp_path: Path
) -> None:
    log = tmp_path / "calls"
    reach = f"import socket\ntry:\n {REACHING[way]}\nexcept OSError: pass"
    # -I -S: nothing but this is looked at, and the start is short.
    subprocess.run([*traced(log), sys.executable, "-ISc", reach], check=True)
    assert beyond_loopback(log) != [], log.read_text()
