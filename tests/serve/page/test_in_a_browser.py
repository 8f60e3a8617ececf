"""The page in Chromium: a consultation from the token to the export."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.async_api")

from playwright.async_api import Browser, expect

from medassist.core.values import TooLong
from medassist.intended_use import INTENDED_USE_VERSION
from medassist.serve.page.acceptance import accept
from medassist.serve.users import ALONE
from tests.serve.page.visiting import visit
from tests.serve.serving import HEART, QUESTION, served
from tests.stubs.engine import Script, answer_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

BASE = "Give **aspirin** 300 mg once.\n\n<b>raw</b> [x](javascript:alert(1))\n\nDone."
TUNED = (
    "Give **aspirin** 3000 mg once.\n\n"
    "| Drug | Dose |\n|--|--|\n| ibuprofen | 400 mg |\n"
)


def pieces(text: str) -> list[str]:
    return re.findall(r"(?s).{1,12}", text)


def script(**more: Any) -> Script:
    answers = {"base": pieces(BASE), "tuned": pieces(TUNED)}
    return Script(**{"answers": answers, "name": "Zebra", **more})


@pytest.fixture
def accepted() -> None:
    accept(ALONE, INTENDED_USE_VERSION)


async def test_the_token_lets_in_and_stays_in_no_address(chromium: Browser) -> None:
    async with served(script()) as server, visit(chromium, server) as there:
        await there.page.goto(server.url)
        await expect(there.page.get_by_label("Your token")).to_be_focused()
        await there.page.keyboard.type("medassist-wrong")
        await there.page.keyboard.press("Enter")
        await expect(there.page.locator(".problem")).to_contain_text("not valid")
        await there.page.get_by_label("Your token").fill(server.running.address)
        await there.page.keyboard.press("Enter")
        await there.button("I understand").click()
        await expect(there.page.locator("#composer")).to_be_visible()
        await there.page.reload()
        await expect(there.page.locator("#composer")).to_be_visible()
        await there.button("Lock").click()
        await expect(there.page.get_by_label("Your token")).to_be_focused()
        await there.page.goto(server.running.address)
        await expect(there.page.locator("#composer")).to_be_visible()
        assert server.token() not in there.page.url


async def test_the_intended_use_is_read_once_and_who_declines_stays_out(
    chromium: Browser,
) -> None:
    async with served(script()) as server:
        async with visit(chromium, server) as there:
            await there.page.goto(f"{server.url}/#{server.token()}")
            dialog = there.page.get_by_role("dialog", name="Before you begin")
            await expect(dialog).to_contain_text("not a medical device")
            await there.page.keyboard.press("Escape")
            await expect(dialog).to_be_visible()
            await there.button("Leave").click()
            await expect(there.page.locator("#composer")).to_be_hidden()
        async with visit(chromium, server) as there:
            await there.sign_in()
        async with visit(chromium, server) as there:
            await there.sign_in(accepts=False)
            await expect(there.page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.usefixtures("accepted")
async def test_red_flags_stand_there_before_the_first_word(chromium: Browser) -> None:
    hold = asyncio.Event()
    following = script(hold=hold, hold_before_first=True)
    async with served(following) as server, visit(chromium, server) as there:
        await there.sign_in(accepts=False)
        await there.ask(HEART, waits=False)
        flags = there.page.get_by_role("alert", name="Red flags")
        await expect(flags).to_contain_text("acute coronary syndrome")
        for side in "AB":
            assert not (await there.pane(side).locator(".answer").inner_text()).strip()
        hold.set()
        await there.over()
        await expect(flags).to_be_in_viewport()
        await there.button("Mark as read").click()
        await expect(flags).to_have_count(0)
        await expect(there.page.locator(".flag.read")).to_contain_text("coronary")


@pytest.mark.usefixtures("accepted")
async def test_answers_are_drawn_with_doses_marked_and_nothing_that_acts(
    chromium: Browser,
) -> None:
    async with served(script()) as server, visit(chromium, server) as there:
        await there.sign_in(accepts=False)
        await there.ask(QUESTION)
        a, b = there.pane("A"), there.pane("B")
        await expect(a.locator("mark.amount")).to_have_text(["300 mg"])
        await expect(b.locator("mark.amount")).to_have_text(["3000 mg", "400 mg"])
        await expect(a.locator("strong")).to_have_text(["aspirin"])
        await expect(b.locator("td")).to_have_text(["ibuprofen", "400 mg"])
        await expect(a).to_contain_text("<b>raw</b> [x](javascript:alert(1))")
        await expect(there.page.locator(".answer a, .answer b")).to_have_count(0)
        await expect(a.locator(".sources")).to_contain_text("cites nothing")
        await expect(a.locator("header")).to_contain_text("Zebra base")
        await expect(there.page.locator(".apart")).to_contain_text("doses")
        await there.button("Differences").click()
        dialog = there.page.get_by_role("dialog", name="Differences")
        await expect(dialog.locator("mark.fact").first).to_have_text("300 mg")
        await there.page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)


@pytest.mark.usefixtures("accepted")
async def test_each_model_goes_on_from_its_own_answer(chromium: Browser) -> None:
    async with served() as server, visit(chromium, server) as there:
        await there.sign_in(accepts=False)
        await there.ask(QUESTION)
        await there.ask("And in children?")
        await expect(there.page.locator("article.turn")).to_have_count(2)
        for pane, question in server.engine.asked[-1].items():
            said = [(m.role, m.content) for m in question.messages]
            assert said[-3:] == [
                ("user", QUESTION),
                ("assistant", answer_of(pane, QUESTION)),
                ("user", "And in children?"),
            ]


@pytest.mark.usefixtures("accepted")
async def test_what_is_written_can_be_stopped_and_is_kept(chromium: Browser) -> None:
    following = script(hold=asyncio.Event())
    async with served(following) as server, visit(chromium, server) as there:
        await there.sign_in(accepts=False)
        await there.ask(QUESTION, waits=False)
        await expect(there.pane("A").locator(".answer")).to_contain_text("Give")
        await there.page.keyboard.press("Escape")
        await there.over()
        await expect(there.pane("A")).to_contain_text("not whole")
        await expect(there.pane("A").locator(".pane-foot")).to_contain_text("stopped")
        await expect(there.pane("B")).to_contain_text("stopped")
        assert not server.running.desk.queue.running


@pytest.mark.usefixtures("accepted")
async def test_one_side_is_stopped_alone(chromium: Browser) -> None:
    following = script(hold=asyncio.Event())
    async with served(following) as server, visit(chromium, server) as there:
        await there.sign_in(accepts=False)
        await there.ask(QUESTION, waits=False)
        await there.button("Stop A").click()
        await expect(there.pane("A")).to_contain_text("not whole")
        await there.over()
        await expect(there.pane("A").locator(".pane-foot")).to_contain_text("stopped")
        await expect(there.pane("B")).to_contain_text("whole answer")


@pytest.mark.usefixtures("accepted")
async def test_asked_again_both_answer_with_another_seed_and_the_first_stays(
    chromium: Browser,
) -> None:
    following = script()
    async with served(following) as server, visit(chromium, server) as there:
        await there.sign_in(accepts=False)
        await there.ask(QUESTION)
        following.answers["base"] = ["Another answer."]
        await there.button("Ask again").click()
        await expect(there.pane("A")).to_contain_text("answer 2 of 2")
        await expect(there.pane("A")).to_contain_text("Another answer.")
        seeds = [asked["base"].sampling.seed for asked in server.engine.asked]
        assert len(set(seeds)) == 2
        await there.button("Earlier answer of A").click()
        await expect(there.pane("A")).to_contain_text("answer 1 of 2")
        await expect(there.pane("A").locator("strong")).to_have_text(["aspirin"])


@pytest.mark.usefixtures("accepted")
async def test_a_whole_blind_consultation(chromium: Browser) -> None:
    named = {"base": ["I am Zebra base."], "tuned": ["I am Zebra tuned, 300 mg."]}
    async with (
        served(script(answers=named)) as server,
        visit(chromium, server) as there,
    ):
        await there.sign_in(accepts=False)
        await there.button("Blind").click()
        await expect(there.page.locator(".card")).to_have_count(2)
        await there.ask(HEART)
        await there.ask("And then?")
        await there.button("Differences").last.click()
        await expect(
            there.page.get_by_role("dialog", name="Differences")
        ).to_be_visible()
        await there.page.keyboard.press("Escape")
        await expect(there.page.get_by_role("dialog")).to_have_count(0)
        seen = await there.page.locator("body").inner_html()
        assert "Zebra" not in seen
        assert not re.search(r"\b(base|tuned)\b|tok/s|TTFT", seen)
        await there.button("B is better").last.click()
        await there.button("safety").click()
        await there.button("Give it, and show the names").click()
        verdict = there.page.locator(".given")
        await expect(verdict).to_contain_text("given while names were hidden")
        await expect(verdict).to_contain_text("for safety")
        winner = await there.pane("B").locator(".role").inner_text()
        assert winner in ("base", "tuned")
        await expect(verdict).to_contain_text(f"({winner} model)")
        await expect(there.pane("B", 0)).to_contain_text(f"Zebra {winner}")
        sides = {await there.pane(side).locator(".role").inner_text() for side in "AB"}
        assert sides == {"base", "tuned"}
        # Both were asked with what stands on their side, from first to last.
        asked = server.engine.asked[-1][winner].messages
        drawn = there.pane("B", 0).locator(".drawn")
        await expect(drawn).not_to_be_empty()
        shown = await drawn.inner_text()
        assert shown in [m.content for m in asked if m.role == "assistant"]
        # A verdict that was given blind stays.
        await expect(there.button("A is better").nth(1)).to_have_count(0)


@pytest.mark.usefixtures("accepted")
async def test_an_export_is_a_draft_and_asks_about_identifiers(
    chromium: Browser, tmp_path: Path
) -> None:
    async with served(script()) as server, visit(chromium, server) as there:
        await there.sign_in(accepts=False)
        await there.ask(
            "Mrs Margaret Thatcher, born 13/10/1925, has a cough. What now?"
        )
        await there.button("Export").click()
        await expect(there.page.get_by_role("dialog")).to_contain_text(
            "DRAFT, UNREVIEWED"
        )
        await there.page.get_by_role("radio", name="JSON for programs").check()
        await there.button("Export").last.click()
        warning = there.page.get_by_role("dialog", name=re.compile("who the patient"))
        await expect(warning).to_contain_text("13/10/1925")
        async with there.page.expect_download() as waiting:
            await there.button("Replace all and export").click()
        download = await waiting.value
        file = tmp_path / "export.json"
        await download.save_as(file)
        assert re.fullmatch(r"consultation-[\d-]+\.json", download.suggested_filename)
        written = json.loads(file.read_text())
        assert written["status"] == "DRAFT, UNREVIEWED"
        assert "1925" not in file.read_text()
        assert "Give **aspirin** 3000 mg once." in file.read_text()


@pytest.mark.usefixtures("accepted")
async def test_nothing_leaves_for_another_host_before_identifiers_were_shown(
    chromium: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(script()) as server, visit(chromium, server) as there:
        source = server.running.desk.source
        monkeypatch.setattr(source, "answers_from", "models.example:8000")
        await there.sign_in(accepts=False)
        chips = there.page.locator("#chips")
        await expect(chips).to_contain_text("answers come from models.example:8000")
        await expect(chips).not_to_contain_text("OFFLINE")
        question = "Mrs Margaret Thatcher, born 13/10/1925, has a cough."
        await there.ask(question, waits=False)
        await expect(there.page.get_by_role("dialog")).to_contain_text("13/10/1925")
        assert not server.engine.asked
        await there.button("Back").click()
        await expect(there.page.get_by_label("Your question")).to_have_value(question)
        await there.page.get_by_label("Your question").press("Enter")
        async with there.page.expect_request("**/v1/compare") as waiting:
            await there.button("Replace all and send").click()
        decided = (await waiting.value).headers["medassist-identifiers"]
        assert decided == "keep"  # as it stands now: the user has seen it
        await there.over()
        (asked,) = server.engine.asked
        assert "1925" not in asked["base"].messages[-1].content
        assert "cough" in asked["base"].messages[-1].content


@pytest.mark.usefixtures("accepted")
async def test_ten_idle_minutes_lock_and_the_token_shows_the_consultation_again(
    chromium: Browser,
) -> None:
    async with served(script()) as server, visit(chromium, server) as there:
        await there.page.clock.install()
        await there.sign_in(accepts=False)
        await there.ask(HEART)
        await there.page.clock.fast_forward("09:00")
        await there.page.mouse.move(200, 200)
        await there.page.evaluate(
            "() => { window.heard = new Promise((heard) =>"
            " addEventListener('wheel', () => heard(true), { once: true })); }"
        )
        await there.page.mouse.wheel(0, 10)
        # The browser hands a wheel on with its next frame, not at once.
        await there.page.evaluate("window.heard")
        await there.page.clock.fast_forward("09:00")
        await expect(there.page.locator("#composer")).to_be_visible()
        await there.page.clock.fast_forward("02:00")
        await expect(there.page.get_by_role("heading", name="Locked")).to_be_visible()
        assert "coronary" not in await there.page.locator("body").inner_html()
        assert "aspirin" not in await there.page.locator("body").inner_html()
        kept = await there.page.evaluate("JSON.stringify(sessionStorage)")
        assert server.token() not in kept
        await there.page.get_by_label("Your token").fill(server.token())
        await there.page.keyboard.press("Enter")
        await expect(there.pane("A")).to_contain_text("aspirin")
        assert len(server.engine.asked) == 1


@pytest.mark.usefixtures("accepted")
async def test_a_tab_that_comes_back_after_ten_minutes_has_no_token(
    chromium: Browser,
) -> None:
    async with served(script()) as server, visit(chromium, server) as there:
        await there.sign_in(accepts=False)
        for minutes, let_in in ((9, True), (11, False)):
            await there.page.evaluate(
                "minutes => sessionStorage.setItem('medassist.touched',"
                " String(Date.now() - minutes * 60000))",
                minutes,
            )
            await there.page.goto("about:blank")
            await there.page.goto(server.url)
            shown = "#composer" if let_in else "#token"
            await expect(there.page.locator(shown)).to_be_visible()


async def test_somebody_else_who_unlocks_sees_nothing_of_it(chromium: Browser) -> None:
    for user in ("anna", "ben"):
        accept(user, INTENDED_USE_VERSION)
    async with (
        served(script(), named=["anna", "ben"]) as server,
        visit(chromium, server) as there,
    ):
        await there.sign_in(server.token("anna"), accepts=False)
        await there.ask(QUESTION)
        await there.button("Lock").click()
        await there.page.get_by_label("Your token").fill(server.token("ben"))
        await there.page.keyboard.press("Enter")
        await expect(there.page.locator(".welcome")).to_be_visible()
        assert "aspirin" not in await there.page.locator("body").inner_html()


@pytest.mark.usefixtures("accepted")
async def test_what_does_not_fit_can_be_asked_without_the_oldest_turn(
    chromium: Browser,
) -> None:
    def too_long(pane: Any, question: Any) -> TooLong | None:
        if len(question.messages) < 3:
            return None
        return TooLong(pane, tokens=5000, fits=3000, droppable=(4000,))

    async with (
        served(script(too_long=too_long)) as server,
        visit(chromium, server) as there,
    ):
        await there.sign_in(accepts=False)
        await there.ask(QUESTION)
        await there.ask("And then?", waits=False)
        trouble = there.page.locator(".trouble").last
        await expect(trouble).to_contain_text("5,000 tokens; 3,000 fit")
        await there.button("Leave out the oldest turn and ask again").click()
        await expect(there.pane("A")).to_contain_text("aspirin")
        await expect(there.page.locator(".trouble").first).to_contain_text(
            "no longer sent"
        )


@pytest.mark.usefixtures("accepted")
async def test_a_server_that_refuses_is_quoted_and_the_question_comes_back(
    chromium: Browser,
) -> None:
    async with (
        served(script(dies=True)) as server,
        visit(chromium, server) as there,
    ):
        await there.sign_in(accepts=False)
        await there.ask(QUESTION, waits=False)
        trouble = there.page.locator(".trouble").last
        await expect(trouble).to_contain_text("process ended while it answered")
        await there.button("Take the question back").click()
        field = there.page.get_by_label("Your question")
        await expect(field).to_have_value(QUESTION)
        await expect(there.page.locator("article.turn")).to_have_count(0)
