"""The records as a whole: created, unlocked, locked, and their passphrase changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from medassist.core.files import create_private, give_name, make_folder, require_file
from medassist.core.locks import Lock
from medassist.core.paths import data_dir
from medassist.records.errors import (
    Locked,
    RecordsError,
    WrongPassphrase,
    of_database,
    of_system,
)
from medassist.records.key import (
    GuessCost,
    WrappedKey,
    check_new,
    new_key,
    read_key_file,
    unwrap,
    wipe,
    wrap,
    write_key_file,
)
from medassist.records.records_folder import (
    DATABASE,
    KEY_FILE,
    make_private,
    writer_lock,
)
from medassist.records.store import Store

FOLDER = "records"


class Vault:
    """The records in one folder: key.json, records.db and the writer's lock.

    The key is in this program only while a database is being opened: from then on
    SQLCipher holds it, in memory that it has locked, and wipes it when `lock` closes
    the connections. What Python itself held of key and passphrase is overwritten
    where it is ours (see `medassist.records.key`) and otherwise left to chance.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self.store: Store | None = None
        """The open records; `None`: they are locked, or there are none."""
        self._writing: Lock | None = None
        self._held: WrappedKey | None = None
        """Content of key.json when the records were open; it is sealed, as there."""
        self._one_at_a_time = asyncio.Lock()

    @property
    def folder(self) -> Path:
        """Folder of the records.

        Raises:
            OSError: the folder above it cannot be made.
        """
        if self._folder is None:
            self._folder = data_dir() / FOLDER
        return self._folder

    @property
    def exists(self) -> bool:
        """Whether there are records, locked or not."""
        return any((self.folder / name).exists() for name in (KEY_FILE, DATABASE))

    @property
    def open_store(self) -> Store:
        """The open records.

        Raises:
            Locked: they are locked.
        """
        if self.store is None:
            raise Locked("The records are locked; unlock them with the passphrase.")
        return self.store

    async def create(self, passphrase: str, cost: GuessCost | None = None) -> Store:
        """Create new records and open them.

        Args:
            passphrase: nobody can open the records without it, medassist neither.
            cost: of each guess; the default is for a laptop.

        Raises:
            RecordsError: the passphrase is too short, or the folder cannot be made.
        """
        check_new(passphrase)
        async with self._one_at_a_time:
            if self.exists:
                raise RecordsError(
                    f"There are records in {self.folder} already. Unlock them, or move "
                    "the folder away to begin new ones."
                )
            key = new_key()
            try:
                await asyncio.to_thread(
                    self._create, key, passphrase, cost or GuessCost()
                )
                return await self._open(key, read_only=False)
            finally:
                wipe(key)

    async def unlock(self, passphrase: str, *, read_only: bool = False) -> Store:
        """Open the records with the passphrase.

        Args:
            passphrase: theirs.
            read_only: only read, which works while another window writes.

        Raises:
            WrongPassphrase: it does not open them. Told after the same time as
                success.
            InUse: another window writes. Read only, or try again when it is closed.
            RecordsError: the files are not there, damaged, or of a later version.
        """
        return await self._unlock(
            lambda: unwrap(self._key_file(), passphrase), read_only=read_only
        )

    async def unlock_by_keyring(self, *, read_only: bool = False) -> Store:
        """Open the records with the key that the system's keyring keeps.

        Raises:
            RecordsError: the keyring has no key of these records, or what `unlock`
                raises.
        """
        from medassist.records.os_keyring import recall

        return await self._unlock(
            lambda: recall(self._key_file().id), read_only=read_only
        )

    async def lock(self) -> None:
        """Write what is queued and forget the key; idempotent."""
        async with self._one_at_a_time:
            store, self.store = self.store, None
            if store is not None:
                await asyncio.to_thread(store.close)
            if self._writing is not None:
                self._writing.release()
                self._writing = None

    async def proves(self, passphrase: str) -> bool:
        """Whether this is the passphrase of the records that were open here.

        For when their files cannot be read any more. It takes as long as `unlock`.
        """
        held = self._held
        if held is None:
            return False

        def opens() -> bool:
            try:
                wipe(unwrap(held, passphrase))
            except WrongPassphrase:
                return False
            return True

        return await asyncio.to_thread(opens)

    async def change(self, old: str, new: str, cost: GuessCost | None = None) -> None:
        """Change the passphrase of open or locked records.

        Only key.json is written anew. An older copy of it, in a backup for example,
        still opens the records with the older passphrase.

        Raises:
            WrongPassphrase: `old` is not the passphrase.
            RecordsError: `new` is too short, or key.json cannot be written.
        """
        check_new(new)

        def rewrap() -> None:
            held = self._key_file()
            key = unwrap(held, old)
            try:
                wrapped = wrap(key, new, cost or held.cost, held.id)
            finally:
                wipe(key)
            write_key_file(self.folder / KEY_FILE, wrapped)
            self._held = wrapped

        async with self._one_at_a_time:
            await asyncio.to_thread(rewrap)

    async def keep_in_keyring(self, passphrase: str) -> None:
        """Store the key in the system's keyring, as the user chose.

        Raises:
            WrongPassphrase: it is not the passphrase.
            RecordsError: there is no keyring.
        """
        from medassist.records.os_keyring import remember

        def give() -> None:
            held = self._key_file()
            key = unwrap(held, passphrase)
            try:
                remember(held.id, key)
            finally:
                wipe(key)

        await asyncio.to_thread(give)

    async def forget_in_keyring(self) -> None:
        """Remove the key from the system's keyring.

        Raises:
            RecordsError: there is no keyring.
        """
        from medassist.records.os_keyring import forget

        await asyncio.to_thread(lambda: forget(self._key_file().id))

    async def _unlock(
        self, key_of: Callable[[], bytearray], *, read_only: bool
    ) -> Store:
        async with self._one_at_a_time:
            if self.store is not None:
                raise RecordsError("The records are unlocked already.")
            key = await asyncio.to_thread(key_of)
            try:
                return await self._open(key, read_only=read_only)
            finally:
                wipe(key)

    async def _open(self, key: bytearray, *, read_only: bool) -> Store:
        def opened() -> tuple[Store, Lock | None, WrappedKey]:
            held = self._key_file()
            return *_open(self.folder, key, read_only), held

        self.store, self._writing, self._held = await asyncio.to_thread(opened)
        return self.store

    def _key_file(self) -> WrappedKey:
        return read_key_file(self.folder / KEY_FILE)

    def _create(self, key: bytearray, passphrase: str, cost: GuessCost) -> None:
        """All files under another name, then one rename: there are records or none."""
        import shutil
        import tempfile

        from medassist.records.cipher import connect
        from medassist.records.migrations import migrate

        held = wrap(key, passphrase, cost)
        folder = self.folder
        try:
            make_folder(folder.parent)
            new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        except OSError as error:
            raise of_system(error, folder) from None
        try:
            create_private(new / DATABASE)
            connection = connect(new / DATABASE, key)
            try:
                migrate(connection, new / DATABASE)
            finally:
                connection.close()
            write_key_file(new / KEY_FILE, held)
            give_name(new, folder)  # only onto nothing, or an empty one
        except OSError as error:
            shutil.rmtree(new, ignore_errors=True)
            raise of_system(error, folder) from None
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise


