from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from argon2.low_level import hash_secret_raw

from medassist.records.errors import Locked, RecordsError, WrongPassphrase
from medassist.records.key import GuessCost, new_key, unwrap, wipe, wrap
from medassist.records.recorder import Recorder
from medassist.records.vault import Vault
from tests.records.making import CHEAP, PASSPHRASE, a_record, texts


def files(vault: Vault) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in vault.folder.iterdir()}


async def test_a_wrong_passphrase_is_told_and_opens_nothing(vault: Vault) -> None:
    await vault.lock()
    with pytest.raises(WrongPassphrase, match="does not open the records"):
        await vault.unlock("correct horse batterY")
    assert vault.store is None
    with pytest.raises(Locked):
        _ = vault.open_store
    await vault.unlock(PASSPHRASE)


def test_a_wrong_passphrase_costs_what_the_right_one_costs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    costs: list[dict[str, Any]] = []

    def hashed(secret: bytes, salt: bytes, **cost: Any) -> bytes:
        costs.append(cost)
        return hash_secret_raw(secret, salt, **cost)

    held = wrap(new_key(), PASSPHRASE, GuessCost(memory_kib=4096, passes=1, lanes=1))
    monkeypatch.setattr("argon2.low_level.hash_secret_raw", hashed)
    unwrap(held, PASSPHRASE)
    with pytest.raises(WrongPassphrase):
        unwrap(held, "something else")
    right, wrong = costs
    assert right == wrong
    assert right["memory_cost"] == 4096


def test_the_default_cost_is_what_the_documentation_says() -> None:
    assert GuessCost().model_dump() == {"memory_kib": 65536, "passes": 3, "lanes": 4}


async def test_another_passphrase_rewraps_the_key_and_nothing_else(
    vault: Vault,
) -> None:
    record = a_record()
    assert await Recorder(vault, record).save()
    await vault.lock()
    before = files(vault)
    await vault.change(PASSPHRASE, "tortoise lamp river")
    after = files(vault)
    assert before.pop("key.json") != after.pop("key.json")
    assert before == after
    with pytest.raises(WrongPassphrase):
        await vault.unlock(PASSPHRASE)
    store = await vault.unlock("tortoise lamp river")
    assert texts((await store.reopen(1)).record) == texts(record)


async def test_the_passphrase_is_not_changed_by_who_does_not_know_it(
    vault: Vault,
) -> None:
    before = files(vault)["key.json"]
    with pytest.raises(WrongPassphrase):
        await vault.change("not the passphrase", "tortoise lamp river")
    with pytest.raises(RecordsError, match="at least 8"):
        await vault.change(PASSPHRASE, "short")
    assert files(vault)["key.json"] == before


@pytest.mark.parametrize("passphrase", ["", "seven77", " " * 12, "x" * 2000])
async def test_a_passphrase_that_protects_nothing_is_refused(
    tmp_path: Path, passphrase: str
) -> None:
    vault = Vault(tmp_path / "records")
    with pytest.raises(RecordsError, match="characters"):
        await vault.create(passphrase, CHEAP)
    assert not vault.exists


async def test_letters_with_accents_open_it_from_any_keyboard(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "records")
    await vault.create("cafe\u0301 au lait", CHEAP)
    await vault.lock()
    await vault.unlock("caf\u00e9 au lait")
    await vault.lock()


async def test_nobody_else_on_the_computer_can_read_the_files(vault: Vault) -> None:
    await Recorder(vault, a_record()).save()
    assert vault.folder.stat().st_mode & 0o777 == 0o700
    modes = {f.name: f.stat().st_mode & 0o777 for f in vault.folder.iterdir()}
    assert {"records.db", "records.db-wal", "records.db-shm", "key.json"} <= set(modes)
    assert set(modes.values()) == {0o600}


