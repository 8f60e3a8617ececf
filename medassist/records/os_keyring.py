"""Keeps the key in the system's keyring, for users who chose that.

Whoever is logged in as this user, and every program of theirs, can then open the
records. `keyring` is not installed with medassist.
"""

from __future__ import annotations

import base64
import binascii
from typing import Protocol, cast

from medassist.records.errors import RecordsError
from medassist.records.key import KEY_BYTES, wipe

SERVICE = "medassist records"


class Keyring(Protocol):
    """The part of the module `keyring` that is used."""

    def get_password(self, service_name: str, username: str) -> str | None: ...

    def set_password(self, service_name: str, username: str, password: str) -> None: ...

    def delete_password(self, service_name: str, username: str) -> None: ...


def remember(identity: str, key: bytearray) -> None:
    """Store the key of the records `identity` in the keyring.

    Raises:
        RecordsError: there is no keyring, or it refuses.
    """
    try:
        _keyring().set_password(
            SERVICE, identity, base64.b64encode(key).decode("ascii")
        )
    except RecordsError:
        raise
    except Exception as error:  # each system's keyring has errors of its own
        raise _refused(error) from None


def recall(identity: str) -> bytearray:
    """Read the key of the records `identity` from the keyring.

    Raises:
        RecordsError: there is no keyring, or it does not have the key.
    """
    try:
        held = _keyring().get_password(SERVICE, identity)
    except RecordsError:
        raise
    except Exception as error:
        raise _refused(error) from None
    try:
        key = bytearray(base64.b64decode(held or "", validate=True))
    except (binascii.Error, ValueError):
        key = bytearray()
    if len(key) != KEY_BYTES:
        wipe(key)
        raise RecordsError(
            "The system's keyring has no key for these records. Unlock them with the "
            "passphrase."
        )
    return key


def forget(identity: str) -> None:
    """Remove the key from the keyring.

    Raises:
        RecordsError: there is no keyring, or it refuses.
    """
    try:
        if _keyring().get_password(SERVICE, identity) is not None:
            _keyring().delete_password(SERVICE, identity)
    except RecordsError:
        raise
    except Exception as error:
        raise _refused(error) from None


def _keyring() -> Keyring:
    from importlib import import_module

    try:
        return cast("Keyring", import_module("keyring"))
    except ImportError:
        raise RecordsError(
            "The system's keyring cannot be reached: the package keyring is not "
            "installed. Install it beside medassist, or go on with the passphrase."
        ) from None


def _refused(error: Exception) -> RecordsError:
    return RecordsError(
        f"The system's keyring refused ({type(error).__name__}). Unlock it, or go on "
        "with the passphrase."
    )
