"""The one way out: straight or by the user's proxy, to the named hosts alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from medassist.core import guard
from medassist.core.errors import NetworkError, UnnamedHost
from medassist.core.network import connected
from medassist.core.way_out import WayOut
from tests.finetune.data.fetch.server import FakeService, serving
from tests.forwarding_proxy import ForwardingProxy, Hospital, forwarding, hospital

PASSWORD = "geheim%3A1"


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Hospital]:
    with hospital(tmp_path) as found:
        yield found


@pytest.fixture
def service(network: Hospital) -> Iterator[FakeService]:
    """A server that is known as data.example to the proxy alone."""
    with serving(FakeService(files={"/a": b"whole"}), network.tls) as found:
        network.proxy.stands_for("data.example", found.url)
        yield found


def way(network: Hospital, ca_file: Path | None = None) -> WayOut:
    return WayOut(network.proxy.url, str(ca_file or network.ca_file))


def test_a_request_goes_through_the_proxy_and_its_authority_is_trusted(
    network: Hospital, service: FakeService
) -> None:
    with connected(["data.example"], way(network)) as client:
        assert client.get("https://data.example/a").content == b"whole"
    assert network.proxy.asked == ["CONNECT data.example:443"]
    assert guard._opened == set()


def test_a_proxy_gets_the_name_and_the_password_of_its_address(
    tmp_path: Path,
) -> None:
    with (
        hospital(tmp_path, login="me:p@ss/1") as network,
        serving(FakeService(files={"/a": b"whole"}), network.tls) as service,
    ):
        network.proxy.stands_for("data.example", service.url)
        address = f"http://me:p%40ss%2F1@127.0.0.1:{network.proxy.port}"
        by_it = WayOut(address, str(network.ca_file))
        with connected(["data.example"], by_it) as client:
            assert client.get("https://data.example/a").content == b"whole"


def test_a_proxy_that_wants_a_password_says_so_and_none_is_shown(
    tmp_path: Path,
) -> None:
    with hospital(tmp_path, login="me:right") as network:
        address = f"http://me:{PASSWORD}@127.0.0.1:{network.proxy.port}"
        with (
            connected(["data.example"], WayOut(address)) as client,
            pytest.raises(NetworkError, match="wants a name and a password") as caught,
        ):
            client.get("https://data.example/a")
    assert PASSWORD not in str(caught.value)
    assert "geheim" not in repr(WayOut(address))


def test_a_host_that_the_proxy_does_not_allow_is_named(network: Hospital) -> None:
    with (
        connected(["data.example"], way(network)) as client,
        pytest.raises(NetworkError, match=r"through to data\.example \(403"),
    ):
        client.get("https://data.example/a")


def test_a_proxy_that_does_not_answer_is_named() -> None:
    with forwarding(ForwardingProxy()) as gone:
        url = gone.url
    with (
        connected(["data.example"], WayOut(url)) as client,
        pytest.raises(NetworkError, match=rf"the proxy {url} does not answer"),
    ):
        client.get("https://data.example/a")


def test_a_proxy_that_nobody_knows_is_said() -> None:
    with (
        connected(["data.example"], WayOut("http://me:x@nowhere.invalid:1")) as client,
        pytest.raises(NetworkError, match=r"the proxy nowhere\.invalid cannot be look"),
    ):
        client.get("https://data.example/a")


def test_a_wrong_authority_is_a_sentence_that_says_what_to_do(
    network: Hospital, service: FakeService
) -> None:
    for wrong in (way(network, network.other_ca_file), WayOut(network.proxy.url)):
        with (
            connected(["data.example"], wrong) as client,
            pytest.raises(NetworkError, match=r"not trusted .*ca_file in \[network\]"),
        ):
            client.get("https://data.example/a")
    assert service.asked == []


@pytest.mark.parametrize("content", [None, "this is a letter"])
def test_a_file_of_certificates_that_cannot_be_used_is_named(
    tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with (
        pytest.raises(NetworkError, match=r"ca\.pem.*cannot be used"),
        connected(["data.example"], WayOut(ca_file=str(file))),
    ):
        pass


def test_with_a_proxy_the_guard_lets_the_proxy_through_and_nothing_else() -> None:
    # Not this computer's plain name, so that the guard refuses it; it is all the same.
    with forwarding(ForwardingProxy()) as proxy:
        with pytest.raises(guard.NetworkRefused):
            socket.create_connection(("0.0.0.0", proxy.port), 5)
        address = f"http://0.0.0.0:{proxy.port}"
        with connected(["192.0.2.1"], WayOut(address)) as client:
            with pytest.raises(NetworkError, match="403"):
                client.get("https://192.0.2.1/a")
            assert proxy.asked == ["CONNECT 192.0.2.1:443"]
            assert guard._opened == {("0.0.0.0", proxy.port)}
            for other in (("192.0.2.1", 443), ("0.0.0.0", proxy.port + 1)):
                with pytest.raises(guard.NetworkRefused):
                    socket.create_connection(other, 1)
        with pytest.raises(guard.NetworkRefused):
            socket.create_connection(("0.0.0.0", proxy.port), 5)


def test_a_host_that_was_not_named_is_not_asked_for_by_a_proxy_either(
    network: Hospital, service: FakeService
) -> None:
    service.redirects["/a"] = "https://elsewhere.example/a"
    with (
        connected(["data.example"], way(network)) as client,
        pytest.raises(UnnamedHost, match=r"elsewhere\.example"),
    ):
        client.get("https://data.example/a")
    assert network.proxy.asked == ["CONNECT data.example:443"]


def test_this_computer_is_never_asked_for_by_a_proxy(network: Hospital) -> None:
    with (
        serving(FakeService(files={"/a": b"here"})) as here,
        connected(["127.0.0.1"], way(network)) as client,
    ):
        assert client.get(f"{here.url}/a").content == b"here"
    assert network.proxy.asked == []


def test_a_proxy_of_the_environment_is_none_that_the_user_named(
    network: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, network.proxy.url)
        monkeypatch.setenv(name.lower(), network.proxy.url)
    with connected(["nowhere.invalid"]) as client, pytest.raises(NetworkError):
        client.get("https://nowhere.invalid/a")
    assert network.proxy.asked == []


def test_without_tls_other_computers_are_asked_only_where_that_was_said(
    network: Hospital,
) -> None:
    with serving(FakeService(files={"/a": b"plain"})) as service:
        network.proxy.stands_for("box.example:80", service.url)
        with (
            connected(["box.example"], way(network)) as client,
            pytest.raises(NetworkError, match="not encrypted"),
        ):
            client.get("http://box.example/a")
        assert network.proxy.asked == []
        with connected(["box.example"], way(network), in_clear=True) as client:
            assert client.get("http://box.example/a").content == b"plain"
    assert network.proxy.asked == ["GET http://box.example/a"]


def test_a_pattern_stands_for_sub_domains_and_a_name_for_itself() -> None:
    with connected(["*.hf.co", "*"]) as client:
        for refused in ("https://hf.co/", "https://evilhf.co/", "https://a.b/"):
            with pytest.raises(UnnamedHost):
                client.get(refused)


@pytest.mark.parametrize(
    "address",
    [
        *("proxy.example:3128", "socks5://me:{}@box:1", "http://", "ftp://me:{}@box"),
        *("http://me:{}/x@box:1", "http://me:{}@box:1/path", "me:{}@box:3128"),
        *(" http://me:{}@box:1", "http://me:{}@box\n:1", "http://me@x:{}@box:1"),
        *("http://me:{}@box:port", "http://me:{}@box:1?x=1", "http://me:{}@box:1#x"),
    ],
)
def test_what_is_no_address_of_a_proxy_is_refused_without_its_password(
    address: str,
) -> None:
    with pytest.raises(ValueError, match="no address of a proxy") as caught:
        WayOut(address.format(PASSWORD))
    assert "geheim" not in str(caught.value)
