"""What the page asks the server for beside its answers."""

from __future__ import annotations

from typing import Any

import pytest

from medassist.consult.verdict import CHOICES
from medassist.intended_use import INTENDED_USE_VERSION
from medassist.records.export.export_document import UNREVIEWED
from medassist.serve.page import acceptance
from medassist.serve.served_pair import LocalPair
from tests.serve.serving import served

SECRET = "Mrs Margaret Thatcher, born 13/10/1925"
PROVENANCE = {
    "model": "Tiny tuned",
    "quantization": "Q8_0",
    "adapter": "adapter.gguf",
    "files": ["base.gguf", "adapter.gguf"],
    "sha256": "a" * 64,
    "adapter_sha256": None,
    "confined": "a test",
}


def answer(text: str, **more: Any) -> dict[str, Any]:
    return {"text": text, "stop_reason": "end", "tokens_written": 4, **more}


def consultation(question: str = "What is asthma?", **more: Any) -> dict[str, Any]:
    turn = {
        "question": question,
        "flags": [{"id": "r1", "title": "A flag", "text": "Look.", "source": "us"}],
        "sides": {
            "A": {"answers": [answer("First A."), answer("Second A.")], "shown": 0},
            "B": {"answers": [answer("From B.", provenance=PROVENANCE)]},
        },
        "verdicts": [
            {
                "choice": "B",
                "blind": True,
                "given": "2026-05-05T10:00:00Z",
                "reasons": ["safety"],
            }
        ],
    }
    created = "2026-05-05T09:00:00Z"
    return {"turns": [turn], "created": created, "side_a": "base", **more}


async def exported(client: Any, **more: Any) -> Any:
    body = {"consultation": consultation(), "form": "markdown", **more}
    found = await client.post("/v1/page/export", json=body)
    assert found.status_code == 200, found.text
    return found.json()


async def test_the_intended_use_is_accepted_once_by_each_user() -> None:
    async with (
        served(named=["anna", "ben"]) as server,
        server.http("anna") as anna,
        server.http("ben") as ben,
    ):
        setup = (await anna.get("/v1/page/setup")).json()
        assert setup["accepted"] is False
        assert any("not a medical device" in p for p in _paragraphs(setup))
        old = {"version": INTENDED_USE_VERSION - 1}
        refused = await anna.post("/v1/page/accepted", json=old)
        assert refused.status_code == 409
        now = {"version": INTENDED_USE_VERSION}
        assert (await anna.post("/v1/page/accepted", json=now)).status_code == 200
        assert (await anna.get("/v1/page/setup")).json()["accepted"] is True
        assert (await ben.get("/v1/page/setup")).json()["accepted"] is False
    assert acceptance.accepted("anna") == INTENDED_USE_VERSION
    assert acceptance.accepted("ben") == 0


def _paragraphs(setup: dict[str, Any]) -> list[str]:
    return setup["intended_use"]["paragraphs"]


async def test_the_page_knows_whether_a_question_would_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with served() as server, server.http() as client:
        for host, leaves in (
            ("", False),
            ("localhost:8000", False),
            ("127.0.0.1:8000", False),
            ("[::1]:8000", False),
            ("ward.example:8000", True),
            ("10.0.0.7", True),
        ):
            source = server.running.desk.source
            assert isinstance(source, LocalPair)
            monkeypatch.setattr(source, "answers_from", host)
            setup = (await client.get("/v1/page/setup")).json()
            assert (setup["answers_from"] or "") == host
            assert setup["leaves"] is leaves, host


async def test_identifiers_are_shown_and_replaced_before_a_question_is_sent() -> None:
    async with served() as server, server.http() as client:
        body = {"text": f"{SECRET}, has a cough."}
        found = (await client.post("/v1/page/identifiers", json=body)).json()
        places = [p["text"] for k in found["found"]["kinds"] for p in k["places"]]
        assert "13/10/1925" in " ".join(places)
        assert "to be sent" in found["found"]["about"]
        assert "Thatcher" not in found["without"]
        assert "1925" not in found["without"]
        assert found["without"].endswith(", has a cough.")
        plain = {"text": "A man has a cough and a fever."}
        nothing = (await client.post("/v1/page/identifiers", json=plain)).json()
        assert nothing["found"] is None


