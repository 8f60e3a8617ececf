from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from finetune.data.manifest import read_manifest
from finetune.data.pipeline import prepare as preparing
from finetune.data.pipeline.executors import StageRunner, as_sentence
from finetune.data.pipeline.preparation_lock import locked
from finetune.data.pipeline.prepare import PreparationWish, prepare
from finetune.data.prepared_records import DialogueRecord
from finetune.data.recipe import DataPart
from finetune.data.sources.data_source import SourceInfo
from finetune.errors import FinetuneError
from tests.finetune.data.pipeline.own_source import (
    OwnSource,
    prose,
    read_split,
    write,
)

INFO = SourceInfo(
    name="own",
    title="Own words",
    about="",
    licence="per record",
    terms="",
    kind="either",
    open_source=OwnSource,
)
HERE = PreparationWish(StageRunner("local", 1))


@pytest.fixture(autouse=True)
def own_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "source_info", lambda name: INFO)
    monkeypatch.setattr(preparing, "open_source", lambda name: OwnSource())


def settings(folder: Path, **more: Any) -> DataPart:
    source = {"name": "own", "path": str(folder)} | more.pop("source", {})
    return DataPart.model_validate({"sources": [source], **more})


def articles(folder: Path, files: int = 6, each: int = 10) -> Path:
    for number in range(files):
        rows = [
            {"text": prose(number * 100 + i), "group": f"g{number}-{i // 2}"}
            for i in range(each)
        ]
        write(folder / f"{number}.jsonl", rows)
    return folder


def manifest_of(run: Path):
    return read_manifest(run)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def ids(run: Path, split: str) -> list[str]:
    return [record.id for record in read_split(run, split)]


def test_every_record_is_in_a_split_or_its_reason_is_told(tmp_path):
    rows = [{"text": prose(n), "group": f"p{n // 2}"} for n in range(40)]
    rows += [
        {"text": prose(100), "licence": "CC BY-NC 4.0"},
        {"text": prose(101), "licence": "unknown"},
        {"text": prose(102), "retracted": "yes"},
        {"text": "Too short."},
        {"text": " "},
        {"text": prose(3)},
        {"text": prose(4) + " One more."},
        {"text": "", "broken": "yes"},
    ]
    data = articles_file(tmp_path / "in", rows)
    made = prepare(settings(data), tmp_path / "run", HERE).manifest
    assert made is not None
    steps = {step.name: step for step in made.steps}
    assert steps["read"].dropped == {"is broken on purpose": 1}
    assert steps["licence"].dropped == {"CC BY-NC": 1, "unknown": 1, "retracted": 1}
    assert steps["missing"].dropped == {"no text": 1}
    assert steps["length"].dropped == {"text too short": 1}
    assert steps["duplicates"].dropped == {"exact duplicate": 1, "near duplicate": 1}
    assert [step.into for step in made.steps[1:]] == [
        step.out for step in made.steps[:-1]
    ]
    kept = [
        record
        for split in ("train", "validation", "test")
        for record in read_split(tmp_path / "run", split)
    ]
    assert len(kept) == 40 == sum(split.records for split in made.splits)
    assert made.sources[0].kept == 40
    assert made.sources[0].broken == 1
    folder = tmp_path / "run" / "data"
    why = {row["id"]: row for row in lines(folder / "dropped" / "duplicates.jsonl")}
    assert why["rows-45"]["detail"] == "of rows-3 of own"
    assert why["rows-46"]["reason"] == "near duplicate"
    decisions = lines(folder / made.lists.licences)
    assert {row["document"]: row["used"] for row in decisions}["rows-40"] is False
    assert all(row["evidence"] == "own words" for row in decisions)
    assert not list(folder.glob(".work-*"))
    assert not (folder / ".lock").exists()


def articles_file(folder: Path, rows: list[dict[str, str]]) -> Path:
    write(folder / "rows.jsonl", rows)
    return folder


def test_nothing_of_one_document_is_in_two_splits(tmp_path):
    data = articles(tmp_path / "in")
    prepare(settings(data), tmp_path / "run", HERE)
    groups = [
        {record.group for record in read_split(tmp_path / "run", split)}
        for split in ("train", "validation", "test")
    ]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 30
    made = manifest_of(tmp_path / "run")
    assert [split.groups for split in made.splits] == [len(each) for each in groups]
    assert len(ids(tmp_path / "run", "train")) == made.split("train").records


