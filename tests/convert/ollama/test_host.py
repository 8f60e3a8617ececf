"""Where an Ollama listens: what users write, and what the guard lets through."""

from __future__ import annotations

import socket

import pytest

from convert.errors import ConvertError
from convert.ollama.host import Host, reachable, read_host
from medassist.core.guard import NetworkRefused


@pytest.mark.parametrize(
    ("told", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("box", "http://box:11434"),
        ("box:1", "http://box:1"),
        ("http://box", "http://box:80"),
        ("https://box/", "https://box:443"),
        ("[::1]:5", "http://[::1]:5"),
    ],
)
def test_an_address_is_read_as_ollama_reads_it(monkeypatch, told, url):
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    assert read_host(told).url == url
    monkeypatch.setenv("OLLAMA_HOST", told)
    assert read_host(None).url == url


@pytest.mark.parametrize("told", ["ftp://box", "box:port", "http://a/b", "http://u@a"])
def test_what_is_no_address_is_refused(told):
    with pytest.raises(ConvertError, match="no address"):
        read_host(told)


def test_a_host_that_was_named_is_reached_and_nothing_else_is():
    # Not this computer's plain name, so that the guard refuses it; it is all the same.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(NetworkRefused):
            socket.create_connection(("0.0.0.0", port), 5)
        with reachable(Host("http", "0.0.0.0", port)):
            socket.create_connection(("0.0.0.0", port), 5).close()
            with pytest.raises(NetworkRefused):
                socket.create_connection(("0.0.0.0", port + 1), 5)
            with pytest.raises(NetworkRefused):
                socket.create_connection(("192.0.2.1", port), 5)
        with pytest.raises(NetworkRefused):
            socket.create_connection(("0.0.0.0", port), 5)


def test_a_host_that_nobody_knows_is_told():
    with (
        pytest.raises(ConvertError, match="cannot be looked up"),
        reachable(Host("http", "nowhere.invalid", 1)),
    ):
        pass
