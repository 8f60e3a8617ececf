"""Files as people have them: what each is recognised as, and what is read out of it."""

from __future__ import annotations

import io
import json
import shlex
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finetune.data.prepared_records import TextRecord
from finetune.data.recognise import recognise
from finetune.data.sources.data_source import Broken
from finetune.data.wishes import Changes, asked_for
from finetune.errors import FinetuneError
from tests.finetune.data.sources.test_sets import read, said

ROWS = [
    (f"What helps against {illness}?", f"The nurse measures, and looks after {n} h.")
    for n, illness in enumerate(("fever", "cough", "gout"), 2)
]
OBJECTS = [{"question": q, "answer": a} for q, a in ROWS]
OPTIONS = {"A": "Aspirin", "B": "Rest", "C": "Iron", "D": "Salt"}
LISTED = "\n\nA. Aspirin\nB. Rest\nC. Iron\nD. Salt"
NOTHING = ["N/A", "None", "<NA>", "nan", "-", "n/a", "NULL", "NaN"]


def lines(rows: Sequence[Mapping[str, object]]) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


def talks(*more: dict[str, object], first: Sequence[dict[str, object]] = ()) -> bytes:
    return lines(
        [
            {
                "messages": [
                    *first,
                    {"role": "user", "content": q},
                    *more,
                    {"role": "assistant", "content": a},
                ]
            }
            for q, a in ROWS
        ]
    )


def csv(
    heading: str = "question,answer", form: str = '"{}","{}"', end: str = "\n"
) -> str:
    return end.join([heading, *(form.format(q, a) for q, a in ROWS)])


def workbook() -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in [("question", "answer"), *ROWS]:
        book.worksheets[0].append(row)
    book.save(out)
    return out.getvalue()


def parquet_of_bytes() -> bytes:
    out = io.BytesIO()
    columns = {k: pa.array([row[k].encode() for row in OBJECTS]) for k in OBJECTS[0]}
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def download() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("data/train.csv", csv())
        archive.writestr("data/README.md", "About this set.")
    return out.getvalue()


@dataclass(frozen=True)
class Shape:
    """A file, and the texts of the turns that are read out of it."""

    file: str
    content: bytes
    read: Sequence[tuple[str, ...]]


