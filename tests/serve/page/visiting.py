"""A visit to the page in a real browser, and what it must never do there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, Request, expect

from tests.serve.serving import Served

WAITS_MS = 90_000
"""Long, since a busy machine is slow: nothing waits it out where all is well."""


@dataclass
class Visit:
    """A page that is open, and what it did wrong.

    Attributes:
        page: the browser's page.
        server: that it came from.
        context: of the browser, with nothing of another visit.
        foreign: addresses of other servers that it asked for.
        complaints: of the browser's console: policies broken, errors of the script.
    """

    page: Page
    server: Served
    context: BrowserContext
    foreign: list[str] = field(default_factory=list[str])
    complaints: list[str] = field(default_factory=list[str])

    async def sign_in(self, token: str = "", accepts: bool = True) -> None:
        await self.page.goto(f"{self.server.url}/#{token or self.server.token()}")
        if accepts:
            button = self.page.get_by_role("button", name="I understand")
            await button.click()
        await expect(self.page.locator("#composer")).to_be_visible()

    async def ask(self, question: str, *, waits: bool = True) -> None:
        turns = self.page.locator("article.turn")
        before = await turns.count()
        await self.page.get_by_label("Your question").fill(question)
        await self.page.keyboard.press("Enter")
        if waits:
            await expect(turns).to_have_count(before + 1)
            await self.over()

    async def over(self) -> None:
        """Wait until the last question is answered; its foot is empty until then."""
        await expect(self.page.locator("article.turn footer").last).not_to_be_empty()
        await expect(self.page.locator("#send")).to_be_visible()

    def pane(self, side: str, turn: int = -1) -> Any:
        return self.page.locator(f"section.pane[data-side={side}]").nth(turn)

    def button(self, name: str, **more: Any) -> Any:
        return self.page.get_by_role("button", name=name, **more)


@asynccontextmanager
async def visit(browser: Browser, server: Served, **more: Any) -> AsyncIterator[Visit]:
    """A page in a context of its own; it must ask nobody else, and break no policy."""
    more.setdefault("viewport", {"width": 1280, "height": 800})
    context = await browser.new_context(**more)
    context.set_default_timeout(WAITS_MS)
    expect.set_options(timeout=WAITS_MS)
    page = await context.new_page()
    made = Visit(page, server, context)

    def asked(request: Request) -> None:
        if not request.url.startswith((server.url, "blob:")):
            made.foreign.append(request.url)

    page.on("request", asked)
    page.on("pageerror", lambda error: made.complaints.append(str(error)))
    page.on(
        "console",
        lambda said: (
            made.complaints.append(said.text)
            if "Content Security Policy" in said.text or "TrustedHTML" in said.text
            else None
        ),
    )
    try:
        yield made
    finally:
        await context.close()
    assert not made.foreign
    assert not made.complaints
