"""The proxy and certificate settings of downloads that the user asked for.

What a proxy is told to let us in by, a name and a password in its address, is never
shown: not in messages, and not where a value of this kind is printed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from medassist.core.errors import NetworkError
from medassist.core.values import REFUSES_UNKNOWN

if TYPE_CHECKING:
    import ssl

PORTS = {"http": 80, "https": 443}
_LOGIN = re.compile(r"^(\w+://)?.*@", re.DOTALL)
"""Login of an address, up to the last @: a password may hold an unescaped one."""


def address_of(url: str) -> tuple[str, int]:
    """Host and port that `url` names: http://box/x -> ("box", 80).

    Raises:
        ValueError: its port is no number.
    """
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or PORTS.get(parts.scheme, 443)


@dataclass(frozen=True)
class WayOut:
    """Proxy and certificates of downloads, from [network] of settings.toml or --proxy.

    Raises:
        ValueError: `proxy` is no address of a proxy.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = REFUSES_UNKNOWN

    proxy: str = field(default="", repr=False)
    """http://HOST:PORT or http://NAME:PASSWORD@HOST:PORT; empty: none."""
    ca_file: str = ""
    """Certificates (PEM) that are trusted beside the system's own; empty: none."""

    def __post_init__(self) -> None:
        if self.proxy and not _is_address(self.proxy):
            raise ValueError(
                f"{self.shown!r} is no address of a proxy; expected "
                "http://HOST:PORT. In a name or a password before HOST, write "
                "/ as %2F, : as %3A, @ as %40, # as %23 and ? as %3F"
            )

    @property
    def shown(self) -> str:
        """The proxy without its name and password."""
        return _LOGIN.sub(r"\1…@", self.proxy)

    def trust_in(self, context: ssl.SSLContext) -> None:
        """Add the certificates in `ca_file` to those that `context` trusts.

        Raises:
            NetworkError: the file is not there, or holds no certificates.
        """
        if not self.ca_file:
            return
        file = Path(self.ca_file).expanduser()
        try:
            context.load_verify_locations(file)
        except OSError as error:
            # That of ssl has a code of its own; the system's say what is wrong.
            no_pem = type(error).__module__ == "ssl"
            why = "it holds none in the form PEM" if no_pem else error.strerror
            raise NetworkError(
                f"{file}: the certificates that network.ca_file names cannot be used "
                f"({why})"
            ) from None

    def without_login(self, text: str) -> str:
        """A library's message without the proxy's user name and password."""
        login = urlsplit(self.proxy).netloc.rpartition("@")[0]
        return text.replace(login, "…") if login else text

    @property
    def told(self) -> str:
        """Words behind the name of a host: " through the proxy http://box:3128"."""
        return f" through the proxy {self.shown}" if self.proxy else ""


DIRECT = WayOut()


def _is_address(proxy: str) -> bool:
    # What readers of addresses drop or read in several ways, they would not agree on.
    if not proxy.isprintable() or " " in proxy or proxy.count("@") > 1:
        return False
    try:
        parts = urlsplit(proxy)
        host, _ = address_of(proxy)
    except ValueError:
        return False
    more = parts.path.strip("/") or parts.query or parts.fragment
    return parts.scheme in PORTS and bool(host) and not more