SHAPES = {
    "an instruction and its input": Shape(
        "alpaca.jsonl",
        lines(
            [
                {"instruction": "Sum up.", "input": q, "output": a}
                if n
                else {"instruction": q, "input": "", "output": a}
                for n, (q, a) in enumerate(ROWS)
            ]
        ),
        [
            (f"Sum up.\n\n{q}" if n else q, a)  # an empty input leaves no gap
            for n, (q, a) in enumerate(ROWS)
        ],
    ),
    "quotes within quotes with a backslash": Shape(
        "backslash.csv",
        csv(form='"{} He said \\"help\\", twice","{}"').encode(),
        [(f'{q} He said "help", twice', a) for q, a in ROWS],
    ),
    "a workbook": Shape("book.xlsx", workbook(), ROWS),
    "texts as bytes in Parquet": Shape("bytes.parquet", parquet_of_bytes(), ROWS),
    "a patient and a doctor": Shape(
        "chatbot.csv",
        csv("Description,Patient,Doctor", 'Q. x,"{}","{}"').encode(),
        ROWS,
    ),
    "JSON lines called ndjson": Shape("fhir.ndjson", lines(OBJECTS), ROWS),
    "a download as it is": Shape("kaggle.zip", download(), ROWS),
    "options by letters": Shape(
        "medqa.jsonl",
        lines(
            [
                {"question": q, "answer": "Rest", "options": OPTIONS, "answer_idx": "B"}
                for q, _ in ROWS
            ]
        ),
        [(f"{q}{LISTED}", "B. Rest") for q, _ in ROWS],
    ),
    "options in a list": Shape(
        "mmlu_hf.jsonl",
        lines(
            [
                {"question": q, "choices": list(OPTIONS.values()), "answer": n}
                for n, (q, _) in enumerate(ROWS)
            ]
        ),
        [
            (f"{q}{LISTED}", f"{'ABC'[n]}. {OPTIONS['ABC'[n]]}")
            for n, (q, _) in enumerate(ROWS)
        ],
    ),
    "a developer": Shape(
        "messages_developer.jsonl",
        talks(first=[{"role": "developer", "content": "You are a doctor."}]),
        [("You are a doctor.", q, a) for q, a in ROWS],
    ),
    "a text in parts": Shape(
        "messages_parts.jsonl",
        lines(
            [
                {
                    "messages": [
                        {"role": role, "content": [{"type": "text", "text": text}]}
                        for role, text in zip(("user", "assistant"), row, strict=True)
                    ]
                }
                for row in ROWS
            ]
        ),
        ROWS,
    ),
    "a prompt and a completion in turns": Shape(
        "prompt_completion_chat.jsonl",
        lines(
            [
                {
                    "prompt": [{"role": "user", "content": q}],
                    "completion": [{"role": "assistant", "content": a}],
                }
                for q, a in ROWS
            ]
        ),
        ROWS,
    ),
    "thanks behind the last answer": Shape(
        "sharegpt_endhuman.jsonl",
        lines(
            [
                {
                    "conversations": [
                        {"from": "human", "value": q},
                        {"from": "gpt", "value": a},
                        {"from": "human", "value": "Thank you!"},
                    ]
                }
                for q, a in ROWS
            ]
        ),
        ROWS,
    ),
    "words for nothing": Shape(
        "miss.csv",
        "\n".join(["question,answer", *(f"What?,{w}" for w in NOTHING)]).encode(),
        [("What?", "")] * len(NOTHING),
    ),
    "NaN where an answer is missing": Shape(
        "nan.csv",
        f'{csv("input,output")}\n"And then?",NaN\n"And then?",NULL'.encode(),
        [*ROWS, ("And then?", ""), ("And then?", "")],
    ),
    "lines of old Macs": Shape("oldmac.csv", csv(end="\r").encode(), ROWS),
    "JSON printed prettily": Shape(
        "pretty.jsonl",
        "\n".join(json.dumps(row, indent=2) for row in OBJECTS).encode(),
        ROWS,
    ),
    "what Excel says of its separator": Shape(
        "sep.csv", csv("sep=;\nquestion;answer", "{};{}", "\r\n").encode(), ROWS
    ),
    "rows under data": Shape(
        "wrapped.json", json.dumps({"data": OBJECTS}).encode(), ROWS
    ),
}


def put(folder: Path, name: str, content: bytes) -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("name", SHAPES)
def test_a_table_in_any_shape_is_read_whole(tmp_path, name):
    shape = SHAPES[name]
    file = put(tmp_path, shape.file, shape.content)
    assert recognise(file) == "table"
    assert said(read("table", file)) == [tuple(row) for row in shape.read]


def test_a_table_in_windows_letters_asks_for_its_columns_and_is_read_by_them(tmp_path):
    text = csv("Frage;Antwort", "Übelkeit? {};Ärztlich \u2013 {}")
    file = put(tmp_path, "semicolon1252.csv", text.encode("cp1252"))
    with pytest.raises(FinetuneError) as refused:
        read("table", file)
    assert "the columns Frage, Antwort" in str(refused.value)
    line = str(refused.value).rpartition("--option ")[2]
    columns = json.loads(line.strip("'").removeprefix("columns="))
    found = said(read("table", file, columns=columns))
    assert found == [(f"Übelkeit? {q}", f"Ärztlich \u2013 {a}") for q, a in ROWS]


