"""Pages of other sites in the same browser, and names that are bound anew."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("playwright.async_api")

from playwright.async_api import Browser, Route, expect

from tests.serve.page.visiting import visit
from tests.serve.serving import HEART, served

pytestmark = pytest.mark.asyncio(loop_scope="session")

TRIES = """async ([url, token]) => {
  const tried = {};
  const body = JSON.stringify({messages: [{role: "user", content: "x"}]});
  for (const [name, path, how] of [
    ["read", "/v1/models", {headers: {Authorization: `Bearer ${token}`}}],
    ["plain", "/v1/compare", {method: "POST", body, mode: "no-cors"}],
    ["json", "/v1/compare", {method: "POST", body,
      headers: {"Content-Type": "application/json", Authorization: `Bearer ${token}`}}],
    ["page", "/", {}],
    ["health", "/health", {}],
  ]) {
    try {
      const answer = await fetch(url + path, how);
      tried[name] = answer.type === "opaque" ? "opaque" : await answer.text();
    } catch (error) {
      tried[name] = "refused";
    }
  }
  return tried;
}"""


async def test_a_name_that_is_bound_anew_gets_nothing(chromium: Browser) -> None:
    async with served() as server:
        context = await chromium.new_context()
        page = await context.new_page()
        evil = f"http://evil.test:{server.port}"
        answer = await page.goto(f"{evil}/")
        assert answer is not None
        assert answer.status == 403
        assert "host_not_allowed" in await answer.text()
        tried: dict[str, Any] = await page.evaluate(TRIES, [evil, server.token()])
        await context.close()
        assert not server.engine.asked
    for name, said in tried.items():
        assert said == "refused" or "host_not_allowed" in said or said == "opaque", name


async def test_a_page_of_another_origin_neither_asks_nor_reads(
    chromium: Browser,
) -> None:
    async def page_of_theirs(route: Route) -> None:
        await route.fulfill(content_type="text/html", body="<p>theirs</p>")

    async with served() as server:
        context = await chromium.new_context()
        await context.route("http://theirs.example/**", page_of_theirs)
        page = await context.new_page()
        await page.goto("http://theirs.example/")
        tried: dict[str, Any] = await page.evaluate(TRIES, [server.url, server.token()])
        await page.evaluate(
            "url => { const f = document.createElement('iframe'); f.src = url;"
            " document.body.append(f); return new Promise(r => f.onload = r); }",
            server.url,
        )
        framed = page.frames[1]
        assert await framed.locator("#top").count() == 0
        await context.close()
        assert not server.engine.asked
    assert set(tried.values()) <= {"refused", "opaque"}


async def test_a_session_asks_only_its_own_server_and_breaks_no_policy(
    chromium: Browser,
) -> None:
    async with served() as server, visit(chromium, server) as there:
        await there.sign_in()
        await there.ask(HEART)
        await expect(there.page.locator(".flag")).to_be_visible()
        blocked = await there.page.evaluate(
            """() => {
              try { document.body.innerHTML = "<b>x</b>"; return "made"; }
              catch (error) { return error.name; }
            }"""
        )
        assert blocked == "TypeError"
        assert any("TrustedHTML" in said for said in there.complaints)
        there.complaints.clear()  # that one was ours
        stored = await there.page.evaluate(
            "JSON.stringify([{...localStorage}, document.cookie])"
        )
        assert stored == '[{},""]'
        assert "coronary" not in await there.page.evaluate(
            "JSON.stringify({...sessionStorage})"
        )
