"""The sets of questions and answers: each in its own format, written by us."""

from __future__ import annotations

import csv
import io
import json
import lzma
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from openpyxl import Workbook

from finetune.data.documents import QuestionAnswer
from finetune.data.sources import (
    aci_bench,
    covid_qa,
    elife_digests,
    meqsum,
    mts_dialog,
    pubmedqa,
)
from finetune.data.sources.source_notices import notices
from finetune.errors import FinetuneError
from finetune.starter.questions import QUESTION_SETS
from tests.finetune.test_sources import REAL

ARTICLE = """\
The cough of Corvo

Author, A.
License:cc-by

Abstract: Corvo's cough was seen in 12 people. It ends in a week. Nobody died of it.

Body: Water helps the cough. Honey helped 7 of 12 people. The rest slept."""

JATS = """\
<article xmlns:xlink="http://www.w3.org/1999/xlink"><front><article-meta>
<title-group><article-title>A <italic>small</italic> finding</article-title>
</title-group>
<abstract><p>We measured it.</p></abstract>
<abstract abstract-type="executive-summary"><title>Digest</title>
<p>Cells   breathe.</p><p>This one <bold>holds</bold> its breath.</p>
<p>DOI: <ext-link xlink:href="x">10.1/2</ext-link></p></abstract>
</article-meta></front><body><p>Long.</p></body></article>"""

NOTE = """\
CHIEF COMPLAINT

Knee.

HISTORY OF PRESENT ILLNESS

The knee hurts. It began on Monday.

PAST HISTORY

None.

ASSESSMENT AND PLAN

Bruise of the knee. Rest for a week."""


def read(name: str, folder: Path) -> tuple[list[QuestionAnswer], Counter[str]]:
    dropped: Counter[str] = Counter()
    return list(QUESTION_SETS[name].read(folder, dropped)), dropped


def write_xz(file: Path, value: object) -> None:
    file.write_bytes(lzma.compress(json.dumps(value).encode()))


