"""Each data set in its own format: fixtures of our own words, and the real ones."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finetune.data.prepared_records import DialogueRecord, TextRecord
from finetune.data.sources.chexpert import wordings
from finetune.data.sources.data_source import RETRACTED, Broken, Read
from finetune.data.sources.registry import open_source
from finetune.errors import FinetuneError
from tests.finetune.data.jats.test_article import page
from tests.finetune.data.sources.test_reading import tar

CHECKOUT = Path(__file__).parents[4]
REAL = Path(os.environ.get("MEDASSIST_DATA", CHECKOUT.parent / "shared" / "data"))


def read(name: str, root: Path, **options: object) -> list[Read]:
    source = open_source(name, **options)
    return [record for file in source.files(root) for record in source.read(file)]


def texts(records: list[Read]) -> list[TextRecord]:
    assert all(isinstance(r, TextRecord) for r in records), records
    return [r for r in records if isinstance(r, TextRecord)]


def said(records: list[Read]) -> list[tuple[str, ...]]:
    assert all(isinstance(r, DialogueRecord) for r in records), records
    return [
        tuple(m.content for m in r.messages)
        for r in records
        if isinstance(r, DialogueRecord)
    ]


def broken(records: list[Read]) -> list[Broken]:
    return [r for r in records if isinstance(r, Broken)]


def write(file: Path, value: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
    return file


def article(number: int, **more: str) -> bytes:
    return page(**more).replace(b'"pmc">123<', f'"pmc">{number}<'.encode())


def test_pmc_counts_the_newest_version_and_its_metadata(tmp_path):
    for version, retracted in ((1, False), (2, True)):
        name = f"PMC7.{version}"
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{name}.xml").write_bytes(article(7, title=f"Version {version}"))
        write(
            folder / f"{name}.json",
            {"license_code": "CC BY", "is_retracted": retracted, "version": version},
        )
    (record,) = texts(read("pmc-oa", tmp_path))
    assert record.title == "Version 2"
    assert "PMC7.2.json" in record.meta[RETRACTED]
    assert record.licence.name == "CC BY 4.0"
    assert "license_code: CC BY" in record.licence.evidence


def test_pmc_in_a_tar_finds_versions_and_metadata_behind_the_article(tmp_path):
    tar(
        tmp_path / "some.tar.gz",
        ("PMC7.1/PMC7.1.xml", article(7)),
        ("PMC8.1/PMC8.1.xml", article(8)),
        ("PMC7.2/PMC7.2.xml", article(7, title="New")),
        ("metadata/PMC8.1.json", b'{"license_code": "CC BY-NC", "is_retracted": 0}'),
    )
    records = read("pmc-oa", tmp_path)
    (old,) = broken(records)
    assert old.reason == "is version 1 of PMC7; there is a newer one"
    by_id = {r.id: r for r in records if isinstance(r, TextRecord)}
    assert by_id["PMC7"].title == "New"
    assert by_id["PMC8"].licence.name == "unknown"
    assert by_id["PMC8"].licence.evidence.startswith("conflict: the article says CC BY")


def test_pmc_in_the_old_layout_takes_licences_from_the_file_list(tmp_path):
    unlicensed = article(9).replace(b"creativecommons.org", b"own.org")
    tar(tmp_path / "oa_comm_xml.tar.gz", ("PMC000/PMC9.xml", unlicensed))
    write(
        tmp_path / "oa_comm_xml.filelist.csv",
        "Article File,Article Citation,AccessionID,LastUpdated,PMID,License,Retracted\n"
        "x,y,PMC10,z,1,CC BY-NC,no\nx,y,PMC9,z,1,CC0,yes\n",
    )
    (record,) = texts(read("pmc-oa", tmp_path))
    assert record.licence.name == "CC0"
    assert record.licence.evidence.startswith("oa_comm_xml.filelist.csv License: CC0")
    assert RETRACTED in record.meta


def test_one_bad_article_does_not_end_the_reading(tmp_path):
    tar(
        tmp_path / "a.tar",
        ("a.xml", article(1)),
        ("b.xml", b"<article><front>"),
        ("../c.xml", article(3)),
        ("d.xml", article(4, kind="correction")),
        ("e.nxml", article(5)),
    )
    records = read("pmc-oa", tmp_path)
    assert [r.id for r in records if isinstance(r, TextRecord)] == ["PMC1", "PMC5"]
    words = ("not well-formed", "leads out", "is a correction")
    found = [b.reason for b in broken(records)]
    assert all(word in reason for word, reason in zip(words, found, strict=True))


def test_parts_of_an_article_can_be_chosen(tmp_path):
    (tmp_path / "a.xml").write_bytes(
        article(1, abstracts="<abstract><p>Short.</p></abstract>")
    )
    (record,) = texts(read("pmc-oa", tmp_path, parts=["abstract"]))
    assert record.text == "Short."
    (whole,) = texts(read("pmc-oa", tmp_path))
    assert whole.text == "A title\n\nShort.\n\nText."


def test_digests_are_asked_for_by_the_title(tmp_path):
    digest = '<abstract abstract-type="plain-language-summary"><p>Easy.</p></abstract>'
    (tmp_path / "a.xml").write_bytes(article(1, abstracts=digest))
    assert said(read("elife-digests", tmp_path)) == [
        ("Explain this research in plain language: A title", "Easy.")
    ]


PATIENT = {
    "patient_id": "0",
    "patient_uid": "77-1",
    "PMID": "77",
    "file_path": "x.xml",
    "title": "A case",
    "patient": "A man of 60 came with a cough.",
    "age": [[60.0, "year"], [2, "month"]],
    "gender": "M",
    "relevant_articles": {},
    "similar_patients": {},
}


def test_pmc_patients_in_json_and_csv(tmp_path):
    write(tmp_path / "a.json", [PATIENT, {"PMID": "1"}])
    first, second = read("pmc-patients", tmp_path)
    assert isinstance(first, TextRecord)
    assert (first.id, first.group, first.meta["age"]) == (
        "77-1",
        "77",
        "60 year 2 month",
    )
    assert isinstance(second, Broken)
    other = tmp_path / "csv"
    write(
        other / "a.csv",
        "patient_id,patient_uid,PMID,file_path,title,patient,age,gender\n"
        '0,77-1,77.0,x,A case,"A man, ill.","[[60.0, \'year\']]",M\n',
    )
    (row,) = texts(read("pmc-patients", other))
    assert (row.text, row.group, row.meta["age"]) == ("A man, ill.", "77", "60 year")
    assert row.licence.name == "CC BY-NC-SA 4.0"


def test_ehr_ds_qa_keeps_a_patient_together_and_wrong_answers_out(tmp_path):
    def note(**more: object) -> dict[str, object]:
        pairs = [{"question": "Why?", "answer": "Fever."}]
        return {
            "note_id": "n1",
            "subject_id": 5,
            "note": "He had a fever.",
            "qa_pairs": pairs,
            "extended_context": "He had a fever. More.",
            **more,
        }

    wrong = [{"question": "Q?", "answer": "A.", "correct": False}]
    right = [{"question": "Q?", "answer": "A.", "correct": True, "human_verified": 1}]
    write(
        tmp_path / "a.json",
        [
            note(),
            note(note_id="n2", qa_pairs=wrong),
            note(note_id="n3", qa_pairs=right),
        ],
    )
    records = read("ehr-ds-qa", tmp_path)
    assert [b.reason for b in broken(records)] == [
        "its answer was checked and is wrong"
    ]
    good = [r for r in records if isinstance(r, DialogueRecord)]
    assert {r.group for r in good} == {"5"}
    assert good[0].messages[0].content == "He had a fever.\n\nWhy?"
    assert "PhysioNet" in good[0].licence.name
    checked = read("ehr-ds-qa", tmp_path, verified=True, context="extended")
    (one,) = [r for r in checked if isinstance(r, DialogueRecord)]
    assert one.messages[0].content.startswith("He had a fever. More.")


@pytest.mark.parametrize("between", ["\n", "\n----------\n"])
def test_bioread_puts_names_for_numbers(tmp_path, between):
    passage = between.join(
        [
            "@entity1 helps against @entity2 .",
            "In mice XXXXXX helps too .",
            "@entity1:honey\n@entity2:cough",
            "@entity1:honey",
        ]
    )
    write(tmp_path / "a.txt", f"{passage}\n----------\n{passage}\n---\nno question\n")
    *good, last = read("bioread", tmp_path)
    for question, answer in said(good):
        assert question.startswith("honey helps against cough .\n\nIn mice XXXXXX")
        assert answer == "honey"
    assert len(good) == 2
    assert isinstance(last, Broken)
    assert "a question with a gap is missing" in last.reason


def test_clicr_answers_in_the_reports_own_words(tmp_path):
    qas = [
        {
            "id": "q1",
            "query": "Think of @placeholder in coughs .",
            "answers": [
                {"text": "pertussis", "cui": "C1", "sem_type": "x", "origin": "umls"},
                {"text": "whooping cough", "cui": "C1", "origin": "dataset"},
            ],
        },
        {"id": "q2"},
    ]
    document = {"title": "A cough", "context": "A BEG__cough__END .", "qas": qas}
    data = [{"source": "s1", "document": document}, {"source": "s2"}]
    write(tmp_path / "train1.0.json", {"version": "1.0", "data": data})
    first, second, third = read("clicr", tmp_path)
    ((question, answer),) = said([first])
    assert question.startswith("A cough .\n\nThink of @placeholder")
    assert answer == "whooping cough"
    assert isinstance(second, Broken)
    assert isinstance(third, Broken)


def test_healthqa_keeps_an_article_together(tmp_path):
    write(
        tmp_path / "all_train.json",
        {
            "paras": ["Drink.", ["Sleep", "well", "."], "Walk."],
            "ques": [["What to drink?", "Why?"], ["How to sleep?"], []],
            "article_range": [[0, 2], [2, 1]],
        },
    )
    records = read("healthqa", tmp_path)
    assert said(records)[2] == ("How to sleep?", "Sleep well .")
    assert len({r.group for r in records if isinstance(r, DialogueRecord)}) == 1
    write(
        tmp_path / "all_train.json", {"paras": ["a"], "ques": [], "article_range": []}
    )
    with pytest.raises(FinetuneError, match="1 paragraphs and questions for 0"):
        read("healthqa", tmp_path)


def test_chexpert_keeps_uncertain_and_blank_apart(tmp_path):
    heading = "Path,Sex,Age,Frontal/Lateral,AP/PA," + ",".join(wordings())

    def row(view: str, **values: str) -> str:
        cells = [values.get(label.replace(" ", "_"), "") for label in wordings()]
        return f"CheXpert-v1.0/train/{view},Male,60,Frontal,AP," + ",".join(cells)

    labels = {"Edema": "1.0", "Pneumonia": "-1.0", "Fracture": "0.0"}
    write(
        tmp_path / "train.csv",
        "\n".join(
            [
                heading,
                row("patient1/study1/view1.jpg", **labels),
                row("patient1/study1/view2.jpg", **labels),
                row("patient1/study2/view1.jpg"),
                row("patient2/study1/view1.jpg", Edema="2"),
            ]
        ),
    )
    first, blank, wrong = read("chexpert", tmp_path)
    assert isinstance(first, TextRecord)
    assert first.text == (
        "Chest X-ray. There is pulmonary edema. Pneumonia is possible. There is no "
        "fracture."
    )
    assert first.meta["uncertain"] == "Pneumonia"
    assert isinstance(blank, TextRecord)
    assert blank.text == ""
    assert blank.group == first.group == "patient1"
    assert isinstance(wrong, Broken)
    assert "Edema is '2'" in wrong.reason


def test_doctor_healthcare_with_and_without_instructions(tmp_path):
    write(tmp_path / "a.csv", "input,output\nI cough.,Rest.\n,Gap.\n")
    assert said(read("doctor-healthcare-100k", tmp_path)) == [
        ("I cough.", "Rest."),
        ("", "Gap."),
    ]
    write(tmp_path / "a.csv", "instruction,input,output\nBe kind.,I cough.,Rest.\n")
    assert said(read("doctor-healthcare-100k", tmp_path)) == [
        ("Be kind.", "I cough.", "Rest.")
    ]


def test_plain_text_in_whole_paragraphs_without_gutenbergs_frame(tmp_path):
    write(
        tmp_path / "book.txt",
        "Talk.\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\n\nOne\nline.\n\n"
        "Two.\n\nThree.\n*** END OF THE PROJECT GUTENBERG EBOOK X ***\nMore talk.\n",
    )
    records = texts(read("text", tmp_path, licence="public domain", piece=16))
    assert [r.text for r in records] == ["One line.\n\nTwo.", "Three."]
    assert {r.group for r in records} == {"book.txt"}
    assert records[0].licence.name == "public domain"
    assert texts(read("text", tmp_path))[0].licence.name == "unknown"


def test_plain_text_whose_lines_are_paragraphs_is_not_one_paragraph(tmp_path):
    long = " ".join(f"The {n}th patient coughed and was given rest." for n in range(6))
    unwrapped = "\n".join(["A heading", long, long, "Another", long])
    write(tmp_path / "a.txt", unwrapped)
    records = texts(read("text", tmp_path, piece=len(long) + 20))
    assert [r.text for r in records] == [
        f"A heading\n\n{long}",
        f"{long}\n\nAnother",
        long,
    ]
    wrapped = "\n".join(long[at : at + 70].strip() for at in range(0, len(long), 70))
    write(tmp_path / "a.txt", wrapped)
    (record,) = texts(read("text", tmp_path))
    assert record.text.count("\n") == 0


def test_a_paragraph_that_is_longer_than_a_piece_is_cut_after_sentences(tmp_path):
    whole = " ".join(f"Patient {n} was given rest." for n in range(50))
    write(tmp_path / "a.txt", whole)
    records = texts(read("text", tmp_path, piece=200))
    assert len(records) > 5
    assert " ".join(r.text for r in records) == whole
    assert all(len(r.text) <= 200 and r.text.endswith(".") for r in records)


ROWS = [
    {"Patient": "I cough.", "Doctor": "Rest.", "who": "p1", "lic": "CC0"},
    {"Patient": "I ache.", "Doctor": None, "who": "p1", "lic": ""},
]
COLUMNS = {"question": "Patient", "answer": "Doctor", "group": "who", "licence": "lic"}


def write_table(file: Path) -> Path:
    match file.suffix:
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(ROWS), file)
        case ".json":
            write(file, ROWS)
        case ".jsonl":
            write(file, "\n".join(map(json.dumps, ROWS)))
        case _:
            sign = "\t" if file.suffix == ".tsv" else ","
            rows = [list(ROWS[0]), *(list(row.values()) for row in ROWS)]
            write(file, "\n".join(sign.join(str(c or "") for c in r) for r in rows))
    return file


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "tsv", "parquet"])
def test_a_table_is_read_by_its_column_map_in_every_format(tmp_path, ending):
    file = write_table(tmp_path / f"own.{ending}")
    records = read("table", file, columns=COLUMNS, licence="MIT")
    assert said(records) == [("I cough.", "Rest."), ("I ache.", "")]
    assert [r.licence.name for r in records if isinstance(r, DialogueRecord)] == [
        "CC0",
        "MIT",
    ]
    assert {r.group for r in records if isinstance(r, DialogueRecord)} == {"p1"}
    with pytest.raises(FinetuneError, match=r"no column Pateint.*did you mean Patient"):
        read("table", file, columns={**COLUMNS, "question": "Pateint"})
    assert said(read("table", file))[0] == ("I cough.", "Rest."), "usual names"


def test_tables_hold_texts_contexts_and_conversations(tmp_path):
    file = write(tmp_path / "a.jsonl", '{"body": "Long."}\nno json\n')
    first, second = read("table", file, columns={"text": "body"})
    assert isinstance(first, TextRecord)
    assert isinstance(second, Broken)
    write(file, '{"c": "A note.", "q": "Why?", "a": "So."}')
    columns = {"context": "c", "question": "q", "answer": "a"}
    assert said(read("table", file, columns=columns)) == [("A note.\n\nWhy?", "So.")]
    talk = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yes?"}]
    bad = [{"role": "user", "content": "Hi"}]
    write(file, "\n".join(json.dumps({"messages": m}) for m in (talk, bad, 3)))
    first, *others = read("table", file)
    assert said([first]) == [("Hi", "Yes?")]
    assert len(broken(others)) == 2


def test_a_column_map_that_says_too_little_is_refused(tmp_path):
    with pytest.raises(FinetuneError, match="did you mean question"):
        open_source("table", columns={"questoin": "x"})
    with pytest.raises(FinetuneError, match="names neither `text`"):
        open_source("table", columns={"question": "x"})
    file = write(tmp_path / "a.csv", "x1,x2\n1,2\n")
    with pytest.raises(FinetuneError, match="none of which says by its name"):
        read("table", file)


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("What causes marsh cough? Damp air does.", "Damp air does."),
        ("Is 15q13.3 cough inherited? It is not.", "It is not."),
        (
            "How is it inherited? Can it be a hidden trait? It is not inherited.",
            "It is not inherited.",
        ),
        ("If so, in what way? By the mother.", "By the mother."),
        (
            "Summary : Marsh cough comes\n      \n   with damp.",
            "Marsh cough comes\nwith damp.",
        ),
        (
            "What are its signs? It is loud. The Human Phenotype Ontology provides "
            "the following list.\nSigns: 90%",
            "It is loud.",
        ),
        (
            "Do you cough at night? If so, you may have marsh cough.",
            "Do you cough at night? If so, you may have marsh cough.",
        ),
        ("What causes marsh cough?", ""),
        ("These resources address the treatment of it: - A page", ""),
    ],
)
def test_medquad_answers_are_their_prose(tmp_path, answer, kept):
    document = (
        '<Document source="Own"><Focus>Marsh cough</Focus><QAPairs><QAPair pid="1">'
        '<Question qtype="causes">What causes Marsh cough ?</Question>'
        f"<Answer>{answer}</Answer></QAPair></QAPairs></Document>"
    )
    write(tmp_path / "own" / "1.xml", document)
    assert said(read("medquad", tmp_path)) == [("What causes Marsh cough?", kept)]


@pytest.mark.skipif(not REAL.is_dir(), reason="the data folder is not here")
@pytest.mark.parametrize(
    ("name", "folder", "good", "bad"),
    [
        ("medquad", "medquad", 15_864, 4),
        ("covid-qa", "covid-qa", 939, 0),
        ("pubmedqa", "pubmedqa", 500, 0),
        ("meqsum", "meqsum", 1_000, 0),
        ("mts-dialog", "mts-dialog", 1_301, 0),
        ("aci-bench", "aci-bench", 87, 0),
        ("clinical-trials", "api-fixtures/ctgov", 25, 0),
        ("pmc-oa", "plos-starter-corpus-jats", 117, 4),
        ("pmc-oa", "jats-parser-fixtures", 4, 0),
    ],
)
def test_the_real_sets_are_read_whole(name, folder, good, bad):
    records = read(name, REAL / folder)
    assert len(broken(records)) == bad
    assert len(records) == good + bad
    licences = Counter(r.licence.name for r in records if not isinstance(r, Broken))
    assert "unknown" not in licences


@pytest.mark.skipif(not REAL.is_dir(), reason="the data folder is not here")
def test_few_of_medquads_answers_begin_with_a_question():
    read_whole = read("medquad", REAL / "medquad")
    records: list[Read] = [r for r in read_whole if not isinstance(r, Broken)]
    answers = [turns[-1] for turns in said(records) if turns[-1]]
    asked = [a for a in answers if re.match(r"\W*(?:[^.?!]|[.!](?!\s))*\?", a)]
    assert len(answers) > 12_000
    assert len(asked) <= 0.01 * len(answers)