def _open(folder: Path, key: bytearray, read_only: bool) -> tuple[Store, Lock | None]:
    from medassist.records import sql_writes
    from medassist.records.cipher import Connection, connect, database_error
    from medassist.records.migrations import check, migrate

    file = folder / DATABASE
    if not file.exists():
        raise RecordsError(
            f"{file} is not there. Put the whole folder back from a backup."
        )
    try:
        require_file(file, file.stat().st_mode)
    except OSError as error:
        raise of_system(error, file) from None
    lock = None if read_only else writer_lock(folder)
    opened: list[Connection] = []
    failed = database_error()
    try:
        if lock is None:
            opened.append(connect(file, key, read_only=True))
            check(opened[0], file)
            return Store(file, opened[0], None), None
        make_private(folder)
        opened.append(connect(file, key))
        migrate(opened[0], file)
        opened[0].execute("BEGIN IMMEDIATE")
        broken_off = sql_writes.end_broken_off(opened[0])
        opened[0].execute("COMMIT")
        opened.append(connect(file, key, read_only=True))
        store = Store(file, opened[1], opened[0])
        store.broken_off = broken_off
    except BaseException as error:
        for connection in opened:
            connection.close()
        if lock is not None:
            lock.release()
        if isinstance(error, failed):
            raise of_database(error, file) from None
        raise
    return store, lock
