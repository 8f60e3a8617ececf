"""Reading the data sets: each in its own format, cleaned, broken ones named."""

from __future__ import annotations

import lzma
import os
from collections import Counter
from pathlib import Path

import pytest

from finetune.data.documents import focus_key, is_held_out
from finetune.data.sources.source_notices import notices
from finetune.errors import FinetuneError
from finetune.starter.corpus import read_open_corpus, read_text
from finetune.starter.questions import QUESTION_SETS
from finetune.starter.starter_recipe import read_recipe
from tests.finetune.conftest import SUBJECTS, page, write_corpus, write_medquad

CHECKOUT = Path(__file__).parents[2]
read_medquad = QUESTION_SETS["medquad"].read
REAL = Path(os.environ.get("MEDASSIST_DATA", CHECKOUT.parent / "shared" / "data"))


def test_medquad_questions_are_read_and_cleaned(data):
    questions = list(read_medquad(data / "medquad", Counter()))
    first, second = questions[:2]
    assert first.focus == SUBJECTS[0]
    assert first.kind == "information"
    assert first.question == f"What is {SUBJECTS[0]}?"
    assert first.answer == (
        f"{SUBJECTS[0]} is a disease of the heart. It begins slowly and is found by "
        "looking. Rest helps those who have it."
    )
    assert second.answer.startswith("People with"), "the echoed question is left out"


def test_tables_of_frequencies_are_left_out_and_counted(data):
    dropped: Counter[str] = Counter()
    questions = list(read_medquad(data / "medquad", dropped))
    assert "symptoms" not in {q.kind for q in questions}
    assert sum(dropped.values()) == len(SUBJECTS)


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("These resources address the diagnosis of it: - A page - Another page", None),
        ("The NINDS conducts research related to it in its own laboratories.", None),
        ("Summary : A cough is a reflex that keeps your airways clear.", "A cough is"),
        (
            "A cough keeps your airways clear of dust. NIH: National Heart Institute",
            "A cough keeps your airways clear of dust.",
        ),
    ],
)
def test_boilerplate_of_the_web_pages_is_left_out(tmp_path, answer, kept):
    text = page(0).replace("Rest helps those who have it.", "@")
    start = text.index("<Answer>") + len("<Answer>")
    text = text[:start] + answer + text[text.index("</Answer>") :]
    write_medquad(tmp_path, [text])
    dropped: Counter[str] = Counter()
    first = next(read_medquad(tmp_path, dropped))
    if kept is None:
        assert first.kind == "treatment"
        assert dropped["names other pages or an institute's work"] == 1
    else:
        assert first.answer.startswith(kept)
        assert "NIH" not in first.answer


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(FinetuneError, match=r"medquad-xml\.tar\.xz is not there"):
        list(read_medquad(tmp_path, Counter()))


def test_an_archive_that_was_cut_off_is_named(tmp_path):
    write_medquad(tmp_path, [page(i) for i in range(20)])
    archive = tmp_path / "medquad-xml.tar.xz"
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(FinetuneError, match="cannot be read"):
        list(read_medquad(tmp_path, Counter()))


def test_a_page_that_is_no_xml_is_named(tmp_path):
    write_medquad(tmp_path, [page(0), "<Document><Focus>half"])
    with pytest.raises(FinetuneError, match=r"0001\.xml is not well-formed"):
        list(read_medquad(tmp_path, Counter()))


def test_the_corpus_gives_the_sources_that_are_asked_for(data):
    documents = list(read_open_corpus(data / "pretrain-corpus", ["ontology"]))
    assert {d.source for d in documents} == {"ontology"}
    assert documents[3].text.startswith("Sign 3: a sign is part of the body")


def test_a_source_that_the_corpus_has_not_is_named(data):
    with pytest.raises(FinetuneError, match="no text of ontologie"):
        list(read_open_corpus(data / "pretrain-corpus", ["ontologie"]))


def test_a_broken_line_of_the_corpus_is_named_by_number(tmp_path):
    write_corpus(tmp_path, [{"source": "ontology", "licence": "", "text": "A."}])
    file = tmp_path / "pretrain_corpus.jsonl.xz"
    file.write_bytes(lzma.compress(lzma.decompress(file.read_bytes()) + b"{half\n"))
    with pytest.raises(FinetuneError, match="line 2"):
        list(read_open_corpus(tmp_path, ["ontology"]))


def test_a_corpus_that_was_cut_off_is_named(tmp_path):
    write_corpus(
        tmp_path,
        [{"source": "ontology", "licence": "", "text": f"A {i}."} for i in range(99)],
    )
    file = tmp_path / "pretrain_corpus.jsonl.xz"
    file.write_bytes(file.read_bytes()[:-60])
    with pytest.raises(FinetuneError, match="copy it anew"):
        list(read_open_corpus(tmp_path, ["ontology"]))


def test_spellings_of_a_focus_fall_on_the_same_side_of_the_split():
    assert focus_key("Cushing's Syndrome") == focus_key("cushing-s  syndrome ")
    shares = [is_held_out(focus_key(f"disease {i}"), 0.1) for i in range(4000)]
    assert 0.08 < sum(shares) / len(shares) < 0.12


def test_every_source_of_the_recipe_has_its_notice():
    for source in read_recipe().text.sources:
        notice = notices()[source.name]
        assert notice.licence
        assert notice.attribution


@pytest.mark.skipif(not REAL.is_dir(), reason="the data folder is not here")
def test_the_real_data_is_read_and_split_by_focus():
    reading = read_text(REAL, read_recipe())
    train = {focus_key(q.focus) for q in reading.questions_train}
    validation = {focus_key(q.focus) for q in reading.questions_validation}
    assert not train & validation
    assert 0.08 < len(validation) / len(train | validation) < 0.12
    assert len(reading.questions_train) > 10_000
    answers = [q.answer for q in reading.questions_train]
    assert not any("Human Phenotype Ontology provides" in a for a in answers)
    held_out = {q.question for q in reading.questions_validation}
    assert not any(p.question in held_out for p in reading.train)
