"""Consultations are kept in their user's records, found, gone on with and deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from medassist.consult.answer import ModelFile, Source
from medassist.core.values import PaneName
from medassist.records.errors import NotSaved
from medassist.serve.served_pair import LocalPair
from tests.serve.records.keeping import (
    answer,
    held,
    keeping,
    turn,
    vaults,
)
from tests.serve.serving import QUESTION, events_in, said
from tests.stubs.engine import Script

SECRET = "Mrs Margaret Thatcher, born 13/10/1925"


def words(found: Any) -> list[tuple[str, list[str], list[str]]]:
    """Question and answers of each turn of what was opened."""
    kept = found["consultation"]["turns"]
    return [(one["question"], _said(one, "A"), _said(one, "B")) for one in kept]


def _said(one: Any, side: str) -> list[str]:
    return [answer["text"] for answer in one["sides"][side]["answers"]]


async def test_what_was_kept_is_listed_found_and_opened_again() -> None:
    async with keeping() as (_, (anna,)):
        await anna.begins()
        assert await anna.finds() == []
        first = held(turn("Chest pain since an hour?", "Give **aspirin** 300 mg."))
        kept = await anna.keeps(first)
        await anna.keeps(held(turn("A cough for weeks?")))
        assert await anna.finds() == ["A cough for weeks?", "Chest pain since an hour?"]
        assert await anna.finds("aspir") == ["Chest pain since an hour?"]
        assert await anna.finds("nowhere") == []
        found = await anna.opens(kept["id"])
        assert words(found) == [
            ("Chest pain since an hour?", ["Give **aspirin** 300 mg."], ["From B."])
        ]
        (one,) = found["consultation"]["turns"]
        assert one["flags"] == first["turns"][0]["flags"]
        (a,) = one["sides"]["A"]["answers"]
        assert a["stop_reason"] == "end"
        assert a["seed"] == 7
        assert a["notices"][-1].startswith("No source")
        assert found["others"] is False


async def test_what_comes_later_is_added_and_nothing_is_kept_twice() -> None:
    async with keeping() as (_, (anna,)):
        await anna.begins()
        one, two = turn("One?"), turn("Two?")
        number = (await anna.keeps(held(one)))["id"]
        one["sides"]["A"] = {
            "answers": [answer("From A."), answer("Again.")],
            "shown": 0,
        }
        given = "2026-05-05T10:00:00Z"
        one["verdicts"] = [{"choice": "B", "blind": False, "given": given}]
        one["left_out"] = True
        for _ in range(2):
            assert (await anna.keeps(held(one, two), id=number))["id"] == number
        found = await anna.opens(number)
        assert words(found) == [
            ("One?", ["From A.", "Again."], ["From B."]),
            ("Two?", ["From A."], ["From B."]),
        ]
        first = found["consultation"]["turns"][0]
        assert first["sides"]["A"]["shown"] == 0
        assert first["left_out"] is True
        assert [v["choice"] for v in first["verdicts"]] == ["B"]
        assert await anna.finds() == ["One?"]
        assert await anna.finds(verdict="B") == ["One?"]
        assert await anna.finds(verdict="A") == []


async def test_one_is_deleted_or_all_and_stay_deleted() -> None:
    async with keeping() as (_, (anna,)):
        await anna.begins()
        number = (await anna.keeps(held(turn("One?"))))["id"]
        await anna.keeps(held(turn("Two?")))
        assert await anna.does("DELETE", f"/consultations/{number}") == {"deleted": 1}
        assert await anna.finds() == ["Two?"]
        assert (await anna.ask("GET", f"/consultations/{number}"))[0] == 404
        body = {"consultation": held(turn("One?")), "id": number}
        assert (await anna.ask("POST", "/consultations", body))[0] == 404
        await anna.does("DELETE")
        assert await anna.does("GET") == {"state": "none"}
        assert (await anna.ask("POST", "/search", {}))[0] == 423
        await anna.begins()
        assert await anna.finds() == []


async def test_identifiers_are_shown_before_anything_is_kept_and_can_be_replaced() -> (
    None
):
    async with keeping() as (_, (anna,)):
        await anna.begins()
        # Signs that are not seen do not keep a text from being replaced.
        question = f"\u202e{SECRET}:\r\nwhat now?"
        consultation = held(turn(question, "Mrs Thatcher has a cough."))
        body: dict[str, Any] = {"consultation": consultation}
        asked = await anna.does("POST", "/consultations", body)
        assert asked["id"] is None
        assert "to be saved" in asked["found"]["about"]
        assert await anna.finds() == []
        body["identifiers"] = "replace"
        done = await anna.does("POST", "/consultations", body)
        # What is kept is what the page shows from then on.
        reworded = words(done)
        assert reworded == words(await anna.opens(done["id"]))
        assert "1925" not in str(reworded)
        assert "Thatcher" not in str(reworded)
        assert (await anna.opens(done["id"]))["consultation"][
            "keeps_identifiers"
        ] is False
        body["identifiers"] = "keep"
        done = await anna.does("POST", "/consultations", body)
        found = (await anna.opens(done["id"]))["consultation"]
        assert found["keeps_identifiers"] is True
        assert "1925" in found["turns"][0]["question"]


async def test_only_what_is_not_kept_yet_is_looked_through() -> None:
    async with keeping() as (_, (anna,)):
        await anna.begins()
        first = turn(f"{SECRET}: what now?")
        warned = [{"kind": "DATE", "count": 1, "outcome": "kept"}]
        number = (await anna.keeps(held(first), warned=warned))["id"]
        body: dict[str, Any] = {
            "consultation": held(first, turn("And in children?")),
            "id": number,
        }
        assert (await anna.does("POST", "/consultations", body))["found"] is None
        body["consultation"] = held(first, turn("And for her son, Mr John Smith?"))
        asked = await anna.does("POST", "/consultations", body)
        places = [p["text"] for k in asked["found"]["kinds"] for p in k["places"]]
        assert any("Smith" in place for place in places)
        assert not any("1925" in place for place in places)
        found = (await anna.opens(number))["consultation"]
        assert found["keeps_identifiers"] is True


async def blind(client: httpx.AsyncClient) -> tuple[str, dict[str, str]]:
    """The id of a blind comparison, and the answer of each side."""
    body = {"messages": said(), "blind": True}
    events = events_in((await client.post("/v1/compare", json=body)).text)
    answers = {d["pane"]: d["text"] for name, d in events if name == "answered"}
    return events[0][1]["id"], answers


async def draw(client: httpx.AsyncClient, id: str) -> Any:
    """Which side of a comparison is which."""
    answer = await client.post(f"/v1/compare/{id}/reveal", json={})
    return answer.json()["sides"]


async def test_a_blind_consultation_is_kept_with_its_draw_and_tells_no_name() -> None:
    answers_of: dict[PaneName, str] = {"base": "Rest.", "tuned": "Walk."}
    script = Script(answers={pane: [text] for pane, text in answers_of.items()})
    async with keeping(script=script) as (_, (anna,)):
        await anna.begins()
        for _ in range(6):  # both draws come
            drawn_by, answers = await blind(anna.client)
            one = turn(QUESTION, answers["A"], answers["B"])
            consultation = held(one, side_a=None, blind=True)
            number = (await anna.keeps(consultation, drawn_by=drawn_by))["id"]
            found = await anna.opens(number)
            assert words(found) == [(QUESTION, [answers["A"]], [answers["B"]])]
            assert found["consultation"]["side_a"] is None
            assert found["answered_by"] is None
            newest, *_ = (await anna.does("POST", "/search", {}))["lines"]
            told = str(found) + str(newest)
            for name in ("tuned", "Tiny", "adapter", "provenance", "ttft"):
                assert name not in told
            # It is gone on with blind: this server knows the draw again.
            more = {"blind": True, "sides_of": found["drawn_by"]}
            again = {side: said("And then?") for side in "AB"}
            body = {"messages": again, **more}
            events = events_in((await anna.client.post("/v1/compare", json=body)).text)
            assert events[-1][0] == "done"
            revealed = await draw(anna.client, drawn_by)
            assert await draw(anna.client, found["drawn_by"]) == revealed
            shown = {**consultation, "side_a": revealed["A"]}
            await anna.keeps(shown, id=number)
            found = (await anna.opens(number))["consultation"]
            assert found["side_a"] == revealed["A"]
            for side in "AB":
                (written,) = found["turns"][0]["sides"][side]["answers"]
                assert written["text"] == answers_of[revealed[side]]
                assert written["provenance"]["model"] == f"Tiny {revealed[side]}"


async def test_a_draw_that_nobody_knows_is_refused() -> None:
    async with keeping() as (_, (anna,)):
        await anna.begins()
        consultation = held(turn("One?"), side_a=None, blind=True)
        for more, status in (({}, 400), ({"drawn_by": "unknown"}, 409)):
            body = {"consultation": consultation, **more}
            assert (await anna.ask("POST", "/consultations", body))[0] == status


async def test_an_answer_keeps_the_model_that_wrote_it_when_others_are_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with keeping() as (server, (anna,)):
        await anna.begins()
        one = turn("One?")
        source = server.running.desk.source
        assert isinstance(source, LocalPair)
        real = source.made_of

        def with_hash(pane: PaneName, of: str = "a") -> Any:
            made, _ = real(pane)
            return made, {made.files[0]: of * 64}

        monkeypatch.setattr(source, "made_of", with_hash)
        number = (await anna.keeps(held(one)))["id"]

        def another(pane: PaneName) -> Any:
            made, _ = real(pane)
            file = ModelFile(made.files[0].path, 99, 99)
            return type(made)("Heron 2B", files=(file,)), {file: "b" * 64}

        monkeypatch.setattr(source, "made_of", another)
        found = await anna.opens(number)
        assert found["others"] is True
        assert found["answered_by"] == ["Tiny base", "Tiny tuned"]
        await anna.keeps(held(one, turn("Two?")), id=number)
        first, second = (await anna.opens(number))["consultation"]["turns"]
        for one_of_them, name, of in (
            (first, "Tiny base", "a"),
            (second, "Heron 2B", "b"),
        ):
            (written,) = one_of_them["sides"]["A"]["answers"]
            assert written["provenance"]["model"] == name
            # The files have the same name, and are not the same.
            assert written["provenance"]["sha256"] == of * 64
            assert "/" not in written["provenance"]["files"][0]


async def test_the_files_of_a_model_are_told_apart_without_the_operators_folder() -> (
    None
):
    async with keeping() as (server, _):
        source = server.running.desk.source
        assert isinstance(source, LocalPair)
        loaded = ModelFile(Path("/srv/secret-place/base.gguf"), 5, 6)
        source.pair.sources["base"] = Source("Heron 1B", files=(loaded,))
        made, _ = source.made_of("base")
        assert made.files == (ModelFile(Path("base.gguf"), 5, 6),)


async def test_what_the_disk_does_not_take_is_said_without_the_operators_folder(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keeping() as (server, (anna,)):
        await anna.begins()
        store = vaults(server).store("you", anna.opening)

        async def full(_: Any) -> None:
            raise NotSaved("The disk that holds /srv/secret-place is full.")

        monkeypatch.setattr(store, "write", full)
        body = {"consultation": held(turn("One?")), "identifiers": "decided"}
        status, found = await anna.ask("POST", "/consultations", body)
        assert status == 500
        assert found["error"]["code"] == "not_kept"
        assert "secret-place" not in str(found)
        monkeypatch.undo()
        await anna.keeps(held(turn("One?")))
        assert await anna.finds() == ["One?"]
    assert "secret-place" in capfd.readouterr().err


async def test_what_no_page_sends_is_refused_and_nothing_is_kept() -> None:
    async with keeping() as (_, (anna,)):
        await anna.begins()
        good = held(turn("One?"))
        changes: list[dict[str, Any]] = [
            {"consultation": {**good, "created": "0001-01-01T00:00:00Z"}},
            {"consultation": {**good, "turns": []}},
            {"id": 0},
            {"id": 2**60},
            {"warned": [{"kind": "x" * 100, "count": 1, "outcome": "kept"}]},
            {"identifiers": "whatever"},
            {"folder": "/etc"},
        ]
        huge = held(turn("One?"))
        huge["turns"][0]["sides"]["A"]["answers"][0]["tokens_written"] = 2**70
        for change in (*changes, {"consultation": huge}):
            body = {"consultation": good, "identifiers": "decided", **change}
            assert (await anna.ask("POST", "/consultations", body))[0] == 400, change
        for typed in ('"', "* AND (", "NEAR(", "\0", "x" * 500):
            assert await anna.finds(typed) == []
        assert await anna.finds() == []
