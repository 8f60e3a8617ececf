"""Addresses of mail, pages and machines, and files of pictures."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from medassist.safety.identifiers.text_page import Found, TextPage

_TOP: Final = (
    r"(?:com|org|net|edu|gov|info|mil|int|app|health|blog|example|io|me|eu|us|uk|ie|de|at"
    r"|ch|fr|es|it|pt|nl|be|lu|se|no|dk|fi|pl|cz|sk|hu|ro|gr|tr|ru|ua|il|in|pk|cn|jp|kr"
    r"|au|nz|za|ng|ke|gh|br|ar|mx|cl|ca)"
)
_LABEL: Final = r"[A-Za-z0-9](?:[\w-]{0,61}[A-Za-z0-9])?"
_EMAIL: Final = re.compile(
    r"(?<![\w.+'\u2019-])[\w.+'\u2019-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}(?![\w-])"
)
# "x (at) y (dot) org"
_SPOKEN_EMAIL: Final = re.compile(
    r"(?<![\w.+'-])[\w.+'-]{1,64} ?[(\[{] ?(?:at|AT|@|\u00e4t|arobase"
    r"|arroba) ?[)\]}] ?[\w-]{1,63}"
    r"(?:(?:\.| ?[(\[{] ?(?:dot|DOT|\.|punkt|point"
    r"|punto) ?[)\]}] ?)[\w-]{1,63}){1,5}(?![\w-])"
)
_URL: Final = re.compile(
    r"(?<!\w)(?:https?://|www\.)[^\s<>\"')\]]{3,200}[^\s<>\"')\].,;:]"
)
_BARE_URL: Final = re.compile(
    rf"(?<![\w@.+'-]){_LABEL}(?:\.{_LABEL}){{0,4}}\.{_TOP}"
    r"(?:/[^\s<>\"')\]]{0,200}[^\s<>\"')\].,;:]|/)?(?![\w@-]|\.\w)"
)
_PHOTO: Final = re.compile(
    r"(?<![\w-])[\w-]{1,60}\.(?i:jpe?g|png|heic|tiff?|gif|bmp|dcm|webp|raw)(?!\w)"
    r"|(?<!\w)(?:facial|full[- ]face) (?:photo|photograph|image|picture)s?(?!\w)"
)
_IP: Final = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\d|\.\d)")
_IP6: Final = re.compile(
    r"(?<![\w:.])(?:[0-9a-fA-F]{1,4}:|::)[0-9a-fA-F:]{3,40}(?![\w:])"
)
_MAC: Final = re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![\w:])")
_GENUS: Final = re.compile(r"[A-Z]\.[a-z]")


def find(page: TextPage) -> Iterator[Found]:
    """Names of mailboxes, pages, machines and pictures in `page`."""
    text = page.text
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield "EMAIL", *match.span(), True
    if "(" in text or "[" in text or "{" in text:
        for match in _SPOKEN_EMAIL.finditer(text):
            yield "EMAIL", *match.span(), True
    if "." in text:
        for match in _URL.finditer(text):
            yield "URL", *match.span(), True
        for match in _BARE_URL.finditer(text):
            if match.group().endswith("rials.gov"):  # of a register of trials
                continue
            yield "URL", *match.span(), "/" in match.group()
        for match in _IP.finditer(text):
            if is_address(match.group()):
                yield "IP", *match.span(), True
    for match in _PHOTO.finditer(text):
        yield "PHOTO", *match.span(), True
    if ":" in text:
        for match in _IP6.finditer(text):
            address = match.group().rstrip(":")
            if is_address(address):
                yield "IP", match.start(), match.start() + len(address), True
        for match in _MAC.finditer(text):
            yield "DEVICE", *match.span(), True


def is_address(written: str) -> bool:
    """Whether `written` is an IP address, of version 4 or 6."""
    try:
        ipaddress.ip_address(written)
    except ValueError:
        return False
    return True
