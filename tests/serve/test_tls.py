"""A server that others reach: by TLS, with named users, by the names it was given."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import httpx
import pytest
import trustme

from medassist.core import guard
from medassist.serve import check, tls
from medassist.serve.check import findings
from medassist.serve.errors import ServeError
from medassist.serve.options import ServeOptions
from medassist.serve.server import read_anew, secured, serving, who
from medassist.settings import Settings
from tests.program import medassist_said
from tests.serve.serving import PAIR, chat_body, served


def made(folder: Path, *names: str) -> tls.MadeCertificate:
    return tls.make_certificate(folder, names or ("127.0.0.1", "ward.local"))


def options_with(folder: Path, *names: str) -> ServeOptions:
    files = made(folder, *names)
    return ServeOptions(choice=PAIR, tls_cert=files.certificate, tls_key=files.key)


async def test_a_client_that_trusts_the_authority_is_answered(tmp_path: Path) -> None:
    options = options_with(tmp_path / "tls")
    trust = ssl.create_default_context(cafile=tmp_path / "tls" / "ca.pem")
    async with served(options=options) as server:
        assert server.url.startswith("https://127.0.0.1:")
        async with server.http(verify=trust) as client:
            path = "/v1/chat/completions"
            assert (await client.post(path, json=chat_body())).status_code == 200
            named = {"Host": f"ward.local:{server.port}"}
            assert (await client.get("/health", headers=named)).status_code == 200
            other = {"Host": f"other.local:{server.port}"}
            assert (await client.get("/health", headers=other)).status_code == 403
            plain = {"Origin": server.url.replace("https", "http")}
            assert (await client.get("/health", headers=plain)).status_code == 403
        with pytest.raises(httpx.ConnectError):
            async with server.http() as client:  # who does not know the authority
                await client.get("/health")
        with pytest.raises(httpx.HTTPError):
            await httpx.AsyncClient().get(f"http://127.0.0.1:{server.port}/health")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_an_old_tls_is_not_spoken(tmp_path: Path) -> None:
    options = options_with(tmp_path / "tls")
    old = ssl.create_default_context(cafile=tmp_path / "tls" / "ca.pem")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    async with served(options=options) as server:
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", server.port, ssl=old)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=old)
        writer.close()


async def test_a_new_certificate_is_read_without_an_end(tmp_path: Path) -> None:
    options = options_with(tmp_path / "one")
    second = made(tmp_path / "two")
    trust = ssl.create_default_context(cafile=second.ca)
    async with served(options=options) as server:
        assert options.tls_cert is not None
        assert options.tls_key is not None
        options.tls_cert.write_bytes(second.certificate.read_bytes())
        options.tls_key.write_bytes(b"no key")
        read_anew(server.running, options)  # it is told, and the old one stays
        options.tls_key.write_bytes(second.key.read_bytes())
        read_anew(server.running, options)
        async with server.http(verify=trust) as client:
            assert (await client.get("/health")).status_code == 200


def test_others_are_served_by_tls_alone_and_only_if_they_are_named(
    tmp_path: Path,
) -> None:
    with pytest.raises(ServeError, match="by TLS alone"):
        secured(ServeOptions(listen="192.0.2.1"))
    options = replace(options_with(tmp_path / "tls"), listen="192.0.2.1")
    with pytest.raises(ServeError, match="Nobody is named"):
        who(options)
    with pytest.raises(ServeError, match="by TLS alone"):
        secured(replace(options, tls_key=None))


async def test_an_address_that_is_not_ours_is_told(tmp_path: Path) -> None:
    from medassist.serve import users

    users.add(users.default_file(), "anna")
    options = replace(options_with(tmp_path / "tls"), listen="192.0.2.1", port=0)
    with pytest.raises(ServeError, match="no address of this computer"):
        async with serving(options, Settings()):
            raise AssertionError


def test_the_guard_lets_the_one_named_address_be_listened_on() -> None:
    with socket.socket() as one, socket.socket() as two:
        with guard.listening("0.0.0.0"):
            one.bind(("0.0.0.0", 0))
            with (
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
                pytest.raises(guard.NetworkRefused),
            ):
                datagrams.bind(("0.0.0.0", 0))
            with pytest.raises(guard.NetworkRefused):
                two.connect(("192.0.2.1", 80))
        with pytest.raises(guard.NetworkRefused):
            two.bind(("0.0.0.0", 0))


def test_a_certificate_that_cannot_serve_is_told(tmp_path: Path) -> None:
    one, two = made(tmp_path / "one"), made(tmp_path / "two")
    options = ServeOptions(tls_cert=one.certificate, tls_key=two.key)
    with pytest.raises(ServeError, match="is not the key of"):
        secured(options)
    one.key.chmod(0o644)
    with pytest.raises(ServeError, match="chmod 600"):
        secured(replace(options, tls_key=one.key))
    with pytest.raises(ServeError, match="no certificate in the form PEM"):
        secured(replace(options, tls_cert=two.key))
    with pytest.raises(ServeError, match="No such file"):
        secured(replace(options, tls_cert=tmp_path / "none.pem"))
    old = trustme.CA().issue_cert(
        "ward.local", not_after=datetime(2020, 1, 1, tzinfo=UTC)
    )
    old.cert_chain_pems[0].write_to_path(tmp_path / "old.pem")
    with pytest.raises(ServeError, match="it ended on 2020-01-01"):
        secured(replace(options, tls_cert=tmp_path / "old.pem"))


def test_what_is_made_is_for_its_names_and_written_over_nothing(tmp_path: Path) -> None:
    files = made(tmp_path / "tls", "ward.local", "10.0.0.5", "fe80::1")
    read = tls.read_certificate(files.certificate)
    assert read.names == ("ward.local", "10.0.0.5", "fe80::1")
    assert files.key.stat().st_mode & 0o777 == 0o600
    assert sorted(f.name for f in (tmp_path / "tls").iterdir()) == [
        *("ca.pem", "server.key", "server.pem")
    ]
    with pytest.raises(ServeError, match="there already"):
        made(tmp_path / "tls")
    for name in ("", "a b", "-x.local", "ward_1", "*.local", "a" * 70):
        with pytest.raises(ServeError, match="no name of a host"):
            made(tmp_path / "bad", name)


def test_the_check_says_what_is_wrong_before_a_port_is_opened(tmp_path: Path) -> None:
    good = replace(options_with(tmp_path / "tls"), port=0)
    found = findings(replace(good, choice=ServeOptions().choice))
    assert all(finding.ok for finding in found), found
    assert any("until" in finding.text for finding in found)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        wrong = findings(ServeOptions(choice=PAIR, port=port, listen=""))
    said = [finding.text for finding in wrong if not finding.ok]
    assert len(said) == 2
    assert "base.gguf" in said[0]
    assert f"Port {port} of 127.0.0.1 is taken" in said[1]


@pytest.mark.parametrize(
    ("days", "ok", "said"), [(5, True, "it ends in 4 days"), (-1, False, "it ended on")]
)
def test_a_certificate_that_ends_soon_is_told_and_holds_no_server_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, ok: bool, said: str
) -> None:
    if days > 0:
        monkeypatch.setattr(tls, "SERVER_DAYS", days)
        options = options_with(tmp_path / "tls")
    else:
        options = options_with(tmp_path / "tls")
        assert options.tls_cert is not None
        read = tls.read_certificate(options.tls_cert)
        over = replace(read, until=datetime.now(UTC) - timedelta(days=1))
        monkeypatch.setattr(check, "read_certificate", lambda _file: over)
    found = findings(replace(options, port=0, choice=ServeOptions().choice))
    [about] = [finding for finding in found if said in finding.text]
    assert about.ok is ok


def test_the_verb_checks_and_makes_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verb(*words: str) -> CompletedProcess[str]:
        return medassist_said("serve", *words)

    monkeypatch.chdir(tmp_path)

    done = verb("certificate", "ward.local", "--out", "tls")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "--tls-cert tls/server.pem --tls-key tls/server.key"
    assert "goes to the computers that are to trust" in done.stderr
    checked = verb("--check", "--port", "0", *done.stdout.split())
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "ok: TLS for ward.local" in checked.stdout
    wrong = verb("--check", "--port", "0", "--listen", "0.0.0.0")
    assert wrong.returncode == 1
    assert "WRONG: Others reach a server by TLS alone" in wrong.stdout
    refused = verb("--port", "0", "--listen", "0.0.0.0")
    assert refused.returncode == 2
    assert "Nobody is named" in refused.stderr
