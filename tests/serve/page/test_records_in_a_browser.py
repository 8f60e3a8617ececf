"""A user's records in Chromium: begun, locked, found again, gone on with, deleted."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

pytest.importorskip("playwright.async_api")

from playwright.async_api import Browser, expect

from medassist.core.values import PaneName
from medassist.intended_use import INTENDED_USE_VERSION
from medassist.records.errors import NotSaved
from medassist.serve.page.acceptance import accept
from medassist.serve.records.vaults import IDLE_S, default_root
from medassist.serve.users import ALONE
from tests.records.making import CHEAP
from tests.serve.page.test_reached_by_all import overflows, problems
from tests.serve.page.visiting import WAITS_MS, Visit, visit
from tests.serve.records.keeping import KEEPS, OTHER, PASSPHRASE, vaults
from tests.serve.serving import HEART, QUESTION, Served, served
from tests.stubs.engine import Script, answer_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

PERSON = "Mrs Margaret Thatcher, born 13/10/1925, has a cough."


@pytest.fixture(autouse=True)
def cheap_and_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medassist.records.vault.GuessCost", lambda: CHEAP)
    for user in (ALONE, "anna", "ben"):
        accept(user, INTENDED_USE_VERSION)


def dialog(there: Visit, name: str) -> Any:
    return there.page.get_by_role("dialog", name=name)


def chips(there: Visit) -> Any:
    return there.page.locator("#chips")


async def is_kept(there: Visit) -> None:
    await expect(chips(there)).to_contain_text("saved, encrypted")


async def begin(there: Visit, passphrase: str = PASSPHRASE) -> None:
    """Choose a passphrase in the dialog that is open."""
    asks = dialog(there, "Keep your consultations")
    await asks.get_by_label("Passphrase").fill(passphrase)
    await asks.get_by_label("The same again").fill(passphrase)
    await asks.get_by_role("button", name="Keep them from now on").click()
    await expect(asks).to_have_count(0)


async def keep_from_now_on(there: Visit, passphrase: str = PASSPHRASE) -> None:
    await there.button("Keep my consultations").click()
    await begin(there, passphrase)


async def unlock(there: Visit, passphrase: str = PASSPHRASE) -> None:
    asks = dialog(there, "Unlock your records")
    await asks.get_by_label("Passphrase").fill(passphrase)
    await there.page.keyboard.press("Enter")


async def key_is_forgotten(server: Served) -> None:
    """Wait until the server has no key of its one user any more."""
    async with asyncio.timeout(WAITS_MS / 1000):
        while vaults(server)._own(ALONE).vault.store is not None:
            await asyncio.sleep(0.01)


async def history(there: Visit) -> Any:
    await there.button("Records", exact=True).click()
    shown = dialog(there, "Your records")
    await expect(shown.get_by_role("status")).not_to_be_empty()
    return shown


async def test_what_was_asked_is_found_again_after_a_lock_and_can_be_deleted(
    chromium: Browser,
) -> None:
    async with served(options=KEEPS) as server, visit(chromium, server) as there:
        await there.sign_in(accepts=False)
        await expect(chips(there)).to_contain_text("not saved")
        await there.button("Keep my consultations").click()
        asks = dialog(there, "Keep your consultations")
        await expect(asks).to_contain_text("whoever runs the server included")
        await asks.get_by_label("Passphrase").fill(PASSPHRASE)
        await asks.get_by_label("The same again").fill("something else")
        await there.page.keyboard.press("Enter")
        await expect(asks.locator(".problem")).to_contain_text("not the same")
        await begin(there)
        await expect(there.page.locator(".welcome")).to_contain_text("Kept for you")
        await there.ask(QUESTION)
        await is_kept(there)
        await there.button("Lock").click()
        await expect(there.page.get_by_label("Your token")).to_be_focused()
        await key_is_forgotten(server)
        await there.page.get_by_label("Your token").fill(server.token())
        await there.page.keyboard.press("Enter")
        await unlock(there, "a wrong passphrase")
        asks = dialog(there, "Unlock your records")
        await expect(asks.locator(".problem")).to_contain_text("does not open")
        await unlock(there)
        await expect(asks).to_have_count(0)
        await is_kept(there)
        await there.button("New").click()  # what is kept is not asked about
        await expect(there.page.locator(".welcome")).to_be_visible()
        shown = await history(there)
        await expect(shown.locator("li")).to_have_count(1)
        await shown.get_by_label("Search").fill("nowhere")
        await expect(shown.get_by_role("status")).to_have_text("Nothing found.")
        await shown.get_by_label("Search").fill("asth")
        await expect(shown.locator(".snippet mark").first).to_be_visible()
        await shown.get_by_role("button", name=QUESTION, exact=True).click()
        await expect(shown).to_have_count(0)
        await expect(there.pane("A")).to_contain_text(answer_of("base", QUESTION))
        await is_kept(there)
        # It is gone on with, each model from its own answer.
        await there.ask("And in children?")
        await is_kept(there)
        asked = server.engine.asked[-1]["tuned"].messages
        assert asked[-2].content == answer_of("tuned", QUESTION)
        shown = await history(there)
        await expect(shown.locator("li")).to_contain_text("2 questions")
        await shown.get_by_role("button", name=f"Delete {QUESTION}").click()
        sure = dialog(there, "Delete this consultation?")
        await expect(sure).to_contain_text("On an SSD")
        await sure.get_by_role("button", name="Delete", exact=True).click()
        await expect(shown.get_by_role("status")).to_have_text("Nothing is kept yet.")
        await shown.get_by_role("button", name="Close").click()
        await expect(there.page.locator(".welcome")).to_be_visible()


async def test_identifiers_are_shown_before_what_stands_there_is_kept(
    chromium: Browser,
) -> None:
    async with served(options=KEEPS) as server, visit(chromium, server) as there:
        await there.sign_in(accepts=False)
        await there.ask(PERSON)
        await there.button("not saved").click()
        await begin(there)
        warning = there.page.get_by_role("dialog", name=re.compile("who the patient"))
        await expect(warning).to_contain_text("13/10/1925")
        await warning.get_by_role("button", name="Back").click()
        await expect(chips(there)).to_contain_text("not saved")
        shown = await history(there)
        await expect(shown.get_by_role("status")).to_have_text("Nothing is kept yet.")
        await shown.get_by_role("button", name="Close").click()
        await there.button("not saved").click()
        await warning.get_by_role("button", name="Replace all and save").click()
        await is_kept(there)
        # What is kept is what stands there, and what the models are asked with.
        await expect(there.page.locator(".question")).to_contain_text("[DATE")
        assert "1925" not in await there.page.locator("#turns").inner_text()
        await there.ask("And then?")
        await is_kept(there)
        told = str(server.engine.asked[-1]["base"].messages)
        assert "1925" not in told
        # A question is looked at before it is asked, and goes back into its field.
        await there.ask("Mr John Smith, born 1/2/1950, coughs too.", waits=False)
        await expect(warning).to_contain_text("John Smith")
        await warning.get_by_role("button", name="Keep and save").click()
        await expect(there.page.locator("article.turn")).to_have_count(3)
        await there.over()
        await is_kept(there)
        # Who keeps them is not asked again in this consultation.
        await there.ask("Mr Jim Jones, born 3/4/1960, coughs too.")
        await is_kept(there)


async def test_a_key_that_the_server_forgot_is_asked_for_and_nothing_is_lost(
    chromium: Browser,
) -> None:
    async with served(options=KEEPS) as server, visit(chromium, server) as there:
        await there.sign_in(accepts=False)
        await keep_from_now_on(there)
        await there.ask(QUESTION)
        await is_kept(there)
        later = vaults(server).now() + IDLE_S
        vaults(server).now = lambda: later
        await vaults(server).look()
        await there.ask("And in children?")
        await expect(chips(there)).to_contain_text("not saved")
        await there.button("not saved").click()
        await unlock(there)
        await is_kept(there)
        shown = await history(there)
        await expect(shown.locator("li")).to_contain_text("2 questions")


async def test_answers_that_come_while_the_page_is_locked_are_kept_afterwards(
    chromium: Browser,
) -> None:
    hold = asyncio.Event()
    async with (
        served(Script(hold=hold), options=KEEPS) as server,
        visit(chromium, server) as there,
    ):
        await there.sign_in(accepts=False)
        await keep_from_now_on(there)
        await there.ask(QUESTION, waits=False)
        await expect(there.pane("A")).to_contain_text("writing")
        await expect(chips(there)).to_contain_text("saving")
        await there.button("Lock").click()
        await expect(there.page.get_by_label("Your token")).to_be_focused()
        await key_is_forgotten(server)
        hold.set()
        await there.page.get_by_label("Your token").fill(server.token())
        await there.page.keyboard.press("Enter")
        await unlock(there)
        await there.over()
        await is_kept(there)
        await there.button("New").click()
        shown = await history(there)
        await shown.locator("button.title").click()
        sides: dict[str, PaneName] = {"A": "base", "B": "tuned"}
        for side, pane in sides.items():
            whole = answer_of(pane, QUESTION)
            await expect(there.pane(side).locator(".answer")).to_have_text(whole)


async def test_what_could_not_be_written_is_told_and_is_saved_once_there_is_room(
    chromium: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_: Any) -> None:
        raise NotSaved("the disk is full")

    async with served(options=KEEPS) as server, visit(chromium, server) as there:
        await there.sign_in(accepts=False)
        await keep_from_now_on(there)
        store = vaults(server)._own(ALONE).vault.open_store
        with monkeypatch.context() as patched:
            patched.setattr(store, "write", full)
            await there.ask(QUESTION)
            await expect(there.button("NOT SAVED")).to_be_visible()
            told = there.page.locator("#notices")
            await expect(told).to_contain_text("cannot write your records")
        await there.button("NOT SAVED").click()
        await is_kept(there)
        await expect(told).to_contain_text("saved again")


async def test_ten_idle_minutes_lock_the_records_with_the_page(
    chromium: Browser,
) -> None:
    async with served(options=KEEPS) as server, visit(chromium, server) as there:
        await there.page.clock.install()
        await there.sign_in(accepts=False)
        await keep_from_now_on(there)
        await there.ask(QUESTION)
        await is_kept(there)
        async with there.page.expect_response("**/v1/records/lock"):
            await there.page.clock.fast_forward("10:30")
        await expect(there.page.get_by_role("heading", name="Locked")).to_be_visible()
        assert vaults(server).state(ALONE, "") == "locked"
        assert vaults(server)._own(ALONE).vault.store is None
        body = await there.page.locator("body").inner_html()
        assert "asthma" not in body


async def test_a_page_that_is_closed_leaves_no_key_behind(chromium: Browser) -> None:
    async with served(options=KEEPS) as server, visit(chromium, server) as there:
        await there.sign_in(accepts=False)
        await keep_from_now_on(there)
        await expect(there.page.locator(".welcome")).to_contain_text("Kept for you")
        await there.page.goto("about:blank")
        await key_is_forgotten(server)


async def test_who_forgot_the_passphrase_is_told_so_and_begins_anew(
    chromium: Browser,
) -> None:
    async with served(options=KEEPS) as server, visit(chromium, server) as there:
        await vaults(server).create(ALONE, PASSPHRASE)
        await vaults(server).lock(ALONE)
        await there.sign_in(accepts=False)
        await there.button("Unlock my records").click()
        await there.button("Forgotten?").click()
        asks = dialog(there, "Begin anew")
        await expect(asks).to_contain_text("There is no second key")
        await asks.get_by_label("Passphrase").fill(OTHER)
        await asks.get_by_label("The same again").fill(OTHER)
        await asks.get_by_role("button", name="Begin anew").click()
        await expect(asks).to_have_count(0)
        await there.ask(QUESTION)
        await is_kept(there)
        shown = await history(there)
        await shown.get_by_role("button", name="Change passphrase").click()
        changes = dialog(there, "Change the passphrase")
        await changes.get_by_label("The passphrase until now").fill(OTHER)
        await changes.get_by_label("The new one", exact=True).fill(PASSPHRASE)
        await changes.get_by_label("The new one again").fill(PASSPHRASE)
        await there.page.keyboard.press("Enter")
        await expect(changes).to_have_count(0)
        await shown.get_by_role("button", name="Delete all").click()
        sure = dialog(there, "Delete all your records?")
        await sure.get_by_role("button", name="Delete all").click()
        await expect(shown).to_have_count(0)
        await expect(chips(there)).to_contain_text("not saved")
        assert not list(default_root().glob(ALONE))


async def test_a_blind_consultation_that_is_opened_again_tells_its_names_afterwards(
    chromium: Browser,
) -> None:
    answers: Any = {"base": ["Rest."], "tuned": ["Walk."]}
    async with (
        served(Script(answers=answers, name="Zebra"), options=KEEPS) as server,
        visit(chromium, server) as there,
    ):
        await there.sign_in(accepts=False)
        await keep_from_now_on(there)
        await there.button("Blind").click()
        await there.ask(QUESTION)
        await is_kept(there)
        await there.button("New").click()
        shown = await history(there)
        await expect(shown.locator("li")).to_contain_text("models hidden")
        await shown.get_by_role("button", name=QUESTION, exact=True).click()
        await expect(there.pane("A")).to_contain_text("name hidden")
        assert "Zebra" not in await there.page.locator("body").inner_html()
        await there.button("A is better").click()
        await there.button("Give it, and show the names").click()
        await expect(there.page.locator(".given")).to_contain_text("A is better")
        for side in "AB":
            pane = there.pane(side)
            await expect(pane.locator("header")).to_contain_text("Zebra")
            wrote = (
                "Rest."
                if "base" in await pane.locator("header").inner_text()
                else "Walk."
            )
            await expect(pane.locator(".answer")).to_contain_text(wrote)
        await is_kept(there)


async def test_another_user_at_the_same_page_sees_nothing_of_it(
    chromium: Browser,
) -> None:
    async with (
        served(named=["anna", "ben"], options=KEEPS) as server,
        visit(chromium, server) as there,
    ):
        await there.sign_in(server.token("anna"), accepts=False)
        await keep_from_now_on(there)
        await there.ask(QUESTION)
        await is_kept(there)
        await there.button("Lock").click()
        await there.page.get_by_label("Your token").fill(server.token("ben"))
        await there.page.keyboard.press("Enter")
        await keep_from_now_on(there, OTHER)
        shown = await history(there)
        await expect(shown.get_by_role("status")).to_have_text("Nothing is kept yet.")
        assert "asthma" not in await there.page.locator("body").inner_html()


async def test_flags_of_a_consultation_that_is_opened_are_unread_again(
    chromium: Browser,
) -> None:
    async with served(options=KEEPS) as server, visit(chromium, server) as there:
        await there.sign_in(accepts=False)
        await keep_from_now_on(there)
        await there.ask(HEART)
        await there.button("Mark as read").click()
        await is_kept(there)
        await there.button("New").click()
        shown = await history(there)
        await shown.locator("button.title").click()
        flags = there.page.get_by_role("alert", name="Red flags")
        await expect(flags).to_contain_text("acute coronary syndrome")
        await flags.locator("summary").click()
        await expect(flags).to_contain_text("Source:")


async def test_a_server_that_keeps_nothing_offers_nothing(chromium: Browser) -> None:
    async with served() as server, visit(chromium, server) as there:
        await there.sign_in(accepts=False)
        await expect(chips(there)).to_contain_text("not saved")
        await expect(there.button("not saved")).to_have_count(0)
        await expect(there.button("Records", exact=True)).to_have_count(0)


@pytest.mark.parametrize(
    ("width", "height", "scheme"),
    [(320, 640, "light"), (320, 256, "dark"), (800, 600, "dark"), (1280, 800, "light")],
)
async def test_the_records_are_reached_by_all(
    chromium: Browser, width: int, height: int, scheme: str
) -> None:
    pytest.importorskip("axe_playwright_python")
    how: Any = {
        "viewport": {"width": width, "height": height},
        "color_scheme": scheme,
        "bypass_csp": True,
        "reduced_motion": "reduce",
    }
    async with (
        served(options=KEEPS) as server,
        visit(chromium, server, **how) as there,
    ):
        press = there.page.keyboard.press

        async def looks_well(shown: Any) -> None:
            await expect(shown).to_be_visible()
            assert await problems(there) == []
            assert not await overflows(there)
            box = await shown.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= height

        await there.sign_in(accepts=False)
        assert await problems(there) == []
        await there.button("Keep my consultations").click()
        asks = dialog(there, "Keep your consultations")
        await looks_well(asks)
        # Without a mouse: the first field has the focus, Enter goes on, Esc leaves.
        await there.page.keyboard.type("short")
        await press("Tab")
        await there.page.keyboard.type("short")
        await press("Enter")
        await expect(asks.locator(".problem")).to_contain_text("at least 8")
        await looks_well(asks)
        await there.page.keyboard.type(PASSPHRASE)
        await press("Tab")
        await there.page.keyboard.type(PASSPHRASE)
        await press("Enter")
        await expect(asks).to_have_count(0)
        await there.ask(f"{QUESTION} {'Pneumonoultramicroscopic' * 6}")
        await is_kept(there)
        await there.ask("And then?")
        await is_kept(there)
        shown = await history(there)
        await expect(shown.get_by_label("Search")).to_be_focused()
        await there.page.keyboard.type("asth")
        await expect(shown.locator(".snippet").first).to_be_visible()
        await looks_well(shown)
        await press("Tab")
        await press("Tab")
        await expect(shown.locator("button.title")).to_be_focused()
        await press("Tab")
        await press("Enter")
        sure = dialog(there, "Delete this consultation?")
        await looks_well(sure)
        await press("Escape")
        await expect(sure).to_have_count(0)
        await press("Escape")
        await expect(shown).to_have_count(0)
