import asyncio
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable

import pytest

from medassist.core import guard
from medassist.core.guard import NetworkRefused, is_local

# Addresses kept for documentation: nobody's.
SOMEWHERE = "192.0.2.1"
SOMEWHERE_6 = "2001:db8::1"


def tcp() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def udp() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


@pytest.mark.parametrize(
    "reach_out",
    [
        lambda: tcp().connect((SOMEWHERE, 443)),
        lambda: tcp().connect_ex((SOMEWHERE, 443)),
        lambda: tcp().connect(("example.org", 443)),
        lambda: tcp().connect(("", 443)),
        lambda: tcp().bind(("", 0)),
        lambda: tcp().bind(("0.0.0.0", 0)),
        lambda: udp().sendto(b"hello", (SOMEWHERE, 53)),
        lambda: udp().sendmsg([b"hello"], [], 0, (SOMEWHERE, 53)),
        lambda: socket.create_connection(("example.org", 80), timeout=1),
        lambda: socket.getaddrinfo("example.org", 443),
        lambda: socket.getaddrinfo(b"example.org", 443),
        lambda: socket.gethostbyname("example.org"),
        lambda: socket.gethostbyname_ex("example.org"),
        lambda: socket.gethostbyaddr(SOMEWHERE),
        lambda: socket.getnameinfo((SOMEWHERE, 443), 0),
        lambda: urllib.request.urlopen("http://example.org/", timeout=1),
    ],
)
def test_whatever_leaves_this_computer_is_refused(
    reach_out: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(OSError) as refused:
        reach_out()
    cause: BaseException | None = refused.value
    while not isinstance(cause, NetworkRefused):
        cause = cause.__context__ or getattr(cause, "reason", None)
        assert cause is not None, "it failed for another reason"
    assert "works offline" in str(cause)


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_ipv6_is_refused_as_well() -> None:
    with (
        socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock,
        pytest.raises(NetworkRefused, match=SOMEWHERE_6),
    ):
        sock.connect((SOMEWHERE_6, 443))


@pytest.mark.skipif(sys.platform != "linux", reason="packet sockets are Linux's")
def test_sockets_of_other_families_are_refused() -> None:
    with pytest.raises(NetworkRefused, match="family"):
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW)  # type: ignore[attr-defined]


async def test_asyncio_talks_to_this_computer() -> None:
    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(await reader.readline())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"hello\n")
            assert await reader.readline() == b"hello\n"
            writer.close()
            await writer.wait_closed()


def test_socket_pairs_and_unix_sockets_work(tmp_path_factory: object) -> None:
    left, right = socket.socketpair()
    with left, right:
        left.sendall(b"hello")
        assert right.recv(5) == b"hello"
        again = socket.socket(fileno=os.dup(left.fileno()))
        again.close()


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("LocalHost", True),
        ("127.0.0.1", True),
        ("127.8.4.2", True),
        (b"127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:192.0.2.1", False),
        ("127.0.0.1.example.org", False),
        ("127.example.org.x", False),
        ("localhost.example.org", False),
        ("127.1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        (None, False),
        (2130706433, False),
    ],
)
def test_only_plain_spellings_of_this_computer_are_local(
    host: object, local: bool
) -> None:
    assert is_local(host) is local


@pytest.mark.parametrize("package", ["medassist", "convert", "finetune"])
def test_the_first_import_of_each_package_sets_the_guard(package: str) -> None:
    program = (
        f"import {package}, socket, os\n"
        "assert os.environ['HF_HUB_OFFLINE'] == '1'\n"
        "try:\n"
        f"    socket.socket().connect(('{SOMEWHERE}', 443))\n"
        "except PermissionError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert SOMEWHERE in done.stdout


def test_a_users_own_setting_of_a_library_stands() -> None:
    program = "import medassist, os; print(os.environ['WANDB_MODE'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "WANDB_MODE": "offline"},
    )
    assert done.stdout == "offline\n"


def test_installing_it_twice_adds_one_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[object] = []
    monkeypatch.setattr(sys, "addaudithook", added.append)
    guard.install()
    assert added == []