def write_csv(file: Path, rows: list[dict[str, str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def squad(folder: Path, *answers: tuple[str, str]) -> None:
    qas = [
        {
            "question": question,
            "answers": [{"text": text, "answer_start": ARTICLE.index(text)}]
            if text
            else [],
        }
        for question, text in answers
    ]
    value = {"data": [{"paragraphs": [{"context": ARTICLE, "qas": qas}]}]}
    write_xz(folder / covid_qa.FILES[0], value)


def test_covid_qa_answers_with_the_sentence_out_of_the_passage_around_it(tmp_path):
    squad(tmp_path, ("How many got better?", "7 of 12"), ("Why?", ""))
    (asked,), dropped = read("covid-qa", tmp_path)
    assert asked.answer == "Honey helped 7 of 12 people."
    assert asked.question.endswith("The rest slept.\n\nHow many got better?")
    assert asked.question.startswith("Body: Water helps")
    assert asked.focus == "The cough of Corvo"
    assert sum(dropped.values()) == 1


def test_covid_qa_without_its_fields_is_named(tmp_path):
    write_xz(tmp_path / covid_qa.FILES[0], {"data": [{"paragraphs": [{}]}]})
    with pytest.raises(FinetuneError, match=r"covidqa.*context"):
        read("covid-qa", tmp_path)


def test_pubmedqa_answers_begin_with_the_decision(tmp_path):
    row = {
        "QUESTION": "Does rest help?",
        "CONTEXTS": ["Ten people rested.", "Nine got well."],
        "LONG_ANSWER": "Rest helped most.",
        "final_decision": "yes",
    }
    write_xz(tmp_path / pubmedqa.FILES[0], {"123": row, "124": row | {"CONTEXTS": []}})
    (asked,), dropped = read("pubmedqa", tmp_path)
    assert asked.question == "Ten people rested. Nine got well.\n\nDoes rest help?"
    assert asked.answer == "Yes. Rest helped most."
    assert sum(dropped.values()) == 1


@pytest.mark.parametrize("name", ["covid-qa", "pubmedqa"])
def test_a_broken_json_archive_is_named(tmp_path, name):
    file = tmp_path / QUESTION_SETS[name].files[0]
    with pytest.raises(FinetuneError, match="is not there"):
        read(name, tmp_path)
    file.write_bytes(lzma.compress(b"{half"))
    with pytest.raises(FinetuneError, match="copy it anew"):
        read(name, tmp_path)


def write_meqsum(folder: Path, *rows: tuple[str | None, ...]) -> None:
    book = Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    book.save(folder / meqsum.FILES[0])


def test_meqsum_puts_a_letter_into_one_question(tmp_path):
    write_meqsum(
        tmp_path,
        meqsum.COLUMNS,
        ("1.txt", "SUBJECT: knee\nMESSAGE: my knee hurts, why", "Why does it hurt?"),
        ("2.txt", None, "Who?"),
    )
    (asked,), dropped = read("meqsum", tmp_path)
    assert asked.question == f"{meqsum.TASK}\n\nknee my knee hurts, why"
    assert asked.answer == "Why does it hurt?"
    assert sum(dropped.values()) == 1


def test_a_sheet_that_is_not_meqsum_is_named(tmp_path):
    write_meqsum(tmp_path, ("a", "b", "c"))
    with pytest.raises(FinetuneError, match="has the columns"):
        read("meqsum", tmp_path)
    (tmp_path / meqsum.FILES[0]).write_bytes(b"no sheet")
    with pytest.raises(FinetuneError, match="cannot be read as an Excel sheet"):
        read("meqsum", tmp_path)


def test_mts_dialog_asks_for_a_section_by_its_name(tmp_path):
    row = {
        "ID": "0",
        "section_header": "ALLERGY",
        "section_text": "None  known.",
        "dialogue": "Doctor: Any allergies? \r\nPatient: No.",
    }
    for name in mts_dialog.FILES:
        write_csv(tmp_path / name, [row, row | {"section_header": "WEATHER"}])
    asked, dropped = read("mts-dialog", tmp_path)
    assert asked[0].question == (
        "Write the allergies of the note for this conversation:\n\n"
        "Doctor: Any allergies?\nPatient: No."
    )
    assert asked[0].answer == "None known."
    assert asked[0].focus != asked[1].focus, "numbers begin anew in each file"
    assert sum(dropped.values()) == 2


def test_aci_bench_asks_for_the_plan_of_a_history(tmp_path):
    row = {"encounter_id": "D1", "note": NOTE}
    for name in aci_bench.FILES:
        write_csv(tmp_path / name, [row, {"encounter_id": "D2", "note": "Short."}])
    asked, dropped = read("aci-bench", tmp_path)
    assert asked[0].question.endswith("\n\nThe knee hurts. It began on Monday.")
    assert asked[0].answer == "Bruise of the knee. Rest for a week."
    assert sum(dropped.values()) == 2


@pytest.mark.parametrize("name", ["mts-dialog", "aci-bench"])
def test_a_table_without_its_columns_is_named(tmp_path, name):
    for file in QUESTION_SETS[name].files:
        write_csv(tmp_path / file, [{"a": "1"}])
    with pytest.raises(FinetuneError, match="has no column"):
        read(name, tmp_path)


def write_articles(folder: Path, **articles: str) -> None:
    with tarfile.open(folder / elife_digests.FILES[0], "w:xz") as tar:
        for name, text in articles.items():
            member = tarfile.TarInfo(f"{name}.xml")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))


def test_a_digest_is_asked_for_by_the_title_of_its_article(tmp_path):
    bare = JATS.replace("executive-summary", "toc")
    write_articles(tmp_path, one=JATS, two=bare)
    (asked,), dropped = read("elife-digests", tmp_path)
    assert asked.question == f"{elife_digests.TASK} A small finding"
    assert asked.answer == "Cells breathe.\nThis one holds its breath."
    assert sum(dropped.values()) == 1


def test_an_article_that_asks_for_a_file_gets_none(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("passphrase", "utf-8")
    entity = f'<!DOCTYPE article [<!ENTITY e SYSTEM "{secret.as_uri()}">]>'
    write_articles(tmp_path, one=entity + JATS.replace("Cells", "&e; Cells"))
    with pytest.raises(FinetuneError, match="declares entities of its own") as told:
        read("elife-digests", tmp_path)
    assert "passphrase" not in str(told.value)


def test_an_article_that_is_no_xml_is_named(tmp_path):
    write_articles(tmp_path, broken="<article><front>")
    with pytest.raises(FinetuneError, match=r"broken\.xml is not well-formed"):
        read("elife-digests", tmp_path)


def test_every_set_has_its_notice():
    assert set(QUESTION_SETS) <= set(notices())


@pytest.mark.skipif(not REAL.is_dir(), reason="the shared data is not here")
@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("covid-qa", 900),
        ("pubmedqa", 490),
        ("meqsum", 990),
        ("mts-dialog", 1290),
        ("aci-bench", 50),
    ],
)
def test_the_real_sets_are_read(name, least):
    asked, _ = read(name, REAL / QUESTION_SETS[name].folder)
    assert len(asked) >= least
    assert all(q.question.strip() and q.answer.strip() and q.focus for q in asked)
