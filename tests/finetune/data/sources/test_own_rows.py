"""Rows of a project's own words: places filled, drawn, and bad files told."""

from __future__ import annotations

from pathlib import Path

import pytest

from finetune.data.prepared_records import DialogueRecord
from finetune.data.sources.data_source import Broken, Read
from finetune.data.sources.registry import open_source
from finetune.errors import FinetuneError

VALUES = """
- kind: normal value
  asks: ["What is a normal {test}?", "{test} {how}?"]
  says: ["A normal {test} is {range}."]
  words: {how: [normal, reference]}
  each:
    - {test: potassium, range: 3.5 to 5.0}
    - {test: sodium, range: 135 to 145}
"""


def rows(folder: Path, text: str) -> list[Read]:
    (folder / "own.yaml").write_text(text, "utf-8")
    source = open_source("own-rows")
    return [record for file in source.files(folder) for record in source.read(file)]


def said(records: list[Read]) -> dict[str, str]:
    assert all(isinstance(r, DialogueRecord) for r in records), records
    return {
        r.messages[0].content: r.messages[1].content
        for r in records
        if isinstance(r, DialogueRecord)
    }


def test_words_of_an_entry_go_together_and_others_with_all(tmp_path):
    sodium = "A normal sodium is 135 to 145."
    potassium = "A normal potassium is 3.5 to 5.0."
    assert said(rows(tmp_path, VALUES)) == {
        "What is a normal potassium?": potassium,
        "potassium normal?": potassium,
        "potassium reference?": potassium,
        "What is a normal sodium?": sodium,
        "sodium normal?": sodium,
        "sodium reference?": sodium,
    }


def test_rows_draws_as_many_and_the_same_each_time(tmp_path):
    text = VALUES + "  rows: 3\n"
    first, second = rows(tmp_path, text), rows(tmp_path, text)
    assert len(first) == 3
    assert first == second
    assert said(first).items() < said(rows(tmp_path, VALUES)).items()


def test_each_row_has_its_kind_and_id_and_no_licence_but_its_owners(tmp_path):
    records = [r for r in rows(tmp_path, VALUES) if isinstance(r, DialogueRecord)]
    assert {r.meta["type"] for r in records} == {"normal value"}
    assert {r.licence.name for r in records} == {"unknown"}
    assert len({r.id for r in records}) == len(records)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- {kind: k, asks: ['{who}?'], says: [x]}", "the place who"),
        # No object is reached, no form is chosen; and nothing learns the braces.
        ("- {kind: k, asks: ['{a.b}'], says: [x], words: {a: [b]}}", "no place"),
        ("- {kind: k, asks: [a], says: ['{a:A} is'], words: {a: [b]}}", "no place"),
        ("- {kind: k, asks: [a], says: [b], each: [{c: d}], words: {e: f}}", "words"),
        ("- {kind: k, says: [b]}", "0.asks"),
        ("- {kind: k, asks: [a], says: [b], row: 3}", "0.row"),
        ("a: [", "cannot be read as YAML"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path, text, told):
    with pytest.raises(FinetuneError, match=r"own\.yaml") as caught:
        rows(tmp_path, text)
    assert told in str(caught.value)


def test_an_item_of_too_many_rows_is_told_and_the_next_is_read(tmp_path):
    digits = "[" + ", ".join(f"'{n}'" for n in range(10)) + "]"
    words = ", ".join(f"{name}: {digits}" for name in "abcdef")
    text = (
        f"- {{kind: k, asks: ['{{a}}{{b}}{{c}}{{d}}{{e}}{{f}}'], says: [x], "
        f"words: {{{words}}}}}\n- {{kind: k, asks: [y], says: [x]}}\n"
    )
    many, one = rows(tmp_path, text)
    assert isinstance(many, Broken)
    assert "fewer words" in many.reason
    assert said([one]) == {"y": "x"}
