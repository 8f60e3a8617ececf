"""Every article that a model was trained on is credited by itself."""

from __future__ import annotations

import json

import pytest

from finetune.data.sources.articles import credits
from finetune.data.sources.source_notices import notices
from finetune.errors import FinetuneError

WHOLE = {
    "file": "a.xml",
    "doi": "10.1/a",
    "title": "Not printed",
    "authors": ["A. One", "B. Two"],
    "journal": "Own",
    "year": "2020",
    "licence": "CC-BY 4.0",
}


def write_index(data, *rows: str) -> None:
    index = notices()["plos"].articles
    assert index is not None
    file = data / index
    file.parent.mkdir(parents=True)
    file.write_text("\n".join(rows), "utf-8")


def test_each_article_has_its_authors_place_and_licence(tmp_path):
    bare = {"file": "b.xml", "licence": "CC0/PD"}
    write_index(tmp_path, json.dumps(WHOLE), json.dumps(bare))
    text = credits(tmp_path, ["medquad", "plos"])
    assert text.splitlines() == [
        notices()["plos"].title,
        "",
        "A. One, B. Two, Own, 2020. https://doi.org/10.1/a (CC-BY 4.0)",
        "its authors. b.xml (CC0/PD)",
    ]


def test_a_missing_or_broken_index_is_named(tmp_path):
    with pytest.raises(FinetuneError, match=r"index\.jsonl cannot be read"):
        credits(tmp_path, ["plos"])
    write_index(tmp_path, "{half")
    with pytest.raises(FinetuneError, match="is not an index of articles"):
        credits(tmp_path, ["plos"])
