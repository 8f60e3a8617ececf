"""Few documents: every split that was asked for gets records, and it is said how."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from finetune.data.manifest import Manifest
from finetune.data.pipeline import few_groups
from finetune.data.pipeline.arrangement import SplitGroup, arrange
from finetune.data.pipeline.executors import StageRunner
from finetune.data.pipeline.prepare import PreparationWish, prepare
from finetune.data.recipe import DataPart, Split
from finetune.data.steps.split import SPLITS, split_of
from finetune.errors import FinetuneError
from tests.finetune.data.pipeline.own_source import prose, read_split, write

HERE = PreparationWish(StageRunner("local", 1))
WHOLE, NO_TEST = Split(), Split(train=0.9, validation=0.1, test=0)
SEEDS = range(5)


def prepared(tmp_path: Path, *files: Path, **more: Any) -> Manifest:
    """Tables of text and group prepared at one seed, with no licence asked."""
    sources = [{"name": "table", "path": str(file), "licence": "CC0"} for file in files]
    settings = DataPart.model_validate({"sources": sources, **more})
    run = tmp_path / f"run-{settings.seed}"
    made = prepare(settings, run, HERE).manifest
    assert made is not None
    return made


def table(file: Path, groups: Sequence[str]) -> Path:
    """A row for each of `groups`, of texts that are not alike."""
    start = sum(map(ord, file.name)) * 1000
    return write(
        file,
        [{"text": prose(start + i), "group": group} for i, group in enumerate(groups)],
    )


def numbers(run: Path, split: str) -> list[int]:
    """The rows of a split, by their place in the file."""
    return [int(record.id.rpartition(":")[2]) for record in read_split(run, split)]


@pytest.mark.parametrize("seed", SEEDS)
def test_one_document_is_cut_into_stretches_with_a_piece_between_them(tmp_path, seed):
    file = table(tmp_path / "in.jsonl", ["the same"] * 42)
    made = prepared(tmp_path, file, seed=seed)
    run = tmp_path / f"run-{seed}"
    found = {split: numbers(run, split) for split in SPLITS}
    assert {split: len(rows) for split, rows in found.items()} == {
        "train": 32,
        "validation": 4,
        "test": 4,
    }
    for rows in found.values():
        assert rows == list(range(rows[0], rows[0] + len(rows))), "follow each other"
    used = {row for rows in found.values() for row in rows}
    left_out = sorted(set(range(1, 43)) - used)
    assert len(left_out) == 2
    owners = {row: split for split, rows in found.items() for row in rows}
    for row in left_out:
        assert owners[row - 1] != owners[row + 1], "it stands between two splits"
    assert made.divided == ("the same",)
    assert [split.groups for split in made.splits] == [1, 1, 1]


def test_what_is_left_out_between_stretches_is_counted_listed_and_said(tmp_path):
    one = table(tmp_path / "one.jsonl", ["the same"] * 9)
    other = table(tmp_path / "other.jsonl", ["the same"] * 9)
    made = prepared(tmp_path, one, other)
    step = made.steps[-1]
    assert (step.name, step.into, step.out) == ("split", 18, 16)
    assert step.dropped == {"between two splits of one document": 2}
    assert step.list == "dropped/split.jsonl"
    listed = (tmp_path / "run-0" / "data" / step.list).read_text("utf-8").splitlines()
    assert {json.loads(row)["group"] for row in listed} == {"the same"}
    assert len(listed) == 2
    assert sum(split.records for split in made.splits) == 16
    assert sum(source.kept for source in made.sources) == 16
    assert [split.texts for split in made.splits] == [
        split.records for split in made.splits
    ]
    (said,) = [each for each in made.warnings if "cut into stretches" in each]
    assert "the same" in said
    assert "2 records between them" in said


def test_another_seed_cuts_a_document_otherwise(tmp_path):
    file = table(tmp_path / "in.jsonl", ["the same"] * 20)
    tests: set[tuple[int, ...]] = set()
    for seed in SEEDS:
        prepared(tmp_path, file, seed=seed)
        tests.add(tuple(numbers(tmp_path / f"run-{seed}", "test")))
    assert len(tests) > 1


@pytest.mark.parametrize("seed", SEEDS)
def test_two_documents_are_both_cut(tmp_path, seed):
    file = table(tmp_path / "in.jsonl", ["a"] * 20 + ["b"] * 30)
    made = prepared(tmp_path, file, seed=seed)
    assert set(made.divided) == {"a", "b"}
    assert [split.groups for split in made.splits] == [2, 2, 2]
    assert made.steps[-1].dropped == {"between two splits of one document": 4}


def test_a_cut_is_the_same_in_one_part_or_several(tmp_path):
    files = [table(tmp_path / f"{n}.jsonl", ["the same"] * 8) for n in range(3)]
    sources = [{"name": "table", "path": str(file), "licence": "CC0"} for file in files]
    settings = DataPart.model_validate({"sources": sources})
    one = prepare(settings, tmp_path / "one", HERE).manifest
    several = PreparationWish(HERE.machine, tasks=3)
    many = prepare(settings, tmp_path / "many", several).manifest
    assert one is not None
    assert many is not None
    assert one.splits == many.splits
    assert one.steps == many.steps


@pytest.mark.parametrize("seed", SEEDS)
def test_documents_stay_whole_as_long_as_there_is_one_for_each_split(tmp_path, seed):
    file = table(tmp_path / "in.jsonl", ["a", "b", "c"] * 5)
    made = prepared(tmp_path, file, seed=seed)
    assert made.divided == ()
    assert [split.records for split in made.splits] == [5, 5, 5]
    groups = [
        {record.group for record in read_split(tmp_path / f"run-{seed}", split)}
        for split in SPLITS
    ]
    assert [len(each) for each in groups] == [1, 1, 1]


def test_a_document_that_is_too_short_to_be_cut_is_learned_from(tmp_path):
    made = prepared(tmp_path, table(tmp_path / "in.jsonl", ["the same"] * 3))
    assert [split.records for split in made.splits] == [3, 0, 0]
    said = [each for each in made.warnings if "is empty" in each]
    assert len(said) == 2
    assert "piece=N" in said[0]


def test_train_that_must_stay_empty_is_an_error_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr(few_groups, "MOST", 5)
    file = table(tmp_path / "in.jsonl", [str(n) for n in range(8)])
    shares = {"train": 0.0001, "validation": 0.5, "test": 0.4999}
    with pytest.raises(FinetuneError, match=r"train is empty.*--split, as 80/10/10"):
        prepared(tmp_path, file, split=shares)


def groups_of(sizes: Sequence[int], split: Split, seed: int) -> list[SplitGroup]:
    names = [f"document {n}" for n in range(len(sizes))]
    return [
        SplitGroup(n, name, size, split_of(name, split, seed))
        for n, (name, size) in enumerate(zip(names, sizes, strict=True))
    ]


def outcome(groups: Sequence[SplitGroup], split: Split, seed: int) -> Counter[str]:
    """The records of each split, as it is arranged."""
    found = arrange(groups, split, seed)
    records: Counter[str] = Counter()
    for each in groups:
        if each.key in found.cut:
            stretches = found.cut[each.key]
            assert sum(stretch.records for stretch in stretches) == each.records
            for stretch in stretches:
                if stretch.split is not None:
                    records[stretch.split] += stretch.records
        else:
            records[found.moved.get(each.key, each.split)] += each.records
    return records


@pytest.mark.parametrize(
    "split", [WHOLE, NO_TEST, Split(train=1, validation=0, test=0)]
)
@pytest.mark.parametrize(
    "sizes",
    [
        *([8], [9], [50], [1000]),
        *([50, 50], [1000, 3], [8, 1], [400, 9]),
        *([5, 5, 5], [1000, 1, 1], [1, 1, 1]),
        *([1000, 1, 1, 1, 1, 1], [7] * 12, [1] * 40),
    ],
)
def test_no_split_stays_empty_and_train_has_half_its_share(sizes, split):
    wanted = [name for name in SPLITS if getattr(split, name)]
    for seed in range(25):
        groups = groups_of(sizes, split, seed)
        records = outcome(groups, split, seed)
        assert all(records[name] for name in wanted), (sizes, seed, records)
        if max(sizes) > 1 and sizes != [5, 5, 5]:
            assert records["train"] >= 0.5 * split.train * sum(sizes), (seed, records)


def test_the_order_in_which_groups_come_is_of_no_matter():
    for seed in SEEDS:
        groups = groups_of([30, 20, 4, 1, 1], WHOLE, seed)
        assert arrange(groups, WHOLE, seed) == arrange(groups[::-1], WHOLE, seed)


def test_a_book_among_leaflets_is_learned_from():
    for seed in range(25):
        groups = groups_of([1000, 2, 2, 2, 2, 2], WHOLE, seed)
        found = arrange(groups, WHOLE, seed)
        assert not found.cut, "there are documents enough"
        assert found.moved.get(0, groups[0].split) == "train"
        if groups[0].split != "train":
            assert any("1,000 went there" in each for each in found.said)
