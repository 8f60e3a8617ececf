"""The encryption key of the records, wrapped by the passphrase.

The database is encrypted with a random key of 256 bits. That key lies beside it in
key.json, encrypted by another that Argon2id makes of the passphrase (RFC 9106), so a
change of passphrase rewrites this small file and nothing else. The wrapping is
XChaCha20-Poly1305 by libsodium (PyNaCl, 1.4 MB to download, a third of
`cryptography`, from the same maintainers): a nonce of 24 random bytes needs no
counter, and a wrong passphrase or a changed file fails to authenticate.

Python gives no promise that a secret leaves memory. What is ours is kept in
bytearrays and overwritten (`wipe`); the passphrase is a `str` and what libraries
return is `bytes`, which stay until their memory is used again.
"""

from __future__ import annotations

import base64
import json
import secrets
import unicodedata
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic import PlainSerializer as Serializer

from medassist.core.files import read_text, write_whole
from medassist.frozen_model import FrozenModel
from medassist.records.errors import RecordsError, WrongPassphrase, of_system

KEY_BYTES = 32
ARGON2_VERSION = 0x13
SALT_BYTES = 16
SHORTEST = 8
"""Characters of a passphrase; what NIST SP 800-63B asks for at least."""
LONGEST = 1024


def _from_base64(value: object) -> object:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


Base64 = Annotated[bytes, BeforeValidator(_from_base64), Serializer(_to_base64)]


class GuessCost(FrozenModel):
    """Argon2 parameters: the cost of one guess of the passphrase.

    The default is RFC 9106's second recommended choice, about a third of a second on
    a laptop. The upper bounds keep a planted key.json from taking all of the memory.
    """

    memory_kib: int = Field(default=64 * 1024, ge=8, le=2 * 1024 * 1024)
    passes: int = Field(default=3, ge=1, le=64)
    lanes: int = Field(default=4, ge=1, le=64)


class WrappedKey(FrozenModel):
    """Content of key.json; useless without the passphrase."""

    format: Literal[1] = 1
    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    """Names these records to the system's keyring."""
    kdf: Literal["argon2id"] = "argon2id"
    cost: GuessCost
    salt: Base64 = Field(min_length=SALT_BYTES, max_length=64)
    cipher: Literal["xchacha20-poly1305"] = "xchacha20-poly1305"
    wrapped: Base64 = Field(min_length=72, max_length=72)
    """Nonce (24), key (32), tag (16)."""


def new_key() -> bytearray:
    """A random key for the database."""
    return bytearray(secrets.token_bytes(KEY_BYTES))


def wipe(secret: bytearray) -> None:
    """Overwrite `secret` in memory, as far as Python allows."""
    secret[:] = bytes(len(secret))


def check_new(passphrase: str) -> None:
    """Check whether a new passphrase is strong enough.

    Raises:
        RecordsError: it is too short or too long.
    """
    length = len(passphrase)
    if length < SHORTEST or not passphrase.strip():
        raise RecordsError(
            f"A passphrase needs at least {SHORTEST} characters. Four or five words "
            "that do not belong together are good and can be remembered."
        )
    if length > LONGEST:
        raise RecordsError(f"A passphrase can have {LONGEST:,} characters at most.")


def wrap(
    key: bytearray, passphrase: str, cost: GuessCost, identity: str | None = None
) -> WrappedKey:
    """Encrypt `key` with the passphrase; slow by design, blocks."""
    from nacl.secret import Aead

    identity = identity or secrets.token_hex(16)
    salt = secrets.token_bytes(SALT_BYTES)
    box = Aead(_derive(passphrase, salt, cost))
    wrapped = bytes(box.encrypt(bytes(key), _associated(identity, salt, cost)))
    return WrappedKey(id=identity, cost=cost, salt=salt, wrapped=wrapped)


def unwrap(held: WrappedKey, passphrase: str) -> bytearray:
    """Decrypt the key; as slow for a wrong passphrase as for the right one, blocks.

    Raises:
        WrongPassphrase: it does not open this file, or the file was changed.
    """
    from nacl.exceptions import CryptoError
    from nacl.secret import Aead

    box = Aead(_derive(passphrase, held.salt, held.cost))
    associated = _associated(held.id, held.salt, held.cost)
    try:
        return bytearray(box.decrypt(held.wrapped, associated))
    except CryptoError:
        raise WrongPassphrase from None


def read_key_file(file: Path) -> WrappedKey:
    """Read key.json.

    Raises:
        RecordsError: it is not there, cannot be read or is damaged.
    """
    try:
        text = read_text(file)
    except FileNotFoundError:
        raise RecordsError(
            f"{file} is not there, and nothing opens the records without it. Put the "
            "whole folder back from a backup."
        ) from None
    except OSError as error:
        raise of_system(error, file) from None
    except UnicodeDecodeError:
        text = ""
    try:
        return WrappedKey.model_validate_json(text)
    except ValidationError:
        raise RecordsError(
            f"{file} is damaged, or was written by a later version of medassist. Put "
            "it back from a backup: nothing opens the records without it."
        ) from None


def write_key_file(file: Path, held: WrappedKey) -> None:
    """Write key.json; the old one stays until the new one is on disk.

    Raises:
        RecordsError: it cannot be written.
    """
    text = json.dumps(held.model_dump(), indent=2) + "\n"
    try:
        write_whole(file, text)
    except OSError as error:
        raise of_system(error, file) from None


def _derive(passphrase: str, salt: bytes, cost: GuessCost) -> bytes:
    from argon2.low_level import Type, hash_secret_raw

    # The same letters come composed from one keyboard and decomposed from another.
    secret = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")
    return hash_secret_raw(
        secret,
        salt,
        time_cost=cost.passes,
        memory_cost=cost.memory_kib,
        parallelism=cost.lanes,
        hash_len=KEY_BYTES,
        type=Type.ID,
        version=ARGON2_VERSION,
    )


def _associated(identity: str, salt: bytes, cost: GuessCost) -> bytes:
    """Bytes that are not encrypted and must not be changed either."""
    return (
        f"medassist records 1 {identity} {salt.hex()} argon2id "
        f"{cost.memory_kib} {cost.passes} {cost.lanes}"
    ).encode()
