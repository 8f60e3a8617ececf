"""Who opens records, how long they stay open, and who does not get in."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path
from typing import Any

import pytest

from medassist.records.errors import RecordsError
from medassist.records.records_folder import ASIDE, DATABASE, KEY_FILE
from medassist.records.vault import Vault
from medassist.serve import users
from medassist.serve.check import findings
from medassist.serve.errors import ServeError
from medassist.serve.records.vaults import (
    GUESS_AGAIN_S,
    GUESSES,
    IDLE_S,
    default_root,
)
from medassist.serve.server import read_anew
from tests.serve.records.keeping import (
    KEEPS,
    OTHER,
    PASSPHRASE,
    Keeper,
    files,
    held,
    keeping,
    turn,
    vaults,
)
from tests.serve.serving import Served, served

CONTENT = [
    ("DELETE", "", None),
    ("POST", "/search", {}),
    ("POST", "/consultations", {"consultation": held(turn("One?"))}),
    ("GET", "/consultations/1", None),
    ("DELETE", "/consultations/1", None),
]
"""Routes that read or write what is kept."""
ROUTES = [
    *CONTENT,
    ("GET", "", None),
    ("POST", "", {"passphrase": PASSPHRASE}),
    ("POST", "/unlock", {"passphrase": PASSPHRASE}),
    ("POST", "/lock", {}),
    ("POST", "/passphrase", {"old": PASSPHRASE, "new": OTHER}),
]


class Clock:
    """A clock that a test moves on."""

    def __init__(self, server: Served) -> None:
        self.at = 1000.0
        vaults(server).now = lambda: self.at

    def passes(self, seconds: float) -> None:
        self.at += seconds


def key_is_held(user: str = "you") -> bool:
    """Whether a database of this user, and with it the key, is open in this process."""
    opened = Path("/proc/self/fd")
    if not opened.is_dir():
        pytest.skip("this system does not tell what a process has open")
    database = str(default_root() / user / DATABASE)
    return any(str(link.resolve()).startswith(database) for link in opened.iterdir())


async def is_locked(keeper: Keeper) -> bool:
    said = [(await keeper.ask(*route))[0] for route in CONTENT]
    assert len(set(said)) == 1, said
    return said[0] == 423


async def test_every_route_is_known_here_and_wants_a_token_from_this_server() -> None:
    async with keeping() as (server, (anna,)), server.http(headers={}) as nobody:
        for method, path, body in ROUTES:
            address = f"/v1/records{path}"
            answer = await nobody.request(method, address, json=body)
            assert answer.status_code == 401, (method, path)
            for headers in (
                {"Host": "evil.example"},
                {"Origin": "http://evil.example"},
            ):
                answer = await anna.client.request(
                    method, address, json=body, headers=headers
                )
                assert answer.status_code == 403, (method, path)
            answer = await anna.client.request(method, address, json=body)
            assert answer.status_code not in (404, 405), (method, path)
            assert "access-control-allow-origin" not in answer.headers
            if body:
                plain = {"Content-Type": "text/plain"}
                answer = await anna.client.request(
                    method, address, content=str(body), headers=plain
                )
                assert answer.status_code == 415, (method, path)


async def test_a_server_that_was_not_asked_to_keeps_no_records() -> None:
    async with served() as server, server.http() as client:
        assert (await client.get("/v1/page/setup")).json()["records"] is None
        for method, path, body in ROUTES:
            answer = await client.request(method, f"/v1/records{path}", json=body)
            assert answer.status_code == 404
        assert server.running.vaults is None
    assert not default_root().exists()


async def test_nothing_is_kept_before_a_passphrase_was_chosen() -> None:
    async with keeping() as (_, (anna,)):
        assert await anna.does("GET") == {"state": "none"}
        assert await is_locked(anna)
        status, found = await anna.ask("POST", "", {"passphrase": "short"})
        assert status == 400
        assert "at least 8" in found["error"]["message"]
        assert files() == []
        await anna.begins()
        assert await anna.does("GET") == {"state": "open"}
        status, _ = await anna.ask("POST", "", {"passphrase": OTHER})
        assert status == 409


async def test_a_token_alone_opens_nothing_while_they_are_unlocked() -> None:
    async with keeping() as (_, (anna,)):
        await anna.begins()
        await anna.keeps(held(turn("One?")))
        for opening in ("", "x", anna.opening + "x"):
            assert await is_locked(Keeper(anna.client, opening))
        assert await anna.finds() == ["One?"]
        setup = (await anna.client.get("/v1/page/setup")).json()
        assert setup["records"] == "locked"


async def test_one_user_reads_nothing_of_another() -> None:
    async with keeping("anna", "ben") as (_, (anna, ben)):
        await anna.begins()
        await anna.keeps(held(turn("One of Anna's?")))
        assert await ben.does("GET") == {"state": "none"}
        assert await is_locked(Keeper(ben.client, anna.opening))
        assert (await ben.unlocks())[0] == 409  # there is nothing to unlock
        await ben.begins(OTHER)
        assert await ben.finds() == []
        assert (await ben.ask("GET", "/consultations/1"))[0] == 404
        await ben.does("DELETE")
        assert await anna.finds() == ["One of Anna's?"]


async def test_the_key_is_gone_after_ten_idle_minutes() -> None:
    async with keeping() as (server, (anna,)):
        clock = Clock(server)
        await anna.begins()
        await anna.keeps(held(turn("One?")))
        clock.passes(IDLE_S - 1)
        await vaults(server).look()
        assert key_is_held()
        await anna.does("GET")  # somebody is there
        clock.passes(IDLE_S - 1)
        await anna.keeps(held(turn("Two?")))  # an answer that is over is nobody
        await vaults(server).look()
        assert key_is_held()
        clock.passes(1)
        assert await is_locked(anna)  # before anything has looked
        await vaults(server).look()
        gc.collect()
        assert not key_is_held()
        assert await anna.does("GET") == {"state": "locked"}
        assert (await anna.unlocks())[0] == 200
        assert await anna.finds() == ["Two?", "One?"]


async def test_the_key_is_gone_with_the_last_page_that_is_locked() -> None:
    async with keeping() as (_, (anna,)):
        await anna.begins()
        other = Keeper(anna.client)
        assert (await other.unlocks("wrong passphrase"))[0] == 403
        assert (await other.unlocks())[0] == 200
        assert other.opening != anna.opening
        await anna.does("POST", "/lock", {})
        assert await is_locked(anna)
        assert await other.finds() == []
        assert key_is_held()
        await other.does("POST", "/lock", {})
        assert not key_is_held()
        # Without an opening, all that a token may do is lock all of them.
        await anna.unlocks()
        await Keeper(anna.client).does("POST", "/lock", {})
        assert await is_locked(anna)
        assert not key_is_held()


async def test_who_is_revoked_is_locked_out_of_the_memory_too() -> None:
    async with keeping("anna", "ben") as (server, (anna, ben)):
        await anna.begins()
        await ben.begins()
        users.revoke(users.default_file(), "anna")
        read_anew(server.running, KEEPS)
        await vaults(server).look()
        assert not key_is_held("anna")
        assert key_is_held("ben")


async def test_one_whose_records_fail_keeps_no_other_ones_key_open(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails() -> None:
        raise OSError("a canary of the disk")

    async with keeping("anna", "ben") as (server, (anna, ben)):
        clock = Clock(server)
        await anna.begins()
        await ben.begins()
        clock.passes(IDLE_S)
        with monkeypatch.context() as patched:
            patched.setattr(vaults(server)._own("anna").vault, "lock", fails)
            await vaults(server).look()
        assert not key_is_held("ben")
    told = capfd.readouterr().err
    assert "OSError in " in told
    assert "canary" not in told


async def test_a_server_that_ends_forgets_the_keys_and_keeps_what_was_kept() -> None:
    async with keeping("anna") as (_, (anna,)):
        await anna.begins()
        await anna.keeps(held(turn("One?")))
    assert not key_is_held("anna")
    users.revoke(users.default_file(), "anna")
    async with keeping("anna") as (_, (anna,)):
        assert await anna.does("GET") == {"state": "locked"}
        await anna.unlocks()
        assert await anna.finds() == ["One?"]


async def test_a_wrong_passphrase_is_told_and_after_a_few_has_to_wait() -> None:
    async with keeping("anna", "ben") as (server, (anna, ben)):
        clock = Clock(server)
        await anna.begins()
        await ben.begins()
        await anna.does("POST", "/lock", {})
        for _ in range(GUESSES):
            status, found = await anna.unlocks("wrong passphrase")
            assert status == 403
            assert found["error"]["code"] == "wrong_passphrase"
            assert "Caps Lock" in found["error"]["message"]
        body = {"old": PASSPHRASE, "new": OTHER}
        for path, sent in (
            ("/unlock", {"passphrase": PASSPHRASE}),
            ("/passphrase", body),
        ):
            answer = await anna.client.post(f"/v1/records{path}", json=sent)
            assert answer.status_code == 429
            assert int(answer.headers["retry-after"]) <= GUESS_AGAIN_S
        assert await ben.finds() == []
        clock.passes(GUESS_AGAIN_S)
        assert (await anna.unlocks())[0] == 200


async def test_the_passphrase_is_changed_and_the_old_one_opens_nothing() -> None:
    async with keeping() as (_, (anna,)):
        await anna.begins()
        await anna.keeps(held(turn("One?")))
        wrong = {"old": OTHER, "new": OTHER}
        assert (await anna.ask("POST", "/passphrase", wrong))[0] == 403
        await anna.does("POST", "/passphrase", {"old": PASSPHRASE, "new": OTHER})
        await anna.does("POST", "/lock", {})
        assert (await anna.unlocks(PASSPHRASE))[0] == 403
        assert (await anna.unlocks(OTHER))[0] == 200
        assert await anna.finds() == ["One?"]


async def test_who_forgot_the_passphrase_begins_anew_and_nothing_is_destroyed() -> None:
    async with keeping("anna") as (_, (anna,)):
        await anna.begins()
        await anna.keeps(held(turn("One?")))
        await anna.does("POST", "/lock", {})
        await anna.begins(OTHER, anew=True)
        assert await anna.finds() == []
        await anna.keeps(held(turn("Two?")))
    # Whoever runs the server gives the older ones their name back.
    aside = default_root() / f"anna{ASIDE}1"
    vault = Vault(aside)
    store = await vault.unlock(PASSPHRASE)
    assert [line.title for line in await store.page()] == ["One?"]
    await vault.lock()


async def test_after_all_is_deleted_no_file_is_left_to_read() -> None:
    async with keeping() as (_, (anna,)):
        await anna.begins()
        await anna.keeps(held(turn("One?")))
        await anna.does("DELETE")
        assert files() == []


async def test_a_deletion_that_was_killed_is_ended_by_the_next_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with keeping() as (_, (anna,)):
        await anna.begins()
        await anna.keeps(held(turn("One?")))

        def killed(_: Path) -> None:
            raise RecordsError("the power went")

        module = "medassist.records.records_folder.shutil.rmtree"
        with monkeypatch.context() as patched:
            patched.setattr(module, killed)
            assert (await anna.ask("DELETE"))[0] == 500
        # What is left has no key any more.
        assert KEY_FILE not in {file.name for file in files()}
        assert DATABASE in {file.name for file in files()}
        assert await anna.does("GET") == {"state": "none"}
    async with keeping() as (server, _):
        vaults(server)._end_deletions()
        assert files() == []


async def test_the_key_stands_in_no_keyring_of_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def touched(*_: Any) -> None:
        raise AssertionError("the keyring was asked")

    for name in ("remember", "recall", "forget"):
        monkeypatch.setattr(f"medassist.records.os_keyring.{name}", touched)
    async with keeping() as (_, (anna,)):
        await anna.begins()
        await anna.does("POST", "/lock", {})
        await anna.unlocks()
        await anna.does("POST", "/passphrase", {"old": PASSPHRASE, "new": OTHER})


async def test_damaged_records_are_told_without_the_operators_folder(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with keeping("anna") as (_, (anna,)):
        await anna.begins()
        await anna.does("POST", "/lock", {})
        (default_root() / "anna" / KEY_FILE).write_text("{")
        status, found = await anna.unlocks()
        assert status == 500
        assert found["error"]["code"] == "records_failed"
        assert str(default_root()) not in str(found)
    assert str(default_root()) in capfd.readouterr().err


async def test_records_that_another_program_has_open_are_told_so() -> None:
    async with keeping("anna") as (_, (anna,)):
        await anna.begins()
        await anna.does("POST", "/lock", {})
        vault = Vault(default_root() / "anna")
        await vault.unlock(PASSPHRASE)
        try:
            status, found = await anna.unlocks()
            assert status == 409
            assert found["error"]["code"] == "records_in_use"
            # Nor are they put aside under the other program's feet.
            begun = {"passphrase": OTHER, "anew": True}
            assert (await anna.ask("POST", "", begun))[0] == 409
        finally:
            await vault.lock()


async def test_the_folders_of_the_records_are_for_their_owner_alone() -> None:
    async with keeping("anna") as (_, (anna,)):
        await anna.begins()
        await anna.keeps(held(turn("One?")))
        for place in (default_root(), *default_root().rglob("*")):
            assert place.stat().st_mode & 0o077 == 0, place


async def test_check_says_where_records_are_kept_or_why_they_cannot_be() -> None:
    async with keeping("anna") as (_, (anna,)):
        await anna.begins()
    found = {one.text: one.ok for one in findings(KEEPS)}
    place = default_root()
    assert found[f"records of users are kept in {place}: 1 have some"] is True
    place.chmod(0o755)
    said = [one for one in findings(KEEPS) if "others may look" in one.text]
    assert [one.ok for one in said] == [False]
    with pytest.raises(ServeError, match="others may look"):
        async with keeping():
            pass
    shutil.rmtree(place)
    place.write_text("no folder")
    said = [one for one in findings(KEEPS) if "no folder" in one.text]
    assert [one.ok for one in said] == [False]


def test_what_the_plain_install_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "medassist.serve.records.vaults"
    monkeypatch.setattr(f"{module}.LIBRARIES", ("json", "no_such_library"))
    (lacking,) = [one for one in findings(KEEPS) if "no_such_library" in one.text]
    assert not lacking.ok
    assert "medassist[records]" in lacking.text
