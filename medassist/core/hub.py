"""The Hugging Face Hub by its library, over our one way out, and the user's token.

Xet is off: its native code would go around the guard. The token goes to the Hub's own
host alone, and stands in no message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from medassist.core import guard
from medassist.core.errors import NetworkError
from medassist.core.way_out import DIRECT, WayOut, address_of

ENDPOINT = "https://huggingface.co"
VARIABLE = "HF_ENDPOINT"
TOKEN_VARIABLE = "HF_TOKEN"  # noqa: S105 (a name, not a token)
SERVICE, USER = "medassist", "huggingface"
"""Under which the system's keyring may hold the token."""
STORAGE = ("*.huggingface.co", "*.hf.co")
"""Hosts on which the Hub keeps large files."""
REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_SECRET = re.compile(r"hf_\w+|(?i:bearer)\s+\S+")


def endpoint() -> str:
    """The Hub's address.

    Raises:
        NetworkError: HF_ENDPOINT is none, or is not encrypted.
    """
    told = os.environ.get(VARIABLE, ENDPOINT).rstrip("/")
    parts = urlsplit(told)
    if not parts.hostname or parts.scheme not in ("https", "http"):
        raise NetworkError(
            f"{VARIABLE} is {told!r}; it has to be an address such as {ENDPOINT}"
        )
    if parts.scheme == "http" and not guard.is_local(parts.hostname):
        raise NetworkError(
            f"{VARIABLE} is {told}, without TLS: what is sent and fetched, a token "
            "too, could be read and changed on the way. Use https"
        )
    return told


def hub_host() -> str:
    """The Hub's own host.

    Raises:
        NetworkError: HF_ENDPOINT is none, or is not encrypted.
    """
    return address_of(endpoint())[0]


def is_repo(name: str) -> bool:
    """Whether the Hub could have a repository of that name, OWNER/NAME."""
    return bool(REPO.fullmatch(name)) and ".." not in name and "--" not in name


def token() -> str:
    """The user's token, from the environment or the system's keyring; else empty."""
    told = os.environ.get(TOKEN_VARIABLE, "").strip()
    if told:
        return told
    with suppress(Exception):  # no keyring, or one that is locked: then there is none
        from importlib import import_module

        keyring: Any = import_module("keyring")
        return str(keyring.get_password(SERVICE, USER) or "").strip()
    return ""


@contextmanager
def online(
    hosts: Iterable[str], way: WayOut = DIRECT, *, silence_s: float | None = None
) -> Generator[None]:
    """Let the Hub's library reach `hosts`, and nothing else, as long as this lasts.

    Args:
        hosts: as `network.connected` takes them.
        way: by which proxy, and which certificates are trusted.
        silence_s: seconds without a byte until a connection is given up.

    Raises:
        NetworkError: a host cannot be reached, or the way to it fails.
    """
    os.environ["HF_HUB_DISABLE_XET"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    from huggingface_hub import constants
    from huggingface_hub.utils import disable_progress_bars, set_client_factory
    from huggingface_hub.utils._http import default_client_factory

    from medassist.core.network import SILENCE_S, connected

    # The library reads its environment once, when it is imported, and the guard tells
    # it there to stay offline.
    held: dict[str, Any] = {
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_DISABLE_TELEMETRY": True,
    }
    before = {name: getattr(constants, name) for name in held}
    with connected(hosts, way, silence_s=silence_s or SILENCE_S) as client:
        try:
            for name, value in held.items():
                setattr(constants, name, value)
            disable_progress_bars()
            set_client_factory(lambda: client)
            yield
        finally:
            set_client_factory(default_client_factory)
            for name, value in before.items():
                setattr(constants, name, value)


def status_of(error: BaseException) -> int | None:
    """Status of the server's answer, where a library's error is about an answer."""
    return getattr(getattr(error, "response", None), "status_code", None)


def reason(error: BaseException) -> str:
    """The first line of an error and of its cause, without a secret in them."""
    said: list[str] = []
    found: BaseException | None = error
    while found is not None and len(said) < 2:
        lines = str(found).strip().splitlines()
        if lines and lines[0] not in said:
            said.append(lines[0][:200])
        found = found.__cause__
    return _SECRET.sub("…", "; ".join(said)) or type(error).__name__
