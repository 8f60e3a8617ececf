from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from pathlib import Path

import pytest

import medassist.starter
from medassist.consult.answer import ModelFile
from medassist.session.choice import Choice
from medassist.session.fingerprints import Fingerprints
from medassist.tui.screens.details import Details
from tests.stubs.engine import FakeEngines
from tests.tui.page import copied_by, opened

SIZE = (120, 50)


@pytest.fixture
def files(tmp_path: Path) -> Choice:
    """A base and an adapter, as files that can be hashed."""
    (tmp_path / "base.gguf").write_bytes(b"weights")
    (tmp_path / "adapter.gguf").write_bytes(b"differences")
    return Choice(base=tmp_path / "base.gguf", adapter=tmp_path / "adapter.gguf")


@pytest.fixture
def starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The starter pair in a folder of the test's own."""
    folder = tmp_path / "starter"
    shutil.copytree(medassist.starter.FOLDER, folder)
    monkeypatch.setattr(medassist.starter, "FOLDER", folder)
    return folder


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def stamp(path: Path) -> ModelFile:
    status = path.stat()
    return ModelFile(path, status.st_size, status.st_mtime_ns)


async def computed(file: ModelFile):
    prints = Fingerprints()
    await prints.compute([file], lambda: True)
    return prints.of(file)


async def test_what_is_computed_of_the_files_goes_into_the_record(
    engines: FakeEngines, files: Choice
) -> None:
    async with opened(engines, files, size=SIZE) as page:
        await page.ask("One?")
        hashes = page.session.record.content.hashes
        await page.until(lambda: len(hashes) == 2)
        assert set(hashes.values()) == {sha256(b"weights"), sha256(b"differences")}


async def test_the_details_name_files_settings_and_figures_of_both_answers(
    engines: FakeEngines, files: Choice
) -> None:
    async with opened(engines, files, size=SIZE) as page:
        await page.ask("One?")
        await page.press("f10")
        await page.until_on_top(Details)
        base, adapter = sha256(b"weights"), sha256(b"differences")
        await page.until(lambda: adapter[:40] in page.seen)
        shown = page.seen
        assert shown.count(base[:40]) == 2
        assert "Tiny base" in shown and "Tiny tuned" in shown
        rows = {line[6:24].strip(): line[24:] for line in shown.splitlines()}
        for label, value in [
            ("quantization", "Q8_0"),
            ("architecture", "llama"),
            ("chat template", "the model's own"),
            ("KV cache", "F16"),
            ("flash attention", "off"),
            ("threads", "2"),
            ("confined by", "a test"),
            ("tokens read", "2,048"),
            ("tokens reused", "0"),
            ("TTFT", "0.25 s"),
            ("speed", "20.0 tok/s"),
            ("ended", "the model ended it"),
            ("seed", "42"),
        ]:
            assert rows[label].count(value) == 2, label
        assert "temperature 0.3, top-k 40" in shown
        await page.press("f10")
        await page.until(lambda: not isinstance(page.screen, Details))


async def test_the_details_of_a_pane_are_those_of_its_answer_and_can_be_copied(
    engines: FakeEngines, files: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = copied_by(monkeypatch, works=True)
    async with opened(engines, files, size=SIZE) as page:
        await page.ask("One?")
        await page.focus(page.consult.panes["tuned"].turns)
        await page.press("f10")
        await page.until(lambda: sha256(b"differences")[:40] in page.seen)
        assert "Tiny base" not in page.seen.partition("Details")[2]
        await page.press("f9")
        await page.until(lambda: copied)
        assert copied[0].startswith("B (tuned)\nmodel              Tiny tuned\n")
        assert f"sha256 of adapter  {sha256(b'differences')}" in copied[0]
        await page.push("#back")
        await page.until(lambda: not isinstance(page.screen, Details))


async def test_no_file_is_hashed_while_an_answer_is_written(
    engines: FakeEngines, files: Choice
) -> None:
    engines.script.hold = asyncio.Event()
    async with opened(engines, files, size=SIZE) as page:
        await page.send("One?")
        await page.until_seen("writing")
        await page.press("f10")
        await page.until_seen("when the answers are written")
        assert "not yet" in page.seen
        assert sha256(b"weights")[:40] not in page.seen
        engines.script.hold.set()
        await page.until(lambda: sha256(b"weights")[:40] in page.seen)


async def test_before_the_first_answer_there_are_no_details(
    engines: FakeEngines,
) -> None:
    async with opened(engines, size=SIZE) as page:
        await page.press("f10")
        await page.until_told("There is no answer yet.")
        assert not isinstance(page.screen, Details)


async def test_a_file_that_is_not_the_one_that_was_shipped_is_told(
    engines: FakeEngines, starter: Path
) -> None:
    with (starter / "base-q8_0.gguf").open("ab") as file:
        file.write(b"x")
    async with opened(engines, Choice(), size=SIZE) as page:
        await page.ask("One?")
        await page.until_told("is not the file that was shipped")
        await page.press("f10")
        await page.until_seen("is not the file that")
        await page.until_seen("as shipped with the program")


async def test_the_shipped_files_are_held_against_the_card(starter: Path) -> None:
    found = await computed(stamp(starter / "adapter-activated.gguf"))
    assert found and found.remark == "as shipped with the program"
    assert not found.problem
    card = json.loads((starter / "card.json").read_text())
    card["lineage"]["gguf"]["adapter-activated.gguf"] = "0" * 64
    (starter / "card.json").write_text(json.dumps(card))
    found = await computed(stamp(starter / "adapter-activated.gguf"))
    assert found and "not the file that was shipped" in found.problem
    assert "0" * 64 in found.problem
    (starter / "card.json").write_text("no card")
    found = await computed(stamp(starter / "adapter-activated.gguf"))
    assert found and "cannot be said" in found.problem and found.sha256


async def test_a_file_that_was_changed_after_loading_has_no_sha256(
    files: Choice,
) -> None:
    assert files.base
    before = stamp(files.base)
    files.base.write_bytes(b"other weights")
    found = await computed(before)
    assert found and not found.sha256
    assert "was changed after the model had been loaded" in found.problem


async def test_a_file_that_is_gone_is_named(files: Choice) -> None:
    assert files.base
    before = stamp(files.base)
    files.base.unlink()
    found = await computed(before)
    assert found and not found.sha256
    assert str(files.base) in found.problem and "cannot be read" in found.problem


async def test_what_the_models_need_the_processor_for_comes_before_the_next_file(
    files: Choice,
) -> None:
    assert files.base and files.adapter
    prints = Fingerprints()
    turns = iter([True, False])
    base, adapter = stamp(files.base), stamp(files.adapter)
    await prints.compute([base, adapter], lambda: next(turns))
    assert prints.of(base) and prints.of(adapter) is None
