"""The page for those who see little, use no mouse, or hold a telephone."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest

pytest.importorskip("playwright.async_api")

from playwright.async_api import Browser, expect

from tests.serve.page.visiting import Visit, visit
from tests.serve.serving import HEART, served
from tests.stubs.engine import Script

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG = "Pneumonoultramicroscopicsilicovolcanoconiosis" * 3
ANSWER = (
    f"# Heading\n\nGive **aspirin** 300 mg once.\n\n- {LONG}\n\n| Drug | Dose | Route "
    "| How often | For how long | Beware |\n|--|--|--|--|--|--|\n| ibuprofen | 400 mg "
    "| by mouth | three times daily | three days | kidneys |\n\n```\n" + "x" * 300
) + "\n```\n"


def script() -> Script:
    return Script(
        answers={"base": [ANSWER], "tuned": ["Metformin 500 mg twice daily."]},
        thoughts={"tuned": "I think."},
    )


async def problems(there: Visit) -> list[str]:
    """What axe finds on the page as it stands."""
    place = files("axe_playwright_python") / "axe.min.js"
    await there.page.evaluate(place.read_text("utf-8") + ";0")
    found: dict[str, Any] = await there.page.evaluate("axe.run(document)")
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


async def overflows(there: Visit) -> bool:
    said = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    return bool(await there.page.evaluate(said))


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_from_the_token_to_the_verdict(
    chromium: Browser, scheme: str
) -> None:
    pytest.importorskip("axe_playwright_python")
    # The policy holds for the page's own scripts; axe comes from the test.
    how = {"color_scheme": scheme, "bypass_csp": True, "reduced_motion": "reduce"}
    async with served(script()) as server, visit(chromium, server, **how) as there:
        await there.page.goto(server.url)
        await expect(there.page.get_by_label("Your token")).to_be_visible()
        assert await problems(there) == []
        await there.page.goto(f"{server.url}/#{server.token()}")
        await expect(there.page.get_by_role("dialog")).to_be_visible()
        assert await problems(there) == []
        await there.button("I understand").click()
        await expect(there.page.locator(".welcome")).to_be_visible()
        assert await problems(there) == []
        await there.ask(HEART)
        await there.page.locator("summary").first.click()
        await there.button("B is better").click()
        assert await problems(there) == []
        for opened in ("Differences", "Export"):
            await there.button(opened).click()
            await expect(there.page.get_by_role("dialog")).to_be_visible()
            assert await problems(there) == []
            await there.page.keyboard.press("Escape")


@pytest.mark.parametrize(
    ("width", "height"), [(320, 640), (320, 256), (360, 800), (800, 600), (1280, 800)]
)
async def test_nothing_is_wider_than_the_window(
    chromium: Browser, width: int, height: int
) -> None:
    # 320 by 256 is 1280 by 1024 at 400 %.
    window = {"width": width, "height": height}
    async with (
        served(script()) as server,
        visit(chromium, server, viewport=window) as there,
    ):
        await there.sign_in()
        assert not await overflows(there)
        await there.ask(f"{HEART} {LONG}")
        assert not await overflows(there)
        await there.button("B is better").click()
        assert not await overflows(there)
        side_by_side = width > 736
        a, b = [await there.pane(side).bounding_box() for side in "AB"]
        assert (abs(a["y"] - b["y"]) < 2) == side_by_side
        for opened in ("Differences", "Export"):
            await there.button(opened).click()
            dialog = there.page.get_by_role("dialog")
            box = await dialog.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= height
            assert not await overflows(there)
            await there.page.keyboard.press("Escape")


async def test_a_consultation_without_a_mouse(chromium: Browser) -> None:
    async with served(script()) as server, visit(chromium, server) as there:
        press = there.page.keyboard.press

        async def reach(name: str) -> None:
            for _ in range(60):
                focused = await there.page.evaluate(
                    "document.activeElement.getAttribute('aria-label')"
                    " ?? document.activeElement.textContent"
                )
                if focused == name:
                    return
                await press("Tab")
            raise AssertionError(f"{name} is not reached by the keyboard")

        await there.page.goto(server.url)
        await there.page.keyboard.type(server.token())
        await press("Enter")
        await expect(there.button("I understand")).to_be_focused()
        await press("Enter")
        await expect(there.page.get_by_label("Your question")).to_be_focused()
        await there.page.keyboard.type("One line")
        await press("Shift+Enter")
        await there.page.keyboard.type(HEART)
        await press("Enter")
        await there.over()
        asked = server.engine.asked[-1]["base"].messages[-1].content
        assert asked == f"One line\n{HEART}"
        await expect(there.page.get_by_label("Your question")).to_be_focused()
        await reach("Mark as read")
        await press("Enter")
        await expect(there.page.get_by_label("Your question")).to_be_focused()
        await reach("Differences")
        await press("Enter")
        await expect(there.page.get_by_role("dialog")).to_be_visible()
        await press("Escape")
        await expect(there.button("Differences")).to_be_focused()
        await reach("A is better")
        await press("Space")
        await reach("Give it")
        await press("Enter")
        await expect(there.page.locator(".given")).to_contain_text("A is better")


async def test_a_reader_who_does_not_see_is_told_the_steps_and_not_each_word(
    chromium: Browser,
) -> None:
    async with served(script()) as server, visit(chromium, server) as there:
        await there.sign_in()
        await there.page.evaluate(
            "window.told = []; new MutationObserver(() => window.told.push("
            "document.getElementById('status').textContent)).observe("
            "document.getElementById('status'), {childList: true})"
        )
        await there.ask(HEART)
        told: list[str] = await there.page.evaluate("[...new Set(window.told)]")
        assert any("red flag" in one for one in told)
        assert any("A: done, B: done" in one for one in told)
        assert not any("aspirin" in one for one in told)
        live = there.page.locator("section.pane [aria-live], section.pane[aria-live]")
        await expect(live).to_have_count(0)


async def test_who_wants_no_motion_gets_none(chromium: Browser) -> None:
    async with (
        served(script()) as server,
        visit(chromium, server, reduced_motion="reduce") as there,
    ):
        await there.sign_in()
        await there.ask(HEART)
        moving = await there.page.evaluate("document.getAnimations().length")
        assert moving == 0
