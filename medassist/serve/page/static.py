"""The page's files, which need no token, and the headers that they are sent with.

They hold nothing but the page: no name of a model, no user, no token. What they may do
in the browser is what the policy says: no script, style, picture or connection but of
this server, and no text that becomes markup.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from medassist.consult.verdict import CHOICES, REASONS
from medassist.records.deletion import WHAT_DELETION_MEANS
from medassist.session import wording

FOLDER: Final = Path(__file__).with_name("files")
PREFIX: Final = "/page/"
WORDS: Final = "words.js"
TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    ),
    "Permissions-Policy": (
        "camera=(), microphone=(), geolocation=(), payment=(), usb=(), "
        "browsing-topics=()"
    ),
    "X-Frame-Options": "DENY",
}


@cache
def files() -> Mapping[str, tuple[bytes, str]]:
    """Each path with its content and type."""
    found = {
        PREFIX + file.name: (file.read_bytes(), TYPES[file.suffix])
        for file in sorted(FOLDER.iterdir())
        if file.suffix in TYPES
    }
    found["/"] = found.pop(f"{PREFIX}index.html")
    found[PREFIX + WORDS] = (words().encode(), TYPES[".js"])
    return found


def words() -> str:
    """The module with the sentences that the page shares with the terminal."""
    shared: dict[str, Any] = {
        name: value
        for name, value in vars(wording).items()
        if name.isupper() and isinstance(value, str | dict)
    }
    shared["CHOICES"] = [[choice, wording.CHOICES[choice]] for choice in CHOICES]
    shared["REASONS"] = list(REASONS)
    shared["WHAT_DELETION_MEANS"] = WHAT_DELETION_MEANS
    return f"export const words = Object.freeze({json.dumps(shared, indent=2)});\n"


def router() -> APIRouter:
    """The route of each file."""
    routes = APIRouter()
    for path, (content, kind) in files().items():
        routes.add_api_route(
            path,
            _sends(content, kind),
            methods=["GET", "HEAD"],
            include_in_schema=False,  # a file of the page, not a part of the API
        )
    return routes


def _sends(content: bytes, kind: str) -> Any:
    async def send() -> Response:
        headers = {**HEADERS, "Content-Type": kind}
        return Response(content, headers=headers)

    return send
