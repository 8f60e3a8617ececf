"""The list of data sets, and what holds for each of them."""

from __future__ import annotations

import pickle

import pytest

from finetune.data.prepared_records import TextRecord
from finetune.data.sources.data_source import LONGEST_RECORD, Broken
from finetune.data.sources.registry import SOURCES, open_source
from finetune.errors import FinetuneError


@pytest.mark.parametrize("name", SOURCES)
def test_each_set_says_what_it_is_and_can_be_sent_to_a_worker(name, tmp_path):
    info = SOURCES[name]
    assert info.name == name
    assert info.title
    assert info.about.endswith(".")
    assert info.licence
    source = open_source(name)
    assert pickle.loads(pickle.dumps(source)) == source
    with pytest.raises(FinetuneError, match="is not there"):
        source.files(tmp_path / "nowhere")
    with pytest.raises(FinetuneError, match="holds no file of"):
        source.files(tmp_path)


@pytest.mark.parametrize("name", SOURCES)
def test_a_file_of_another_kind_is_refused_or_told_record_by_record(name, tmp_path):
    if name == "text":
        pytest.skip("any text is text")
    file = tmp_path / "other.bin"
    file.write_bytes(b"\x00\x01 neither this nor that \xff\xfe\n" * 3)
    try:
        found = list(open_source(name).read(file))
    except FinetuneError as error:
        assert "other.bin" in str(error)
    else:
        assert found
        assert all(isinstance(each, Broken) for each in found)


def test_unknown_names_and_options_get_the_nearest():
    with pytest.raises(FinetuneError, match="did you mean medquad"):
        open_source("medquat")
    with pytest.raises(FinetuneError, match="did you mean licence"):
        open_source("text", license="CC0")
    with pytest.raises(FinetuneError, match="a number"):
        open_source("text", piece="many")
    assert open_source("pmc-oa", parts=["abstract"]) == open_source(
        "pmc-oa", parts="abstract"
    )
    with pytest.raises(FinetuneError, match="did you mean abstract"):
        open_source("pmc-oa", parts=["abstracts"])


def test_a_record_of_a_million_words_is_told_and_the_next_one_is_read(tmp_path):
    file = tmp_path / "own.jsonl"
    words = "word " * 1_000_000
    file.write_text(f'{{"text": "{words}"}}\n{{"text": "Short."}}\n', "utf-8")
    long, short = open_source("table").read(file)
    assert isinstance(long, Broken)
    assert f"{LONGEST_RECORD:,}" in long.reason
    assert isinstance(short, TextRecord)
    assert short.text == "Short."
