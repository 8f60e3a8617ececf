"""Conversations in the forms of chat data sets: which are learned, which refused."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finetune.data.prepared_records import DialogueRecord
from finetune.data.sources.row_conversation import (
    CLOSING,
    FORM_REASON,
    JOINED,
    PICTURE_REASON,
    SPEAKER_REASON,
    THOUGHTS,
    TOOL_REASON,
    WEIGHT_REASON,
)
from tests.finetune.data.sources.test_sets import broken, read, said, write
from tests.finetune.data.sources.test_tables import lines, understood

ASKED = {"role": "user", "content": "I cough."}
SAID = {"role": "assistant", "content": "Rest."}
PLAIN = [("user", "I cough."), ("assistant", "Rest.")]


def turns(row: object, tmp_path: Any) -> list[tuple[str, str]]:
    (record,) = read("table", lines(tmp_path / "a.jsonl", row))
    assert isinstance(record, DialogueRecord), record
    return [(message.role, message.content) for message in record.messages]


def refused(row: object, tmp_path: Any) -> str:
    (record,) = broken(read("table", lines(tmp_path / "a.jsonl", row)))
    return record.reason


def parts(*texts: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in texts]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [ASKED, SAID]},
        {"messages": json.dumps([ASKED, SAID])},
        {"messages": str([ASKED, SAID])},
        {"messages": f"[{ASKED}\n {SAID}]"},
        {"talk": [ASKED, SAID]},
        {"prompt": [ASKED], "completion": [SAID]},
        {"prompt": "I cough.", "completion": [SAID]},
        {"prompt": [ASKED], "completion": "Rest."},
        {"prompt": [ASKED], "chosen": [SAID], "rejected": [ASKED]},
        {"prompt": "I cough.", "chosen": [ASKED, SAID], "rejected": [ASKED, SAID]},
        {"chosen": [ASKED, SAID], "rejected": [ASKED, ASKED]},
        {"input": {"messages": [ASKED]}, "preferred_output": [SAID]},
        {"conversations": [
            {"from": "human", "value": "I cough."},
            {"from": "gpt", "value": "Rest."},
        ]},
        {"dialog": [
            {"speaker": "Patient", "text": "I cough."},
            {"speaker": "Doctor", "text": "Rest."},
        ]},
        {"contents": [
            {"role": "user", "parts": [{"text": "I cough."}]},
            {"role": "model", "parts": [{"text": "Rest."}]},
        ]},
        {"conversation": [{"human": "I cough.", "assistant": "Rest."}]},
        {"conversation": [{"input": "I cough.", "output": "Rest."}]},
        {"conversation": ["I cough.", "Rest."]},
        {"conversations": [["I cough.", "Rest."]]},
        {"messages": "\n\nHuman: I cough.\n\nAssistant: Rest."},
        {"messages": "Patient: I cough.\nDoctor: Rest."},
        {"conversation": ["patient: I cough.", "doctor: Rest."]},
        {"dialog": [
            {"speaker": "Seeker", "content": "I cough."},
            {"speaker": "Counsellor", "content": "Rest."},
        ]},
        {"messages": [
            {"role": "user", "content": parts("I cough.")},
            {"role": "assistant", "content": parts("Rest.")},
        ]},
        {"messages": [
            {"role": "user", "content": [{"text": "I cough."}]},
            {"role": "assistant", "content": {"parts": ["Rest."]}},
        ]},
    ],
)  # fmt: skip
def test_a_conversation_is_read_in_each_of_its_usual_forms(tmp_path, row):
    assert turns(row, tmp_path) == PLAIN


def test_a_developer_is_a_system_and_system_texts_stand_together(tmp_path):
    developer = {"role": "developer", "content": "Be brief."}
    system = {"role": "system", "content": "You are a nurse."}
    row = {"messages": [system, developer, ASKED, SAID]}
    assert turns(row, tmp_path)[0] == ("system", "You are a nurse.\n\nBe brief.")
    row = {"messages": [developer, ASKED, SAID], "system": "In English."}
    assert turns(row, tmp_path)[0] == ("system", "In English.\n\nBe brief.")
    row = {"contents": [ASKED, SAID], "systemInstruction": {"parts": parts("Short.")}}
    assert turns(row, tmp_path) == [("system", "Short."), *PLAIN]


def test_names_within_a_turn_are_part_of_it_and_a_transcript_may_begin_with_any(
    tmp_path,
):
    note = "Sum up:\nPatient: Ann\nDoctor: Bo"
    row = {"messages": f"Human: {note}\n\nAssistant: Ann saw Bo."}
    assert turns(row, tmp_path) == [("user", note), ("assistant", "Ann saw Bo.")]
    spoken = ["Doctor: Well?", "Patient: I cough.", "Doctor: Rest."]
    row = {"conversation": spoken}
    assert turns(row, tmp_path) == [("assistant", "Well?"), *PLAIN]
    row = {"conversation": ["Patient: I cough.", "Rest."]}
    assert turns(row, tmp_path)[0] == ("user", "Patient: I cough.")


def test_parts_of_a_text_are_lines(tmp_path):
    row = {"messages": [ASKED | {"content": parts("A note.", "What now?")}, SAID]}
    assert turns(row, tmp_path)[0] == ("user", "A note.\nWhat now?")


def test_what_is_said_behind_the_last_answer_is_cut_and_told(tmp_path):
    thanks = {"role": "user", "content": "Thank you!"}
    assert turns({"messages": [ASKED, SAID, thanks]}, tmp_path) == PLAIN
    file = lines(tmp_path / "b.jsonl", {"messages": [ASKED, SAID, thanks, ASKED]})
    assert said(read("table", file)) == [("I cough.", "Rest.")]
    assert understood(file).changed == {CLOSING: 1, JOINED: 1}


def test_turns_of_one_speaker_are_one_turn(tmp_path):
    more = {"role": "user", "content": "And I sneeze."}
    row = {"messages": [ASKED, more, SAID]}
    assert turns(row, tmp_path)[0] == ("user", "I cough.\n\nAnd I sneeze.")


def test_thoughts_beside_an_answer_are_left_out_and_told(tmp_path):
    thinks = SAID | {"reasoning_content": "Which illness?"}
    file = lines(tmp_path / "a.jsonl", {"messages": [ASKED, thinks]})
    assert said(read("table", file)) == [("I cough.", "Rest.")]
    assert understood(file).changed == {THOUGHTS: 1}


CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}


@pytest.mark.parametrize(
    "turn",
    [
        CALL,
        {"role": "tool", "content": "37 C"},
        {"from": "observation", "value": "37 C"},
        {"from": "function_call", "value": "{}"},
        {"role": "assistant", "content": [{"type": "tool_use", "name": "look_up"}]},
    ],
)
def test_a_conversation_with_tools_is_refused_for_that_reason(tmp_path, turn):
    assert refused({"messages": [ASKED, turn, SAID]}, tmp_path) == TOOL_REASON


@pytest.mark.parametrize(
    ("turn", "reason"),
    [
        ({"role": "user", "content": [{"type": "image_url"}]}, PICTURE_REASON),
        ({"role": "Dr. Who", "content": "Hm."}, SPEAKER_REASON),
        (SAID | {"weight": 0}, WEIGHT_REASON),
        (7, FORM_REASON),
        ({"role": "user", "content": 7}, FORM_REASON),
        ({"role": "user"}, FORM_REASON),
    ],
)
def test_what_cannot_be_learned_is_refused_with_its_reason(tmp_path, turn, reason):
    assert refused({"messages": [ASKED, turn, SAID]}, tmp_path) == reason


@pytest.mark.parametrize("row", [[ASKED], [SAID], [], "no talk", None, 7])
def test_without_a_question_and_an_answer_there_is_no_conversation(tmp_path, row):
    assert refused({"messages": row}, tmp_path) == FORM_REASON


def test_a_marked_answer_is_learned_where_its_weight_says_so(tmp_path):
    assert turns({"messages": [ASKED, SAID | {"weight": 1}]}, tmp_path) == PLAIN


def test_a_bad_completion_is_not_learned(tmp_path):
    row = {"prompt": "I cough.", "completion": "Go away.", "label": False}
    assert "not to be given" in refused(row, tmp_path)
    row |= {"completion": "Rest.", "label": True}
    assert turns(row, tmp_path) == PLAIN


def test_earlier_turns_stand_before_the_question(tmp_path):
    row = {
        "instruction": "I cough.",
        "output": "Rest.",
        "history": [["Hello?", "Good morning."]],
    }
    assert turns(row, tmp_path) == [
        ("user", "Hello?"),
        ("assistant", "Good morning."),
        *PLAIN,
    ]


@pytest.mark.parametrize(
    "answers",
    [
        ["Rest.", "Sleep.", "Rest.", "nan"],
        [{"text": "Rest."}, {"text": "Sleep."}],
        {"text": ["Rest.", "Sleep."], "answer_start": [0, 7]},
        "['Rest.', 'Sleep.']",
        '["Rest.", "Sleep."]',
    ],
)
def test_each_of_several_answers_is_a_record_and_they_stay_together(tmp_path, answers):
    file = lines(tmp_path / "a.jsonl", {"question": "What helps?", "answers": answers})
    records = read("table", file)
    assert said(records) == [("What helps?", "Rest."), ("What helps?", "Sleep.")]
    assert all(isinstance(record, DialogueRecord) for record in records)
    assert len({record.id for record in records}) == 2
    assert len({r.group for r in records if isinstance(r, DialogueRecord)}) == 1


def test_an_empty_list_of_answers_is_a_missing_answer(tmp_path):
    file = lines(tmp_path / "a.jsonl", {"question": "What helps?", "answers": []})
    assert said(read("table", file)) == [("What helps?", "")]


def test_turns_are_found_in_parquet_whatever_their_column_is_called(tmp_path):
    file = tmp_path / "a.parquet"
    marked = [{"start": 1, "end": 2}]
    rows = [{"spans": marked, "talk": [ASKED, SAID], "score": 1}]
    pq.write_table(pa.Table.from_pylist(rows), file)
    assert said(read("table", file)) == [("I cough.", "Rest.")]
    assert understood(file).unused == ("spans", "score")


def test_turns_in_columns_are_read_as_datasets_keeps_a_sequence_of_objects(tmp_path):
    columns = {name: [turn[name] for turn in (ASKED, SAID)] for name in ASKED}
    row = {"talk": columns, "score": 1}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    assert said(read("table", tmp_path / "a.parquet")) == [("I cough.", "Rest.")]
    file = lines(tmp_path / "a.jsonl", row, row)
    assert said(read("table", file)) == [("I cough.", "Rest.")] * 2


def test_columns_of_ones_own_names_can_hold_turns(tmp_path):
    file = lines(tmp_path / "a.jsonl", {"p": [ASKED], "q": [SAID], "messages": 1})
    wish = {"question": "p", "answer": "q"}
    assert said(read("table", file, columns=wish)) == [("I cough.", "Rest.")]
    file = write(tmp_path / "b.csv", f'x,y\n"{[ASKED, SAID]}",1\n')
    assert said(read("table", file, columns={"messages": "x"})) == [
        ("I cough.", "Rest.")
    ]