def test_one_process_or_several_parts_or_one_make_the_same_data(tmp_path, monkeypatch):
    data = articles(tmp_path / "in")
    write(data / "7.jsonl", [{"text": prose(205)}, {"text": prose(1) + " More."}])
    prepare(settings(data), tmp_path / "one", HERE)
    monkeypatch.setattr(preparing, "SMALL", 0)
    several = PreparationWish(StageRunner("local", 2), tasks=3)
    prepare(settings(data), tmp_path / "many", several)
    one, many = manifest_of(tmp_path / "one"), manifest_of(tmp_path / "many")
    assert many.timing.workers == 2
    assert one.splits == many.splits
    assert one.steps == many.steps
    assert one.steps[5].dropped == {"exact duplicate": 1, "near duplicate": 1}


def test_what_is_done_is_not_done_again(tmp_path):
    data = articles(tmp_path / "in")
    first = prepare(settings(data), tmp_path / "run", HERE)
    second = prepare(settings(data), tmp_path / "run", HERE)
    assert (first.anew, second.anew) == (True, False)
    assert first.manifest == second.manifest


def test_data_of_other_settings_is_replaced_only_by_force(tmp_path):
    data = articles(tmp_path / "in")
    run = tmp_path / "run"
    prepare(settings(data), run, HERE)
    before = ids(run, "train")
    with pytest.raises(FinetuneError, match="with other settings"):
        prepare(settings(data, seed=1), run, HERE)
    assert ids(run, "train") == before
    prepare(settings(data, seed=1), run, PreparationWish(HERE.machine, force=True))
    assert ids(run, "train") != before
    (run / "adapter").mkdir()
    with pytest.raises(FinetuneError, match="holds a training"):
        prepare(settings(data, seed=2), run, PreparationWish(HERE.machine, force=True))


def test_inputs_that_changed_are_noticed(tmp_path):
    data = articles(tmp_path / "in")
    prepare(settings(data), tmp_path / "run", HERE)
    write(data / "9.jsonl", [{"text": prose(999)}])
    with pytest.raises(FinetuneError, match="from other inputs"):
        prepare(settings(data), tmp_path / "run", HERE)


def test_a_stage_that_broke_off_goes_on_where_it_was(tmp_path, monkeypatch):
    data = articles(tmp_path / "in")
    read: list[str] = []
    whole = OwnSource.read

    def read_until_the_fourth(self: OwnSource, file: Path):
        if len(read) == 3 and not (tmp_path / "again").exists():
            raise RuntimeError("pulled the plug")
        read.append(file.name)
        return whole(self, file)

    monkeypatch.setattr(OwnSource, "read", read_until_the_fourth)
    wish = PreparationWish(HERE.machine, tasks=6)
    with pytest.raises(RuntimeError):
        prepare(settings(data), tmp_path / "run", wish)
    assert not (tmp_path / "run" / "data" / "manifest.json").exists()
    (tmp_path / "again").touch()
    prepare(settings(data), tmp_path / "run", wish)
    assert sorted(read) == [f"{n}.jsonl" for n in range(6)]
    assert manifest_of(tmp_path / "run").steps[0].into == 60


def test_an_empty_set_says_which_step_took_it(tmp_path):
    rows = [{"text": prose(n), "licence": "CC BY-NC 4.0"} for n in range(5)]
    data = articles_file(tmp_path / "in", rows)
    with pytest.raises(
        FinetuneError, match=r"licence took 5 \(CC BY-NC: 5\).*--licence"
    ):
        prepare(settings(data), tmp_path / "run", HERE)
    write(data / "rows.jsonl", [{"text": "Short."}])
    with pytest.raises(FinetuneError, match=r"length took 1 \(text too short: 1\)"):
        prepare(settings(data), tmp_path / "run2", HERE)


LONG = (
    "{file} has the columns Frage, Antwort, none of which says by its name what it is; "
    'name them by --option columns=\'{{"question": "Frage"}}\', or rename them'
)


def unreadable(file: Path):
    raise FinetuneError(LONG.format(file=file))


def test_where_nothing_can_be_read_the_sources_own_sentence_is_told(
    tmp_path, monkeypatch
):
    data = articles(tmp_path / "in", 2, 2)
    run = tmp_path / "run"
    monkeypatch.setattr(OwnSource, "read", lambda self, file: unreadable(file))
    with pytest.raises(FinetuneError) as told:
        prepare(settings(data), run, HERE)
    assert LONG.format(file=data / "0.jsonl") in str(told.value)
    assert str(run / "data" / "dropped") in str(told.value)
    listed = lines(run / "data" / "dropped" / "read.jsonl")
    assert [row["reason"] for row in listed] == [
        LONG.format(file=data / f"{n}.jsonl") for n in (0, 1)
    ]
    assert not list((run / "data").glob(".work-*"))


