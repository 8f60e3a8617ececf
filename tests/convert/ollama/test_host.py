"""Where an Ollama listens: what users write, and what the guard lets through."""

from __future__ import annotations

import socket

import pytest

from convert.errors import ConvertError
from convert.ollama.ollama_server import OllamaServer
from medassist.core.errors import NetworkError
from medassist.core.guard import NetworkRefused
from medassist.core.ollama_host import Host, read_host
from medassist.core.way_out import WayOut
from medassist.settings import Settings, save_settings
from tests.convert.ollama.fake_ollama import FakeOllama
from tests.forwarding_proxy import ForwardingProxy, forwarding


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
    with pytest.raises(NetworkError, match="no address"):
        read_host(told)


def test_a_host_that_was_named_is_reached_and_nothing_else_is(fake: FakeOllama):
    # Not this computer's plain name, so that the guard refuses it; it is all the same.
    port = int(fake.host.rpartition(":")[2])
    with pytest.raises(NetworkRefused):
        socket.create_connection(("0.0.0.0", port), 5)
    with OllamaServer(Host("http", "0.0.0.0", port)) as server:
        assert server.version() == fake.state.version
        with pytest.raises(NetworkRefused):
            socket.create_connection(("0.0.0.0", port + 1), 5)
        with pytest.raises(NetworkRefused):
            socket.create_connection(("192.0.2.1", port), 5)
    with pytest.raises(NetworkRefused):
        socket.create_connection(("0.0.0.0", port), 5)


def test_a_host_that_nobody_knows_is_told():
    with (
        OllamaServer(Host("http", "nowhere.invalid", 1)) as server,
        pytest.raises(ConvertError, match=r"cannot be looked up .*--host"),
    ):
        server.version()


def test_no_proxy_of_the_settings_or_the_environment_is_asked_for_an_ollama(
    fake: FakeOllama, tmp_path, monkeypatch
):
    monkeypatch.setenv("MEDASSIST_HOME", str(tmp_path / "home"))
    with forwarding(ForwardingProxy()) as proxy:
        save_settings(Settings(network=WayOut(proxy.url)))
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        with OllamaServer(read_host(fake.host)) as server:
            server.version()
    assert proxy.asked == []
