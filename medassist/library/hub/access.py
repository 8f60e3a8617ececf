"""The way to the Hub: a client for the hosts that were shown, and the user's token.

The offline guard stays on. It lets the named hosts through for as long as `online`
lasts, and shuts again however it ends. Xet is off: its native code would go around the
guard. The token goes to the Hub's own host alone, and stands in no message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from medassist.core import guard
from medassist.library.errors import LibraryError

if TYPE_CHECKING:
    import httpx2

ENDPOINT = "https://huggingface.co"
VARIABLE = "HF_ENDPOINT"
TOKEN_VARIABLE = "HF_TOKEN"  # noqa: S105 (a name, not a token)
SERVICE, USER = "medassist", "huggingface"
"""Under which the system's keyring may hold the token."""
TIMEOUT_S = 30.0
LOOKUPS = 10
"""A name such as a bucket's stands for other addresses at each look-up, and the guard
lets through those that it saw: so often it is looked up again."""
MISSING = (
    "Downloading needs the package huggingface_hub, which the plain install leaves "
    "out. Install it with: pip install 'medassist[pull]' (in a clone: make dev)."
)
_SECRET = re.compile(r"hf_\w+|(?i:bearer)\s+\S+")


def endpoint() -> str:
    """The Hub's address.

    Raises:
        LibraryError: HF_ENDPOINT is none, or is not encrypted.
    """
    told = os.environ.get(VARIABLE, ENDPOINT).rstrip("/")
    parts = urlsplit(told)
    if not parts.hostname or parts.scheme not in ("https", "http"):
        raise LibraryError(
            f"{VARIABLE} is {told!r}; it has to be an address such as {ENDPOINT}."
        )
    if parts.scheme == "http" and not guard.is_local(parts.hostname):
        raise LibraryError(
            f"{VARIABLE} is {told}, without TLS: what is sent and fetched could be "
            "read and changed on the way. Use https."
        )
    return told


def address_of(url: str) -> tuple[str, int]:
    """Host and port that `url` names."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)


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


def require_library() -> None:
    """Make sure that the Hub's library is there, before the user is asked anything.

    Raises:
        LibraryError: it is not installed.
    """
    from importlib.util import find_spec

    if find_spec("huggingface_hub") is None:
        raise LibraryError(MISSING)


@contextmanager
def online(hosts: Iterable[tuple[str, int]]) -> Generator[None]:
    """Let the Hub's library reach `hosts`, and nothing else, as long as this lasts.

    Raises:
        LibraryError: its library is not installed, or a host cannot be looked up.
    """
    os.environ["HF_HUB_DISABLE_XET"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        import httpx2
        from huggingface_hub import constants
        from huggingface_hub.utils import (
            disable_progress_bars,
            set_client_factory,
        )
        from huggingface_hub.utils._http import default_client_factory
    except ImportError:
        raise LibraryError(MISSING) from None

    # The library reads its environment once, when it is imported, and the guard tells
    # it there to stay offline.
    held: dict[str, Any] = {
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_DISABLE_TELEMETRY": True,
    }
    before = {name: getattr(constants, name) for name in held}
    transport = _transport(frozenset(hosts))
    with ExitStack() as stack:
        stack.callback(transport.close)
        client = stack.enter_context(
            httpx2.Client(
                transport=transport,
                follow_redirects=True,
                timeout=TIMEOUT_S,
                trust_env=False,
                headers={"Accept-Encoding": "identity"},
            )
        )
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


def _transport(hosts: frozenset[tuple[str, int]]) -> httpx2.BaseTransport:
    import httpx2

    class NamedHosts(httpx2.BaseTransport):
        """Sends requests to the hosts that were shown to the user, and no others."""

        def __init__(self) -> None:
            self._inner = httpx2.HTTPTransport(retries=0, trust_env=False)
            self._open = ExitStack()
            self._known: set[tuple[str, int]] = set()

        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            place = address_of(str(request.url))
            if place not in hosts:
                named = ", ".join(sorted(host for host, _ in hosts))
                raise LibraryError(
                    f"The Hub sends us on to {place[0]}, which is none of the hosts "
                    f"that were shown ({named}). Nothing was asked there; begin again "
                    "to be shown the new one."
                )
            local = guard.is_local(place[0])
            if request.url.scheme != "https" and not local:
                raise LibraryError(
                    f"The Hub sends us on to {place[0]} without TLS. Nothing was asked "
                    "there."
                )
            if not local and place not in self._known:
                self._let_through(place)
            for left in reversed(range(LOOKUPS)):
                try:
                    return self._inner.handle_request(request)
                except httpx2.TransportError as error:
                    if not left or not _was_refused(error):
                        raise
                    self._let_through(place)
            raise AssertionError

        def _let_through(self, place: tuple[str, int]) -> None:
            try:
                self._open.enter_context(guard.opened(*place))
            except OSError as error:
                raise LibraryError(
                    f"{place[0]} cannot be looked up ({error.strerror or error}). Is "
                    "this computer online?"
                ) from None
            self._known.add(place)

        def close(self) -> None:
            self._inner.close()
            self._open.close()
            self._known.clear()

    return NamedHosts()


def _was_refused(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, guard.NetworkRefused):
            return True
        error = error.__cause__ or error.__context__
    return False


def reason(error: BaseException) -> str:
    """The first line of an error, without a secret that may stand in it."""
    lines = str(error).strip().splitlines()
    return _SECRET.sub("…", lines[0][:200]) if lines else type(error).__name__


@contextmanager
def sentences(what: str, host: str) -> Generator[None]:
    """Turn what the Hub's library raises into a sentence; `what` was wanted of `host`.

    Raises:
        LibraryError: in place of every error of the library's.
    """
    try:
        yield
    except LibraryError:
        raise
    except Exception as error:
        module = type(error).__module__.split(".")[0]
        if isinstance(error, OSError) and error.errno:
            raise LibraryError(
                f"{what}: {error.filename or ''} {error.strerror or reason(error)}. "
                "What was fetched is kept; repeat the command to go on."
            ) from None
        if module not in ("huggingface_hub", "httpx2", "httpcore2", "builtins"):
            raise
        raise LibraryError(_sentence(what, host, error)) from None


def _sentence(what: str, host: str, error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    match status:
        case 401 | 403:
            return (
                f"{host} does not give {what} ({status}): it is not there, or it is "
                "closed. If its page asks for a consent, give it there, and set a "
                f"token in {TOKEN_VARIABLE}."
            )
        case 404:
            return f"{host} has no {what}. Look at the spelling, also of capitals."
        case int():
            return f"{host} answers {status} for {what}. Repeat the command later."
        case _:
            return (
                f"{host} could not be asked for {what} ({reason(error)}). What was "
                "fetched is kept; repeat the command to go on."
            )