def test_what_was_taken_out_is_listed_also_where_nothing_is_left(tmp_path):
    data = articles_file(tmp_path / "in", [{"text": "Short."}, {"text": ""}])
    run = tmp_path / "run"
    with pytest.raises(FinetuneError, match="nothing is left of 2 records"):
        prepare(settings(data), run, HERE)
    (short,) = lines(run / "data" / "dropped" / "length.jsonl")
    assert (short["id"], short["detail"]) == ("rows-0", "6 of 200 characters")
    write(data / "rows.jsonl", [{"text": prose(n)} for n in range(9)])
    made = prepare(settings(data), run, HERE).manifest
    assert made is not None
    assert made.lists.dropped == {}
    assert not list((run / "data" / "dropped").iterdir()), "of data that is not there"


def test_data_that_is_there_keeps_its_lists_where_a_new_try_gives_nothing(tmp_path):
    rows = [{"text": prose(n)} for n in range(9)] + [{"text": "Short."}]
    data = articles_file(tmp_path / "in", rows)
    run = tmp_path / "run"
    before = prepare(settings(data), run, HERE).manifest
    assert before is not None
    forced = PreparationWish(HERE.machine, force=True)
    with pytest.raises(FinetuneError, match="dropped-of-the-last-try"):
        prepare(settings(data, lengths={"text_shortest": 9000}), run, forced)
    assert manifest_of(run) == before
    assert len(lines(run / "data" / before.lists.dropped["length"])) == 1
    instead = run / "data" / "dropped-of-the-last-try"
    assert len(lines(instead / "length.jsonl")) == 10
    prepare(settings(data, seed=1), run, forced)
    assert not instead.exists()


def test_a_document_that_could_not_be_read_is_told_in_full(tmp_path, monkeypatch):
    data = articles(tmp_path / "in", 2, 8)
    whole = OwnSource.read

    def read_the_first(self: OwnSource, file: Path):
        return whole(self, file) if file.name == "0.jsonl" else unreadable(file)

    monkeypatch.setattr(OwnSource, "read", read_the_first)
    made = prepare(settings(data), tmp_path / "run", HERE).manifest
    assert made is not None
    assert any(LONG.format(file=data / "1.jsonl") in said for said in made.warnings)
    (brief,) = made.steps[0].dropped
    assert brief.startswith("the file has the columns")


def test_the_user_may_say_what_the_files_do_not(tmp_path):
    rows = [{"text": prose(n), "licence": "unknown"} for n in range(5)]
    data = articles_file(tmp_path / "in", rows)
    made = prepare(
        settings(data, source={"licence": "CC0"}), tmp_path / "run", HERE
    ).manifest
    assert made is not None
    assert made.sources[0].licences == {"CC0": 5}
    assert "stated by the user" in made.licences[0].evidence


def test_a_small_set_gets_a_validation_and_a_test_set(tmp_path):
    data = articles_file(tmp_path / "in", [{"text": prose(n)} for n in range(4)])
    made = prepare(settings(data, seed=5), tmp_path / "run", HERE).manifest
    assert made is not None
    assert sum(split.records for split in made.splits) == 4
    assert all(split.records for split in made.splits)
    assert [split.records for split in made.splits] == [
        len(ids(tmp_path / "run", split.name)) for split in made.splits
    ]
    assert [split.groups for split in made.splits] == [
        split.records for split in made.splits
    ]


def test_dialogues_with_one_answer_stay(tmp_path):
    answer = prose(1)
    diseases = ("Abel", "Brink", "Corvo", "Dahl")
    rows = [
        {"question": f"What are the symptoms of {name} disease?", "answer": answer}
        for name in (*diseases, "Abel")
    ]
    data = articles_file(tmp_path / "in", rows)
    made = prepare(settings(data), tmp_path / "run", HERE).manifest
    assert made is not None
    assert sum(split.dialogues for split in made.splits) == 4
    records = read_split(tmp_path / "run", "train")
    assert all(isinstance(record, DialogueRecord) for record in records)


def test_near_duplicates_stay_where_they_are_wanted(tmp_path):
    rows = [{"text": prose(1)}, {"text": prose(1) + " One more."}, {"text": prose(1)}]
    data = articles_file(tmp_path / "in", rows)
    wanted = settings(data, duplicates={"near": False})
    made = prepare(wanted, tmp_path / "run", HERE).manifest
    assert made is not None
    assert made.steps[5].dropped == {"exact duplicate": 1}


def test_exam_questions_are_kept_out(tmp_path):
    rows = [{"text": prose(n)} for n in range(6)]
    data = articles_file(tmp_path / "in", rows)
    exam = tmp_path / "exam.jsonl"
    exam.write_text(json.dumps({"question": prose(2, 3)}) + "\n")
    wanted = settings(data, overlap={"exams": [str(exam)]})
    made = prepare(wanted, tmp_path / "run", HERE).manifest
    assert made is not None
    taken = lines(tmp_path / "run" / "data" / made.lists.dropped["overlap"])
    assert [row["id"] for row in taken] == ["rows-2"]


