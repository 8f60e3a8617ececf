"""The page's files: open to all, and closed to whatever is not of this server."""

from __future__ import annotations

import re

import httpx
import pytest

from medassist.serve.page.static import files
from medassist.session import wording
from tests.serve.serving import served

CAN_BECOME_MARKUP = (
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function"
    r"|DOMParser|srcdoc|setAttribute\(.on|createContextualFragment|\.style\.cssText"
)


def policy(answer: httpx.Response) -> dict[str, str]:
    said = answer.headers["content-security-policy"].split("; ")
    return {name: value for name, _, value in (part.partition(" ") for part in said)}


async def test_its_files_need_no_token_and_everything_else_does() -> None:
    async with served() as server, server.http(headers={}) as nobody:
        for path, (content, kind) in files().items():
            answer = await nobody.get(path)
            assert answer.status_code == 200, path
            assert answer.content == content
            assert answer.headers["content-type"] == kind
        for path in ("/page/", "/page/../users.json", "/page/page.js", "/index.html"):
            assert (await nobody.get(path)).status_code == 401, path
        assert (await nobody.get("/v1/page/setup")).status_code == 401
        for path in ("accepted", "blocks", "differences", "identifiers", "export"):
            answer = await nobody.post(f"/v1/page/{path}", json={})
            assert answer.status_code == 401, path


async def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    async with served() as server, server.http(headers={}) as nobody:
        for path in files():
            answer = await nobody.get(path)
            found = policy(answer)
            assert found.pop("default-src") == "'none'"
            assert found.pop("require-trusted-types-for") == "'script'"
            assert found.pop("trusted-types") == "'none'"
            assert found.pop("frame-ancestors") == "'none'"
            assert found.pop("base-uri") == found.pop("form-action") == "'none'"
            assert set(found.values()) == {"'self'"}
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cross-origin-opener-policy"] == "same-origin"
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"
            assert not [name for name in answer.headers if "access-control" in name]


@pytest.mark.parametrize("path", files())
def test_no_file_names_another_place_or_makes_markup_of_text(path: str) -> None:
    text = files()[path][0].decode()
    without = text.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|//[a-z]+\.", without), path
    assert not re.search(CAN_BECOME_MARKUP, text), path
    if path == "/":
        assert not re.search(r"<style|style=|<script(?![^>]*src=)|\son[a-z]+=", text)


def test_its_sentences_are_the_terminals() -> None:
    written = files()["/page/words.js"][0].decode()
    for sentence in (wording.ABOUT_FLAGS, wording.NONE_DIFFERS, wording.DRAFT):
        assert sentence in written
    used = {
        name
        for path, (content, _) in files().items()
        if path.endswith(".js")
        for name in re.findall(r"\bwords\.([A-Z_]+)", content.decode())
    }
    assert used
    for name in used:
        assert f'"{name}":' in written
