"""The audit log: who asked when, never what, and no line can go missing unseen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from medassist.serve.audit import Audit, AuditError, verify
from medassist.serve.audit_recorder import MOST_WAITING, AuditRecorder
from medassist.serve.errors import Refusal
from medassist.serve.options import ServeOptions
from medassist.serve.served_pair import LocalPair
from medassist.session.pair import Pair
from medassist.settings import Settings
from tests.program import medassist_said
from tests.serve.serving import HEART, PAIR, chat_body, served
from tests.stubs.engine import FakeEngines, Script, answer_of


def written(file: Path, count: int = 5) -> list[str]:
    audit = Audit(file)
    for number in range(count):
        audit.write("question", user="anna", number=number)
    audit.close()
    return file.read_text().splitlines(keepends=True)


def test_what_was_written_is_whole_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    assert len(written(file, 5)) == 5
    assert len(written(file, 3)) == 8
    found = verify(file)
    assert found.lines == 8
    assert found.last == json.loads(file.read_text().splitlines()[-1])["mac"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "audit.jsonl.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda lines: [lines[0], *lines[2:]], "line 2: it does not follow"),
        (lambda lines: lines[1:], "line 1: it does not follow"),
        (lambda lines: lines[:-1], "5 lines were written and 4 are there"),
        (lambda lines: [], "5 lines were written and 0 are there"),
        (lambda lines: [*lines, lines[-1]], "line 6: it does not follow"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "line 1: it does not follow"),
        (
            lambda lines: [lines[0].replace("anna", "bert"), *lines[1:]],
            "line 1: it was changed",
        ),
        (
            lambda lines: [
                line.replace('"number": 2', '"number": 7') for line in lines
            ],
            "line 3: it was changed",
        ),
        (lambda lines: [*lines[:-1], lines[-1][:-9]], "line 5: it is not whole"),
        (lambda lines: [*lines[:-1], "[]\n"], "line 5: it was changed"),
        (lambda lines: [*lines[:-1], "{\n"], "line 5: it was changed"),
    ],
)
def test_a_line_that_is_missing_changed_or_moved_is_found(
    tmp_path: Path, change: Callable[[list[str]], list[str]], where: str
) -> None:
    file = tmp_path / "audit.jsonl"
    lines = written(file)
    file.write_text("".join(change(lines)))
    with pytest.raises(AuditError, match=where):
        verify(file)
    with pytest.raises(AuditError, match=where):
        Audit(file)


def test_a_line_whose_number_was_not_saved_yet_is_not_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    written(file, 3)
    key = tmp_path / "audit.jsonl.key"
    before = key.read_bytes()
    written(file, 1)
    key.write_bytes(before)  # as after a power cut between the two
    assert verify(file).lines == 4
    assert len(written(file, 1)) == 5
    assert verify(file).lines == 5


def test_without_its_key_a_log_is_not_gone_on_with(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    written(file)
    (tmp_path / "audit.jsonl.key").unlink()
    with pytest.raises(AuditError, match="cannot be said"):
        Audit(file)
    assert len(file.read_text().splitlines()) == 5


def test_two_servers_do_not_write_one_log(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.jsonl")
    with pytest.raises(AuditError, match="held by another"):
        Audit(tmp_path / "audit.jsonl")
    audit.close()
    Audit(tmp_path / "audit.jsonl").close()


def test_a_large_log_goes_on_in_a_new_file_and_both_are_whole(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    clock = iter(range(1_900_000_000, 1_900_100_000, 60))
    audit = Audit(file, now=lambda: float(next(clock)), largest=2000)
    for number in range(40):
        audit.write("question", user="anna", number=number)
    audit.close()
    ends = (".key", ".lock")
    logs = [f for f in tmp_path.iterdir() if not f.name.endswith(ends)]
    assert len(logs) > 2
    assert sum(verify(log).lines for log in logs) == 40
    newest = json.loads(file.read_text().splitlines()[0])
    older = max(log for log in logs if log != file)
    assert newest["prev"] == json.loads(older.read_text().splitlines()[-1])["mac"]


async def test_a_server_logs_who_asked_and_how_it_went_and_no_content(
    tmp_path: Path,
) -> None:
    file = tmp_path / "audit.jsonl"
    options = ServeOptions(choice=PAIR, audit=file)
    async with served(named=["anna"], options=options) as server:
        async with server.http("anna") as anna:
            path = "/v1/chat/completions"
            assert (
                await anna.post(path, json=chat_body(text=HEART))
            ).status_code == 200
            await anna.get(f"/{HEART}", headers={"Authorization": f"Bearer {HEART}"})
            await anna.get("/v1/models", headers={"Host": "evil.example"})
        token = server.token("anna")
    assert verify(file).lines == 5
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    events = [line["event"] for line in lines]
    assert events == ["start", "question", "refused", "refused", "end"]
    question = lines[1]
    assert question["user"] == "anna"
    assert question["outcome"] == "answered"
    assert question["tokens_in"] == {"tuned": 2048}
    assert question["tokens_out"]["tuned"] > 0
    assert question["models"].keys() == {"tuned"}
    assert [line["outcome"] for line in lines[2:4]] == [
        "invalid_api_key",
        "host_not_allowed",
    ]
    text = file.read_text()
    for content in (HEART, "crushing", answer_of("tuned", HEART), token, "evil"):
        assert content not in text


async def test_where_the_log_cannot_be_written_nothing_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medassist.serve import audit

    options = ServeOptions(choice=PAIR, audit=tmp_path / "audit.jsonl")
    async with served(Script(), options=options) as server, server.http() as client:

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(audit, "append_whole", full)
        path = "/v1/chat/completions"
        while (await client.post(path, json=chat_body())).status_code == 200:
            pass
        refused = await client.post(path, json=chat_body())
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "not_recorded"
        monkeypatch.undo()


def test_the_verb_says_whether_a_log_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    written(file)

    def verb() -> CompletedProcess[str]:
        return medassist_said("serve", "audit", "verify", file)

    assert "is whole: 5 lines" in verb().stdout
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-2]))
    cut = verb()
    assert cut.returncode == 1
    assert "cut at its end" in cut.stderr


def test_refusals_that_come_faster_than_a_disk_writes_are_counted_together(
    tmp_path: Path,
) -> None:
    source = LocalPair(Pair(PAIR, FakeEngines()), Settings(), "together", print)
    kept = AuditRecorder(tmp_path / "audit.jsonl", source)
    refusal = Refusal(401, "invalid_api_key", "")
    for _ in range(MOST_WAITING + 7):
        kept.refused(None, "/x", refusal)

    async def write() -> None:
        kept.started()
        while kept.waiting:
            await asyncio.sleep(0.001)
        kept.refused(None, "/x", refusal)
        await kept.close()

    asyncio.run(write())
    lines = [json.loads(x) for x in (tmp_path / "audit.jsonl").read_text().splitlines()]
    refused = [line for line in lines if line["event"] == "refused"]
    assert len(refused) == MOST_WAITING + 1
    assert refused[-1]["and_more"] == 7
    assert verify(tmp_path / "audit.jsonl").lines == len(lines)