async def test_differences_are_in_pieces_that_make_up_the_sentences() -> None:
    async with served() as server, server.http() as client:
        a = "Give aspirin 300 mg once. It helps."
        b = "Give aspirin 3000 mg once. It helps."
        found = await client.post("/v1/page/differences", json={"a": a, "b": b})
    said = found.json()
    assert said["apart"] == ["doses"]
    (doses,) = [fact for fact in said["facts"] if fact["fact"] == "dose"]
    row = said["rows"][doses["rows"][0]]
    assert "".join(text for text, _ in row["a"]) == "Give aspirin 300 mg once."
    assert ["300 mg", "dose"] in row["a"]
    assert ["3000 mg", "dose"] in row["b"]
    assert said["rows"][1]["same"]


@pytest.mark.parametrize("form", ["markdown", "html", "json"])
async def test_an_export_says_that_it_is_an_unreviewed_draft(form: str) -> None:
    async with served() as server, server.http() as client:
        made = await exported(client, form=form, identifiers="keep")
    text = made["content"]
    assert UNREVIEWED in text
    for part in ("What is asthma?", "First A.", "Second A.", "From B.", "A flag"):
        assert part in text, part
    assert "a" * 64 in text
    assert made["name"].startswith("consultation-")


async def test_an_export_asks_before_identifiers_go_out_and_can_replace_them() -> None:
    held = consultation(f"{SECRET}: what now?")
    async with served() as server, server.http() as client:
        asked = await exported(client, consultation=held)
        assert "content" not in asked
        assert "to be exported" in asked["found"]["about"]
        kept = await exported(client, consultation=held, identifiers="keep")
        assert "13/10/1925" in kept["content"]
        without = await exported(client, consultation=held, identifiers="replace")
        assert "1925" not in without["content"]
        assert "Thatcher" not in without["content"]


async def test_an_export_of_hidden_names_tells_nothing_of_them() -> None:
    held = consultation(side_a=None, blind=True)
    held["turns"][0]["sides"]["B"]["answers"][0].pop("provenance")
    held["turns"][0]["verdicts"] = []
    async with served() as server, server.http() as client:
        for form in ("markdown", "html", "json"):
            made = await exported(
                client, consultation=held, form=form, identifiers="keep"
            )
            text = made["content"]
            assert "Model A" in text
            assert "tuned" not in text, form
            assert "seed" not in text, form


async def test_a_verdict_names_the_model_that_stood_on_that_side() -> None:
    async with served() as server, server.http() as client:
        for side_a, winner in (("base", "tuned model"), ("tuned", "base model")):
            held = consultation(side_a=side_a, blind=True)
            made = await exported(client, consultation=held, identifiers="keep")
            assert f"B is better ({winner}), given while names" in made["content"]


async def test_what_is_no_consultation_is_refused() -> None:
    async with served() as server, server.http() as client:
        changes: list[dict[str, Any]] = [
            {"turns": []},
            {"side_a": "elsewhere"},
            {"created": "yesterday"},
            {"file": "/etc/passwd"},
        ]
        for change in changes:
            body = {"consultation": consultation(**change)}
            found = await client.post("/v1/page/export", json=body)
            assert found.status_code == 400, change
        for choice in (*CHOICES, "C"):
            held = consultation()
            held["turns"][0]["verdicts"][0]["choice"] = choice
            body = {"consultation": held, "identifiers": "keep"}
            found = await client.post("/v1/page/export", json=body)
            assert (found.status_code == 200) == (choice in CHOICES)


def test_a_list_of_acceptances_that_cannot_be_read_asks_again() -> None:
    acceptance.accept("anna", 3)
    file = acceptance.data_place() / acceptance.FOLDER / acceptance.FILE
    assert acceptance.accepted("anna") == 3
    file.write_text("{broken")
    assert acceptance.accepted("anna") == 0
    acceptance.accept("anna", 4)
    assert acceptance.accepted("anna") == 4
    assert file.stat().st_mode & 0o077 == 0