def test_what_is_to_be_split_is_counted_after_the_last_step_of_reading(tmp_path):
    rows = [{"text": prose(n)} for n in range(6)]
    data = articles_file(tmp_path / "in", rows)
    exam = tmp_path / "exam.jsonl"
    exam.write_text(json.dumps({"question": prose(2, 3)}) + "\n")
    wanted = settings(data, overlap={"exams": [str(exam)]})
    told: dict[str, tuple[int, int]] = {}

    def watcher(what: str, done: int, total: int) -> None:
        told[what] = (done, total)

    prepare(wanted, tmp_path / "run", HERE, watcher)
    assert told["Splitting"] == (5, 5)


def test_identifiers_are_listed(tmp_path):
    rows = [{"text": prose(1)}, {"text": prose(2) + " MRN: 00412345"}]
    data = articles_file(tmp_path / "in", rows)
    made = prepare(settings(data), tmp_path / "run", HERE).manifest
    assert made is not None
    assert made.lists.identifiers is not None
    found = lines(tmp_path / "run" / "data" / made.lists.identifiers)
    assert [(row["id"], row["rule"]) for row in found] == [("rows-1", "record number")]
    assert any("record number: 1" in warning for warning in made.warnings)


def test_two_preparations_in_one_folder_are_refused(tmp_path):
    data = articles(tmp_path / "in", 1, 2)
    folder = tmp_path / "run" / "data"
    folder.mkdir(parents=True)
    with locked(folder), pytest.raises(FinetuneError, match="by another process"):
        prepare(settings(data), tmp_path / "run", HERE)


def test_a_full_disk_is_a_sentence_and_leaves_no_manifest(tmp_path):
    """The system refuses files over a size, as it refuses them on a full disk."""
    data = articles(tmp_path / "in", 4, 40)
    script = tmp_path / "limited.py"
    script.write_text(LIMITED.format(data=str(data), run=str(tmp_path / "run")))
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[4],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[4])},
    )
    assert "is full; free some space" in done.stdout, done.stderr
    assert not (tmp_path / "run" / "data" / "manifest.json").exists()
    made = prepare(settings(data), tmp_path / "run", HERE).manifest
    assert made is not None
    assert made.steps[0].into == 160


LIMITED = """
import resource, signal
from tests.finetune.data.pipeline.test_prepare import *
preparing.source_info = lambda name: INFO
preparing.open_source = lambda name: OwnSource()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    prepare(settings(Path({data!r})), Path({run!r}), HERE)
except FinetuneError as error:
    print(error)
"""


def test_other_refusals_of_the_system_name_the_file():
    error = PermissionError(13, "Permission denied", "/somewhere/file")
    assert "/somewhere/file: Permission denied" in str(as_sentence(error, Path("x")))


KILLED = """
import sys, time
from tests.finetune.data.pipeline.test_prepare import *
preparing.source_info = lambda name: INFO
preparing.open_source = lambda name: Slow()
preparing.SMALL = 0


class Slow(OwnSource):
    def read(self, file):
        for record in super().read(file):
            time.sleep(0.1)
            yield record


if __name__ == "__main__":
    wish = PreparationWish(StageRunner("local", 2), tasks=6)
    prepare(settings(Path({data!r})), Path({run!r}), wish)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_preparation_leaves_no_workers_and_goes_on(tmp_path, sent):
    data = articles(tmp_path / "in", 6, 40)
    root = Path(__file__).parents[4]
    script = tmp_path / "slow.py"
    script.write_text(KILLED.format(data=str(data), run=str(tmp_path / "run")))
    running = subprocess.Popen(
        [sys.executable, str(script)],
        cwd=root,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    folder = tmp_path / "run" / "data"
    try:
        until = time.monotonic() + 300
        while not list(folder.glob(".work-*/stages/read/completions/*")):
            assert time.monotonic() < until
            assert running.poll() is None
            time.sleep(0.02)
        running.send_signal(sent)
        running.wait(120)
    finally:
        running.kill()
        running.wait()
    assert not (folder / "manifest.json").exists()
    done = len(list(folder.glob(".work-*/stages/read/completions/*")))
    # Waits for the orphans to see that they are, then goes on with what they left.
    made = prepare(
        settings(data), tmp_path / "run", PreparationWish(HERE.machine, tasks=6)
    ).manifest
    assert done > 0
    assert made is not None
    assert made.steps[0].into == 240
