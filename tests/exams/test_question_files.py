from __future__ import annotations

import json
from pathlib import Path

import pytest

from medassist.exams.multiple_choice import ExamError
from medassist.exams.question_files import find_exams
from tests.exams import papers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return papers.write_papers(tmp_path / "exams", 8)


def test_all_exams_of_a_folder_are_found_by_their_published_files(folder) -> None:
    found = {paper.task: paper for paper in find_exams(folder).papers}
    assert list(found) == ["medqa_4options", "medmcqa", "pubmedqa", "mmlu_medical"]
    assert [len(p.questions) for p in found.values()] == [8, 8, 8, 16]
    assert {len(sha) for p in found.values() for sha in p.files.values()} == {64}
    for task in ("medqa_4options", "medmcqa"):
        golds = [question.gold for question in found[task].questions]
        assert golds == [papers.gold(i) for i in range(8)]


def test_medqa_and_medmcqa_are_put_with_letters_and_pubmedqa_with_its_abstract(
    folder,
) -> None:
    medqa, medmcqa, pubmedqa, mmlu = find_exams(folder).papers
    lines = medqa.questions[0].text.split("\n")
    assert lines[0].startswith("Question: A man of 20")
    assert lines[1:] == ["A. water", "B. rest", "C. iron", "D. aspirin", "Answer:"]
    assert "first:\nChoices:\nA. water\n" in medmcqa.questions[0].text
    assert medmcqa.questions[1].group == "Surgery"
    assert pubmedqa.questions[0].choices == ("yes", "no", "maybe")
    assert "month.\nQuestion: Does water help against pain?\nAnswer:" in (
        pubmedqa.questions[0].text
    )
    assert mmlu.questions[0].text.startswith(
        "The following are multiple choice questions (with answers) about anatomy.\n\n"
        "Which is near the lung?\nA."
    )
    assert mmlu.questions[0].text.count("Answer: ") == 5


def test_fewer_solved_questions_stand_before_mmlu_where_fewer_are_asked_for(
    folder,
) -> None:
    assert (
        find_exams(folder, shots=2).papers[3].questions[0].text.count("Answer: ") == 2
    )
    assert find_exams(folder, shots=0).papers[3].questions[0].solved == ()


def test_pubmedqa_asks_the_questions_of_the_test_set_alone(folder) -> None:
    assert len(json.loads((folder / "ori_pqal.json").read_bytes())) == 11
    assert len(find_exams(folder).papers[2].questions) == 8


def test_the_hubs_columns_of_medqa_and_medmcqa_are_read_as_well(tmp_path) -> None:
    hub = [{**papers.medmcqa(i), "cop": papers.gold(i)} for i in range(8)]
    (tmp_path / "validation.jsonl").write_text(
        "\n".join(json.dumps(row) for row in hub), "utf-8"
    )
    (tmp_path / "medqa-hf.jsonl").write_text(
        json.dumps(
            {"id": "7", "sent1": "Why?", "sent2": "", "label": 2}
            | {f"ending{i}": text for i, text in enumerate("wxyz")}
        ),
        "utf-8",
    )
    medqa, medmcqa = find_exams(tmp_path).papers
    assert [q.gold for q in medmcqa.questions] == [papers.gold(i) for i in range(8)]
    assert medqa.questions[0].text == "Question: Why?\nA. w\nB. x\nC. y\nD. z\nAnswer:"
    assert medqa.questions[0].gold == 2


def test_training_files_are_passed_over_and_said_to_be(folder) -> None:
    (folder / "train.jsonl").write_text(json.dumps(papers.medqa(1)), "utf-8")
    found = find_exams(folder)
    assert len(found.papers) == 4
    assert [(f.name, why) for f, why in found.passed_over] == [
        ("train.jsonl", "is for training")
    ]


def broken(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, "utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("dev.json", json.dumps(papers.medmcqa(1)), "from 0 or from 1"),
        (
            "dev.json",
            json.dumps({**papers.medmcqa(1), "cop": 7}),
            "from 0 or from 1",
        ),
        (
            "phrases_no_exclude_test.jsonl",
            json.dumps({**papers.medqa(1), "answer_idx": "E"}),
            "line 1 is not in the format of MedQA",
        ),
        (
            "phrases_no_exclude_test.jsonl",
            json.dumps(papers.medqa(1)) + "\n{cut off",
            "line 2 is no JSON",
        ),
        (
            "phrases_no_exclude_test.jsonl",
            json.dumps(
                {**papers.medqa(1), "options": dict(zip("ABCDE", "vwxyz", strict=True))}
            ),
            "5 options",
        ),
        ("again_test.jsonl", json.dumps(papers.medqa(1)), "twice"),
        ("test_ground_truth.json", '{"1": "yes"}', "question 1 of"),
        ("test_ground_truth.json", "[]", "by PMID"),
        ("ori_pqal.json", "{", "no JSON"),
        ("data/test/anatomy_test.csv", "question,A,B,C,D,answer\n", "no head"),
        ("data/test/anatomy_test.csv", "Why?,w,x,y,A\n", "found 5 fields"),
    ],
)
def test_a_file_that_is_not_what_it_seems_is_named(folder, name, text, said) -> None:
    with pytest.raises(ExamError, match=said):
        find_exams(broken(folder, name, text))


def test_a_missing_half_of_an_exam_is_named(folder) -> None:
    (folder / "data" / "dev" / "anatomy_dev.csv").unlink()
    with pytest.raises(ExamError, match=r"no anatomy_dev\.csv"):
        find_exams(folder)
    (folder / "test_ground_truth.json").unlink()
    with pytest.raises(ExamError, match=r"no test_ground_truth\.json"):
        find_exams(folder)


def test_a_folder_without_exams_says_what_was_expected_and_found(tmp_path) -> None:
    broken(tmp_path, "notes.json", '{"title": "x"}')
    with pytest.raises(ExamError, match=r"(?s)MedQA.*notes\.json has the fields title"):
        find_exams(tmp_path)
    with pytest.raises(ExamError, match="is no folder"):
        find_exams(tmp_path / "nowhere")