def test_the_line_to_type_can_be_typed_whatever_the_columns_are_called(tmp_path):
    names = ["Patient's words", 'a "b" $(c)']
    rows = [dict(zip(names, row, strict=True)) for row in ROWS]
    file = put(tmp_path, "odd.jsonl", lines(rows))
    with pytest.raises(FinetuneError) as refused:
        read("table", file)
    (typed,) = shlex.split(str(refused.value).rpartition("--option ")[2])
    columns = json.loads(typed.removeprefix("columns="))
    assert said(read("table", file, columns=columns)) == ROWS


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("old.xls", r"spreadsheet.*save it as \.xlsx or as CSV"),
        ("study.SAV", "statistics.*export it as CSV"),
        ("rows.pkl", "can run code.*save it as JSON lines"),
        ("data.7z", "unpack it, and give the folder"),
        ("guide.pdf", r"save its text as \.txt"),
        ("ward.sqlite3", "export the table as CSV"),
    ],
)
def test_a_file_of_another_program_is_told_with_what_to_make_of_it(
    tmp_path, name, said
):
    file = put(tmp_path, name, b"\xd0\xcf\x11\xe0" + bytes(99))
    for use in (recognise, lambda path: read("table", path)):
        with pytest.raises(FinetuneError, match=said):
            use(file)
    with pytest.raises(FinetuneError, match=said):
        recognise(tmp_path)


def test_two_answers_of_one_name_are_asked_about(tmp_path):
    file = put(
        tmp_path, "dup.csv", csv("question,answer,answer", '"{}","{}",').encode()
    )
    with pytest.raises(FinetuneError, match="2 columns of the name answer"):
        read("table", file)


def test_talks_with_tools_are_refused_for_that_reason(tmp_path):
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": ""}}
    calls = {"role": "assistant", "content": None, "tool_calls": [call]}
    file = put(
        tmp_path, "tools.jsonl", talks(calls, {"role": "tool", "content": "37 C"})
    )
    found = read("table", file)
    assert len(found) == len(ROWS)
    assert all(isinstance(r, Broken) and "calls tools" in r.reason for r in found)


def test_a_restriction_in_a_column_of_licences_is_not_cut_away(tmp_path):
    licences = [
        "CC BY 4.0 (non-commercial)",
        "CC-BY (research use only)",
        "not public domain",
        "CC BY, academic use only",
        "MIT (with Commons Clause, no sale)",
        "CC BY 4.0",
    ]
    rows = (f'Why {n}?,So it is.,"{name}"' for n, name in enumerate(licences))
    text = "\n".join(["question,answer,licence", *rows])
    found = read("table", put(tmp_path, "lic.csv", text.encode()))
    assert [r.licence.name for r in found if not isinstance(r, Broken)] == licences


ARTICLE = """<?xml version="1.0"?>
<article xmlns:xlink="http://www.w3.org/1999/xlink"
 xmlns:mml="http://www.w3.org/1998/Math/MathML"
 xmlns:ali="http://www.niso.org/schemas/ali/1.0/" article-type="research-article"
 xml:lang="en"><front><article-meta><article-id pub-id-type="pmc">7</article-id>
<title-group><article-title>A title</article-title></title-group>{related}
<permissions>{licence}</permissions></article-meta></front><body>{body}</body>
</article>"""
FREE = "https://creativecommons.org/licenses/by/4.0/"
BODY = "<p>The dose was raised in all patients over the course of the trial.</p>"


def by(words: str, link: str = FREE) -> str:
    return f'<license xlink:href="{link}"><license-p>{words}</license-p></license>'


def article(
    tmp_path: Path, licence: str, body: str = BODY, related: str = ""
) -> TextRecord:
    text = ARTICLE.format(licence=licence, body=body, related=related)
    file = put(tmp_path, "article.xml", text.encode())
    assert recognise(file) == "pmc-oa"
    (found,) = read("pmc-oa", file)
    assert isinstance(found, TextRecord)
    return found


