"""Ours says of small vocabularies what upstream's converter said of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from convert.vocabulary import load_tokenizer, read_vocabulary
from tests.convert.tiny_vocabularies import vocabulary_gguf
from tests.convert.vocabulary_cases import SMALL
from tests.convert.vocabulary_facts import FIXTURES, vocabulary_facts


@pytest.mark.parametrize("name", SMALL)
def test_tokens_types_scores_merges_and_ids_are_upstreams(tmp_path, name):
    case = SMALL[name]
    folder = case.make(Path(), tmp_path / "hf")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | case.config), "utf-8")
    found = read_vocabulary(folder, len(load_tokenizer(folder)))
    theirs = json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))
    ours = vocabulary_facts(vocabulary_gguf(tmp_path / "v.gguf", found))
    assert ours == theirs | case.differs
