"""What a user is told of their own files: on the screen and in the manifest."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from finetune.commands import app
from finetune.data.manifest import read_manifest
from finetune.data.sources.chexpert import LICENCE, wordings
from finetune.data.steps.step_result import whole
from medassist.core.words import size
from tests.finetune.data.pipeline.own_source import prose, read_split


def prepare(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["prepare", *map(str, words)])


def shown(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_columns_and_empty_cells_are_told_on_the_screen_and_in_the_manifest(tmp_path):
    for number in range(2):
        rows = "".join(
            f"Q. x,Why {number} {n}?,{'NaN' if n == 3 else f'So {n}.'}\n"
            for n in range(9)
        )
        file = tmp_path / "in" / f"{number}.csv"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"Description,Patient,Doctor\n{rows}", "utf-8")
    run = tmp_path / "run"
    data = f"table={tmp_path / 'in'}"
    told = shown(prepare(data, "--option", "licence=CC0", "--out", run))
    taken = (
        "  columns: question from Patient; answer from Doctor; not used: Description"
    )
    empty = "  taken for empty, as they say NaN, N/A, NULL or the like: Doctor 2"
    assert taken in told
    assert empty in told
    assert "  missing: 18 -> 16 (no answer 2)" in told
    (source,) = read_manifest(run).sources
    assert source.columns == {"question": ("Patient",), "answer": ("Doctor",)}
    assert source.unused_columns == ("Description",)
    assert source.missing_cells == {"Doctor": 2}
    again = shown(prepare(data, "--option", "licence=CC0", "--out", run))
    assert taken in again, "also of data that was there already"


def test_a_name_of_a_column_writes_nothing_on_the_terminal(tmp_path):
    file = tmp_path / "a.jsonl"
    row = {"question": "Why?", "answer": "So.", "\x1b]52;c;aGk=\x07\nforged": "x"}
    file.write_text(json.dumps(row) + "\n")
    told = prepare(file, "--option", "licence=CC0", "--out", tmp_path / "run")
    assert "\x1b" not in told.stdout
    assert not any(line.startswith("forged") for line in shown(told))


def test_columns_that_say_nothing_are_named_with_what_to_write(tmp_path):
    file = tmp_path / "letters.csv"
    file.write_text("Frage,Antwort\nWarum?,Darum.\n", "utf-8")
    failed = prepare(file, "--option", "licence=CC0", "--out", tmp_path / "run")
    wanted = 'columns={"question": "Frage", "answer": "Antwort"}'
    assert wanted in str(failed.exception)
    made = prepare(
        *(file, "--option", "licence=CC0", "--option", wanted),
        *("--out", tmp_path / "other"),
    )
    written = (tmp_path / "other" / "data" / "train.jsonl").stat().st_size
    assert f"train: 1 records of 1 groups, {size(written)}" in shown(made)


def test_chexpert_gives_its_short_texts(tmp_path):
    heading = "Path,Sex,Age,Frontal/Lateral,AP/PA," + ",".join(wordings())
    rows: list[str] = []
    for number, label in enumerate(wordings()):
        cells = ["1.0" if name == label else "" for name in wordings()]
        view = f"CheXpert-v1.0-small/train/patient{number}/study1/view1_frontal.jpg"
        rows.append(f"{view},Male,60,Frontal,AP,{','.join(cells)}")
    file = tmp_path / "train.csv"
    file.write_text("\n".join([heading, *rows]), "utf-8")
    run = tmp_path / "run"
    shown(prepare(file, "--licence", LICENCE.name, "--out", run))
    manifest = read_manifest(run)
    assert sum(split.records for split in manifest.splits) == len(wordings())
    assert not any(step.dropped for step in manifest.steps)


def test_short_texts_of_the_users_own_are_whole(tmp_path):
    file = tmp_path / "notes.csv"
    rows = "".join(f"The patient of bed {n} slept well.\n" for n in range(12))
    file.write_text(f"text\n{rows}", "utf-8")
    run = tmp_path / "run"
    options = ("--option", "licence=CC0", "--keep-near-duplicates")
    shown(prepare(file, *options, "--out", run))
    assert sum(split.records for split in read_manifest(run).splits) == 12


def test_one_file_of_plain_text_gives_all_three_splits(tmp_path):
    book = tmp_path / "book.txt"
    book.write_text("\n".join(prose(n) for n in range(60)), "utf-8")
    for seed in range(3):
        run = tmp_path / f"run-{seed}"
        options = ("--option", "licence=CC0", "--seed", str(seed))
        told = shown(prepare(book, *options, "--out", run))
        manifest = read_manifest(run)
        assert all(split.records for split in manifest.splits)
        assert manifest.divided == ("book.txt",)
        assert any("cut into stretches" in line for line in told)
        assert any("between two splits of one document 2" in line for line in told)
        held, learned = (
            " ".join(whole(record) for record in read_split(run, split))
            for split in ("test", "train")
        )
        assert not {s for s in held.split(". ") if s in learned}