@pytest.mark.parametrize(
    ("licence", "name", "evidence"),
    [
        (by("CC BY 4.0"), "CC BY 4.0", "CC BY 4.0"),
        (
            by("Utilisation à des fins commerciales interdite."),
            "unknown",
            "conflict",
        ),
        (
            by("Lizenz: Namensnennung 4.0, nicht kommerziell", f"{FREE}deed.de"),
            "unknown",
            "conflict",
        ),
        (
            f'<ali:license_ref start_date="2099-01-01">{FREE}</ali:license_ref>',
            "restricted",
            "from 2099-01-01 on",
        ),
    ],
)
def test_an_articles_licence_is_what_all_of_it_says(tmp_path, licence, name, evidence):
    found = article(tmp_path, licence).licence
    assert found.name == name
    assert evidence in found.evidence


def test_an_article_of_which_the_editors_published_a_concern_says_so(tmp_path):
    related = (
        '<related-article related-article-type="expression-of-concern" '
        'xlink:href="10.1/x"/>'
    )
    found = article(tmp_path, by("CC BY 4.0"), related=related)
    assert "expression-of-concern" in str(found.meta["expression of concern"])


def test_a_paragraph_keeps_its_words_around_a_table_and_its_formulas(tmp_path):
    tex = r"\documentclass{minimal}\begin{document}$$\alpha$$\end{document}"
    body = (
        "<sec><title>R</title><p>Doses were<table-wrap><table><tr><td>10</td></tr>"
        "</table></table-wrap> as shown.</p><p>10<sup>3</sup>, CO<sub>2</sub>, "
        "x<sup>&#8722;1</sup>, p&lt;0.05, <mml:math><mml:mfrac><mml:mi>a</mml:mi>"
        "<mml:mi>b</mml:mi></mml:mfrac></mml:math>.</p><p>Formula <inline-formula>"
        f"<tex-math>{tex}</tex-math></inline-formula> done.</p></sec>"
    )
    assert article(tmp_path, by("CC BY 4.0"), body).text == (
        "A title\n\nR\n\nDoses were as shown.\n\n10^3, CO2, x^\u22121, p<0.05, a/b.\n\n"
        "Formula \u03b1 done."
    )


def test_labels_of_chexpert_are_told_from_a_table(tmp_path):
    content = (
        "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,"
        "Cardiomegaly,Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,"
        "Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,"
        "Support Devices\nCheXpert-v1.0-small/train/patient00000/study1/"
        "view1_frontal.jpg,Female,60,Frontal,AP,1.0,,,,,-1.0,,,,0.0,,,,1.0\n"
    )
    file = put(tmp_path, "train.csv", content.encode())
    assert recognise(file) == "chexpert"
    (found,) = read("chexpert", file)
    assert isinstance(found, TextRecord)
    assert "Support devices are in place" in found.text
    assert "may be pulmonary edema" in found.text


def test_one_file_with_a_paragraph_a_line_is_many_texts_and_has_its_licence(tmp_path):
    long = " ".join(f"The {n}th patient coughed and was given rest." for n in range(60))
    text = "\n".join(f"On cough, part {n}\n{n} {long}" for n in range(4))
    put(tmp_path, "medicaldataset.txt", text.encode())
    recipe = put(
        tmp_path,
        "recipe.yaml",
        b"name: own\nbase: base\ndata:\n  sources:\n    - {name: text, path: "
        b'medicaldataset.txt, licence: "CC BY 4.0"}\n',
    )
    asked = asked_for([str(recipe)], Changes())
    (source,) = asked.settings.sources
    found = read(source.name, asked.base / source.path, licence=source.licence)
    assert len(found) >= 4
    assert {r.licence.name for r in found if isinstance(r, TextRecord)} == {"CC BY 4.0"}


def test_a_first_file_that_is_not_there_is_not_taken_for_a_recipe(tmp_path):
    there = put(tmp_path, "a.jsonl", lines(OBJECTS))
    with pytest.raises(FinetuneError, match=r"nothing\.jsonl is no file"):
        asked_for([str(tmp_path / "nothing.jsonl"), str(there)], Changes())
