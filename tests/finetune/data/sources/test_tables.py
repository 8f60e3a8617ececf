"""Tables of the user's own: which column is what, and what is told of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finetune.data.sources.data_source import Broken, Columns
from finetune.data.sources.registry import open_source
from finetune.errors import FinetuneError
from tests.finetune.data.sources.test_sets import broken, read, said, write


def lines(file: Path, *rows: object) -> Path:
    return write(file, "\n".join(json.dumps(row) for row in rows))


def understood(file: Path, **options: object) -> Columns:
    reading = iter(open_source("table", **options).read(file))
    while True:
        try:
            next(reading)
        except StopIteration as end:
            assert isinstance(end.value, Columns)
            return end.value


ALPACA = (
    {"instruction": "Sum up.", "input": "He coughs.", "output": "Cough."},
    {"instruction": "What helps?", "input": "", "output": "Rest."},
    {"instruction": "And then?", "output": "Sleep."},
    {"instruction": "", "input": "Only this?", "output": "Yes."},
)
AS_ALPACA_MEANS = [
    ("Sum up.\n\nHe coughs.", "Cough."),
    ("What helps?", "Rest."),
    ("And then?", "Sleep."),
    ("Only this?", "Yes."),
]


def test_an_instruction_stands_before_its_input(tmp_path):
    file = lines(tmp_path / "a.jsonl", *ALPACA)
    assert said(read("table", file)) == AS_ALPACA_MEANS
    lines(file, *ALPACA[::-1])
    assert said(read("table", file)) == AS_ALPACA_MEANS[::-1], "whichever comes first"


@pytest.mark.parametrize(
    ("row", "question"),
    [
        ({"question": "What is it?", "input": "A rash."}, "What is it?\n\nA rash."),
        ({"prompt": "Sum up.", "input": "A note."}, "Sum up.\n\nA note."),
        ({"instruction": "Be brief.", "question": "Why?"}, "Be brief.\n\nWhy?"),
        ({"context": "A note.", "instruction": "Sum up."}, "A note.\n\nSum up."),
        ({"input": "I cough."}, "I cough."),
    ],
)
def test_what_stands_beside_a_question_is_not_lost(tmp_path, row, question):
    file = lines(tmp_path / "a.jsonl", row | {"output": "So."})
    assert said(read("table", file)) == [(question, "So.")]
    told = understood(file)
    assert {name for names in told.taken.values() for name in names} == {*row, "output"}
    assert not told.unused


def test_columns_that_are_not_used_are_told(tmp_path):
    file = write(
        tmp_path / "a.csv", "Description,Patient,Doctor,\nQ. x,I cough.,Rest.,7\n"
    )
    assert understood(file) == Columns(
        {"question": ("Patient",), "answer": ("Doctor",)},
        ("Description", "(no name)"),
        {},
    )
    later = lines(
        tmp_path / "b.jsonl",
        {"question": "A?", "answer": "B."},
        {"question": "C?", "answer": "D.", "reason": "E."},
    )
    assert understood(later).unused == ("reason",)
    mapped = understood(file, columns={"question": "Description", "answer": "Doctor"})
    assert mapped.unused == ("Patient", "(no name)")


def test_columns_of_parquet_that_are_not_read_are_told_too(tmp_path):
    file = tmp_path / "a.parquet"
    rows = [{"question": "A?", "answer": "B.", "score": 1.5, "blob": b"x"}]
    pq.write_table(pa.Table.from_pylist(rows), file)
    assert understood(file).unused == ("score", "blob")
    assert said(read("table", file)) == [("A?", "B.")]


def test_columns_are_told_of_a_file_that_is_cut_off(tmp_path):
    file = write(tmp_path / "a.json", '[{"question": "A?", "answer": "B."}, {"qu')
    good, cut = read("table", file)
    assert said([good]) == [("A?", "B.")]
    assert "copy it anew" in broken([cut])[0].reason
    assert understood(file).taken["question"] == ("question",)


@pytest.mark.parametrize("second", ["answer", "Answer"])
def test_two_columns_of_one_name_are_refused_where_they_are_used(tmp_path, second):
    file = write(tmp_path / "a.csv", f"question,answer,{second},x,x\nA?,B.,,1,2\n")
    with pytest.raises(FinetuneError, match="2 columns of the name answer"):
        read("table", file)
    write(file, "question,answer,x,x\nA?,B.,1,2\n")
    assert said(read("table", file)) == [("A?", "B.")]
    if second == "answer":
        wish = {"question": "question", "answer": "answer"}
        write(file, "question,answer,answer\nA?,B.,\n")
        with pytest.raises(FinetuneError, match="2 columns of the name answer"):
            read("table", file, columns=wish)


def test_two_columns_of_one_name_in_parquet_are_refused(tmp_path):
    file = tmp_path / "a.parquet"
    columns = [pa.array(["A?"]), pa.array(["B."]), pa.array([""])]
    names = ["question", "answer", "answer"]
    pq.write_table(pa.Table.from_arrays(columns, names=names), file)
    with pytest.raises(FinetuneError, match="2 columns of the name answer"):
        read("table", file)


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_a_key_that_stands_twice_in_an_object_is_told(tmp_path, name):
    row = '{"question": "A?", "answer": "B.", "answer": ""}'
    other = '{"question": "C?", "answer": "D."}'
    whole = f"[{row},{other}]" if name == "a.json" else f"{row}\n{other}"
    first, second = read("table", write(tmp_path / name, whole))
    assert "a key twice" in broken([first])[0].reason
    assert said([second]) == [("C?", "D.")]


def test_json_lines_are_read_where_the_name_says_json(tmp_path):
    rows = ({"question": "A?", "answer": "B."}, {"question": "C?", "answer": "D."})
    file = lines(tmp_path / "train.json", *rows)
    assert said(read("table", file)) == [("A?", "B."), ("C?", "D.")]
    lines(file, rows[0])
    assert said(read("table", file)) == [("A?", "B.")]
    for whole in (list(rows), {"first": rows[0], "second": rows[1]}):
        write(file, whole)
        assert said(read("table", file)) == [("A?", "B."), ("C?", "D.")]


WORDS_FOR_NOTHING = ("NaN", "nan", "NULL", "null", "N/A", "n/a", "None", "<NA>", "#N/A")


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_words_for_nothing_are_no_answers_and_are_counted(tmp_path, ending):
    rows: list[dict[str, Any]] = [
        {"question": f"What is {i}?", "answer": word}
        for i, word in enumerate(WORDS_FOR_NOTHING)
    ]
    rows.append({"question": "Any allergies?", "answer": "None known."})
    file = tmp_path / f"a.{ending}"
    match ending:
        case "csv":
            cells = "".join(f"{r['question']},{r['answer']}\n" for r in rows)
            write(file, f"question,answer\n{cells}")
        case "jsonl":
            lines(file, *rows, {"question": "And?", "answer": float("nan")})
        case _:
            pq.write_table(pa.Table.from_pylist(rows), file)
    answers = [answer for _, answer in said(read("table", file))]
    assert [answer for answer in answers if answer] == ["None known."]
    nothing = len(WORDS_FOR_NOTHING) + (ending == "jsonl")
    assert understood(file).missing == {"answer": nothing}


def test_words_for_nothing_name_no_group_no_licence_and_no_input(tmp_path):
    file = write(
        tmp_path / "a.csv",
        "instruction,input,output,group,licence\nA?,nan,B.,nan,NaN\nC?,NULL,D.,NA,\n",
    )
    records = read("table", file, licence="CC0")
    assert said(records) == [("A?", "B."), ("C?", "D.")]
    assert [
        (r.group, r.licence.name) for r in records if not isinstance(r, Broken)
    ] == [
        ("a.csv:1", "CC0"),
        ("a.csv:2", "CC0"),
    ]


def test_a_turn_that_says_nothing_is_an_empty_turn(tmp_path):
    turns = [{"role": "user", "content": "A?"}, {"role": "assistant", "content": "nan"}]
    file = lines(tmp_path / "a.jsonl", {"messages": turns})
    assert said(read("table", file)) == [("A?", "")]
    assert understood(file).missing == {"messages": 1}


def test_a_set_exported_by_pandas_has_no_answer_nan(tmp_path):
    write(tmp_path / "a.csv", "instruction,input,output\nnan,I cough.,nan\n")
    assert said(read("doctor-healthcare-100k", tmp_path)) == [("I cough.", "")]


OPTIONS = ("Aspirin", "Rest", "Iron", "Steroid")
ASKED = "What helps?\n\nA. Aspirin\nB. Rest\nC. Iron\nD. Steroid"


def paper(shape: str, right: int) -> dict[str, Any]:
    """A question in the columns of a published exam."""
    letters = dict(zip("ABCD", OPTIONS, strict=True))
    by_letter = {f"op{k.lower()}": text for k, text in letters.items()}
    match shape:
        case "mmlu":
            return {"subject": "x", "choices": [*OPTIONS], "answer": right}
        case "medqa":
            return {
                "answer": OPTIONS[right],
                "options": letters,
                "answer_idx": "ABCD"[right],
            }
        case "medqa by key":
            pairs = [{"key": k, "value": text} for k, text in letters.items()]
            return {"options": pairs, "answer": OPTIONS[right]}
        case "medmcqa from 1":
            return by_letter | {"cop": right + 1, "exp": "So it is."}
        case "medmcqa from 0":
            return by_letter | {"cop": right, "exp": "So it is."}
        case "endings":
            return {f"ending{i}": text for i, text in enumerate(OPTIONS)} | {
                "label": right
            }
        case "arc":
            return {
                "choices": {"text": [*OPTIONS], "label": ["1", "2", "3", "4"]},
                "answerKey": str(right + 1),
            }
        case "letters":
            return letters | {"answer": f"({'abcd'[right]})"}
        case "columns":
            columns = {f"Option {i + 1}": text for i, text in enumerate(OPTIONS)}
            return columns | {"Correct Option": f"{right + 1}"}
        case "called":
            columns = {f"Option {letter}": text for letter, text in letters.items()}
            return columns | {"Correct Answer": f"Option {'ABCD'[right]}"}
        case "column":
            return by_letter | {"correct": f"op{'abcd'[right]}"}
        case "with their letters":
            return {
                "choices": [f"{letter}. {text}" for letter, text in letters.items()],
                "answer": right,
            }
        case "array":
            array = " ".join(f"'{text}'" for text in OPTIONS)
            return {"options": f"[{array}]", "answer": str(right)}
        case "written out":
            return {"options": str([*OPTIONS]), "answer": f"{'ABCD'[right]}"}
        case _:
            raise AssertionError(shape)


SHAPES = (
    *("mmlu", "medqa", "medqa by key", "medmcqa from 1", "medmcqa from 0", "endings"),
    *("arc", "letters", "columns", "written out"),
    *("called", "column", "with their letters", "array"),
)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_options_stand_in_the_question_and_the_answer_is_in_full(
    tmp_path, shape, ending
):
    rows = [{"question": "What helps?", **paper(shape, i % 4)} for i in range(8)]
    file = tmp_path / f"a.{ending}"
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    else:
        lines(file, *rows)
    wanted = [(ASKED, f"{'ABCD'[i % 4]}. {OPTIONS[i % 4]}") for i in range(8)]
    assert said(read("table", file)) == wanted
    assert "options" in understood(file).taken


def test_several_right_options_are_all_in_the_answer(tmp_path):
    rows = [
        {"question": "What helps?", "choices": [*OPTIONS], "answer": answer}
        for answer in ([0, 2], [1, 3])
    ]
    both = [(ASKED, "A. Aspirin\nC. Iron"), (ASKED, "B. Rest\nD. Steroid")]
    file = lines(tmp_path / "a.jsonl", *rows)
    assert said(read("table", file)) == both
    rows = [row | {"answer": a} for row, a in zip(rows, ("A, C", "b;d"), strict=True)]
    assert said(read("table", lines(file, *rows))) == both


def test_options_that_are_in_the_question_are_not_put_there_again(tmp_path):
    row = {"question": f"What helps?\n{ASKED[13:]}", **paper("mmlu", 0)}
    file = lines(tmp_path / "a.jsonl", row)
    assert said(read("table", file)) == [(row["question"], "A. Aspirin")]


def test_an_answer_that_only_points_is_not_learned_where_options_are_lost(tmp_path):
    rows = [
        {"question": "What helps?", "choices": "array([...])", "answer": i}
        for i in range(4)
    ]
    records = read("table", lines(tmp_path / "a.jsonl", *rows))
    assert len(broken(records)) == 4
    others = {f"option{i}": text for i, text in enumerate(OPTIONS)}
    rows = [{"question": "What helps?", **others, "answer": 7} for _ in range(4)]
    records = read("table", lines(tmp_path / "a.jsonl", *rows))
    assert [b.reason for b in broken(records)] == [
        "answer names none of the row's options"
    ] * 4


def test_options_in_csv_are_found_by_the_names_of_their_columns(tmp_path):
    heading = "question,opa,opb,opc,opd,cop\n"
    rows = "".join(f"What helps?,Aspirin,Rest,Iron,Steroid,{i}\n" for i in range(4))
    file = write(tmp_path / "a.csv", heading + rows)
    assert said(read("table", file))[1] == (ASKED, "B. Rest")
    # As pandas writes whole numbers of a column in which some are missing.
    rows = "".join(f"What helps?,Aspirin,Rest,Iron,,{i}.0\n" for i in (1, 2, 3))
    write(file, heading + rows + "What helps?,Aspirin,Rest,Iron,Steroid,4.0\n")
    assert said(read("table", file))[1] == (
        "What helps?\n\nA. Aspirin\nB. Rest\nC. Iron",
        "B. Rest",
    )


def test_numbers_that_tell_not_where_they_count_from_are_asked_about(tmp_path):
    rows = [{"question": "What helps?", **paper("mmlu", i)} for i in (1, 2)]
    file = lines(tmp_path / "a.jsonl", *rows)
    with pytest.raises(FinetuneError, match=r"numbers 1, 2,.*--option first_choice=0"):
        read("table", file)
    assert said(read("table", file, first_choice=0))[0] == (ASKED, "B. Rest")
    assert said(read("table", file, first_choice=1))[0] == (ASKED, "A. Aspirin")
    with pytest.raises(FinetuneError, match="expected 0 or 1"):
        open_source("table", first_choice=2)


def test_a_right_option_that_is_kept_back_or_wrong_is_not_learned(tmp_path):
    right = [{"question": "What helps?", **paper("mmlu", i)} for i in range(4)]
    kept_back = right[0] | {"answer": -1}
    missing = right[0] | {"answer": None}
    wrong = right[0] | {"answer": 9}
    none = right[0] | {"choices": ["alone"]}
    plain = {"question": "Open?", "choices": [], "answer": "Yes."}
    file = lines(tmp_path / "a.jsonl", *right, kept_back, missing, wrong, none, plain)
    records = read("table", file)
    assert said(records[4:6]) == [(ASKED, ""), (ASKED, "")]
    reasons = [b.reason for b in broken(records)]
    assert reasons == [
        "answer names none of the row's options",
        "choices: no options of a multiple choice",
    ]
    assert said(records[-1:]) == [("Open?", "Yes.")]


def test_options_come_along_where_a_mapped_answer_is_nothing_without_them(tmp_path):
    rows = [{"question": "What helps?", **paper("medqa", i)} for i in range(4)]
    file = lines(tmp_path / "a.jsonl", *rows)
    pointing = {"question": "question", "answer": "answer_idx"}
    assert said(read("table", file, columns=pointing))[1] == (ASKED, "B. Rest")
    in_words = {"question": "question", "answer": "answer"}
    assert said(read("table", file, columns=in_words))[1] == ("What helps?", "Rest")
    both = in_words | {"options": "options"}
    assert said(read("table", file, columns=both))[1] == (ASKED, "B. Rest")
    named = [{"f": "What helps?", "w": "A", "x": "B", "y": 1 - i} for i in (0, 1)]
    lines(file, *named)
    wish = {"question": "f", "options": "w, x", "answer": "y"}
    assert said(read("table", file, columns=wish)) == [
        ("What helps?\n\nA. A\nB. B", "B. B"),
        ("What helps?\n\nA. A\nB. B", "A. A"),
    ]


def test_columns_that_only_look_like_options_are_left_alone(tmp_path):
    rows = [
        {"question": f"Q{i}?", "answer": "In words.", "a": i, "b": 2 * i, "c": 7}
        for i in range(1, 4)
    ]
    file = lines(tmp_path / "a.jsonl", *rows)
    assert said(read("table", file))[0] == ("Q1?", "In words.")
    assert understood(file).unused == ("a", "b", "c")
    lines(file, {"question": "Q?", "answer": "In words.", "options": "fast shipping"})
    assert said(read("table", file)) == [("Q?", "In words.")]


def test_a_question_with_options_may_be_answered_in_sentences(tmp_path):
    rows = [
        {
            "question": "What helps?",
            "choices": [*OPTIONS],
            "answer": f"In case {i} nothing does.",
        }
        for i in range(3)
    ]
    file = lines(tmp_path / "a.jsonl", *rows)
    assert said(read("table", file))[0] == (ASKED, "In case 0 nothing does.")