async def test_permissions_that_a_copy_widened_are_narrowed_again(
    vault: Vault,
) -> None:
    await vault.lock()
    vault.folder.chmod(0o755)
    (vault.folder / "records.db").chmod(0o644)
    await vault.unlock(PASSPHRASE)
    assert vault.folder.stat().st_mode & 0o777 == 0o700
    assert (vault.folder / "records.db").stat().st_mode & 0o777 == 0o600


async def test_records_that_are_there_are_never_made_anew(vault: Vault) -> None:
    await vault.lock()
    before = files(vault)
    with pytest.raises(RecordsError, match="already"):
        await Vault(vault.folder).create(PASSPHRASE, CHEAP)
    assert files(vault) == before


@pytest.mark.parametrize("name", ["key.json", "records.db"])
async def test_a_missing_file_is_named_with_what_to_do(vault: Vault, name: str) -> None:
    await vault.lock()
    (vault.folder / name).unlink()
    with pytest.raises(RecordsError, match=f"{name} is not there.*backup"):
        await vault.unlock(PASSPHRASE)
    assert not (vault.folder / "records.db").exists() or name == "key.json"


async def test_a_changed_key_file_is_refused(vault: Vault) -> None:
    await vault.lock()
    file = vault.folder / "key.json"
    held = json.loads(file.read_text())
    for change, expected in (
        ({"id": "0" * 32}, WrongPassphrase),
        ({"cost": {"memory_kib": 2**40, "passes": 1, "lanes": 1}}, RecordsError),
        ({"format": 2}, RecordsError),
        ({"wrapped": "!"}, RecordsError),
    ):
        file.write_text(json.dumps({**held, **change}))
        with pytest.raises(expected):
            await vault.unlock(PASSPHRASE)
    file.write_bytes(b"\xff\x00")
    with pytest.raises(RecordsError, match="damaged"):
        await vault.unlock(PASSPHRASE)


async def test_a_damaged_database_is_told_and_not_overwritten(vault: Vault) -> None:
    await Recorder(vault, a_record()).save()
    await vault.lock()
    file = vault.folder / "records.db"
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    with pytest.raises(RecordsError, match="damaged"):
        await vault.unlock(PASSPHRASE)
    assert file.read_bytes() == content
    content[100] ^= 1
    file.write_bytes(content)
    await vault.unlock(PASSPHRASE)


def test_a_wiped_key_is_zeros() -> None:
    key = new_key()
    assert any(key)
    wipe(key)
    assert key == bytes(32)


async def test_after_unlocking_python_holds_no_key(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medassist.records import vault as module

    seen: list[bytearray] = []

    def watched(*arguments: object) -> bytearray:
        seen.append(unwrap(*arguments))  # type: ignore[arg-type]
        return seen[-1]

    await vault.lock()
    monkeypatch.setattr(module, "unwrap", watched)
    await vault.unlock(PASSPHRASE)
    await vault.change(PASSPHRASE, "tortoise lamp river")
    assert seen == [bytearray(32), bytearray(32)]


async def test_the_systems_keyring_is_used_only_if_chosen(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[tuple[str, str], str] = {}
    fake = SimpleNamespace(
        get_password=lambda service, user: kept.get((service, user)),
        set_password=lambda service, user, word: kept.update({(service, user): word}),
        delete_password=lambda service, user: kept.pop((service, user)),
    )
    monkeypatch.setitem(sys.modules, "keyring", fake)
    await vault.lock()
    assert kept == {}
    with pytest.raises(RecordsError, match="no key for these records"):
        await vault.unlock_by_keyring()
    await vault.keep_in_keyring(PASSPHRASE)
    assert len(kept) == 1
    assert PASSPHRASE not in str(kept)
    await vault.unlock_by_keyring()
    await vault.lock()
    # The key stays the same under another passphrase.
    await vault.change(PASSPHRASE, "tortoise lamp river")
    await vault.unlock_by_keyring()
    await vault.forget_in_keyring()
    assert kept == {}


async def test_without_a_keyring_the_passphrase_is_named_as_the_way(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(RecordsError, match="go on with the passphrase"):
        await vault.keep_in_keyring(PASSPHRASE)
