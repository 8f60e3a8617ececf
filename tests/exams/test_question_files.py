from __future__ import annotations

import gzip
import json
import lzma
import os
from pathlib import Path

import pytest

from medassist.exams.exam_formats import lettered
from medassist.exams.multiple_choice import ExamError
from medassist.exams.question_files import find_exams
from tests.exams import papers

CHECKOUT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("MEDASSIST_DATA", CHECKOUT.parent / "shared" / "data"))
REAL = SHARED / "pubmedqa"


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
    medqa, medmcqa, pubmedqa, mmlu = find_exams(folder, shots=5).papers
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


def test_no_solved_questions_stand_before_an_exam_unless_they_are_asked_for(
    folder,
) -> None:
    found = find_exams(folder).papers
    assert {paper.shots for paper in found} == {0}
    assert not any(q.solved for paper in found for q in paper.questions)


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


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip), (".xz", lzma)])
def test_compressed_exams_are_the_same_exams(folder, tmp_path, ending, pack) -> None:
    plain = find_exams(folder, shots=2)
    for file in [p for p in folder.rglob("*") if p.is_file()]:
        packed = file.with_name(f"{file.name}{ending}")
        packed.write_bytes(pack.compress(file.read_bytes()))
        file.unlink()
    found = find_exams(folder, shots=2)
    assert [p.questions for p in found.papers] == [p.questions for p in plain.papers]
    assert f"ori_pqal.json{ending}" in found.papers[2].files
    cut = folder / f"dev.json{ending}"
    cut.write_bytes(cut.read_bytes()[:-12])
    assert "cut off or broken" in unlike(folder)


def test_what_a_compressed_exam_becomes_is_bounded(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("medassist.exams.exam_rows.MOST_BYTES", 1 << 20)
    bomb = tmp_path / "dev.jsonl.xz"
    row = json.dumps({**papers.medmcqa(1), "exp": " " * (1 << 21)})
    bomb.write_bytes(lzma.compress(row.encode()))
    assert bomb.stat().st_size < 1 << 12
    with pytest.raises(ExamError, match="more than 1,048,576 bytes"):
        find_exams(tmp_path)


@pytest.mark.parametrize("indent", [None, 1])
def test_pubmedqa_in_one_file_is_asked_by_the_decisions_in_it(tmp_path, indent) -> None:
    whole = {str(900 + i): papers.pubmedqa(i) for i in range(5)}
    text = json.dumps(whole, indent=indent)
    (tmp_path / "pqal_part.json.xz").write_bytes(lzma.compress(text.encode()))
    (paper,) = find_exams(tmp_path).papers
    assert (paper.task, paper.title) == ("pubmedqa", "PubMedQA (pqal_part.json.xz)")
    golds = [papers.DECISIONS.index(papers.decision(i)) for i in range(5)]
    assert [q.gold for q in paper.questions] == golds
    assert [q.id for q in paper.questions] == list(whole)
    whole["903"]["final_decision"] = "perhaps"
    (tmp_path / "pqal_part.json.xz").write_bytes(
        lzma.compress(json.dumps(whole, indent=indent).encode())
    )
    with pytest.raises(ExamError, match=r"holds no exam.*the question 903 of"):
        find_exams(tmp_path)


def test_parts_of_pubmedqa_that_are_no_exam_are_passed_over(folder) -> None:
    unlabelled = {"1": {**papers.pubmedqa(1)}}
    del unlabelled["1"]["final_decision"]
    (folder / "ori_pqau.json").write_text(json.dumps(unlabelled), "utf-8")
    (folder / "ori_pqaa.json").write_text(json.dumps({"1": papers.pubmedqa(1)}))
    (folder / "half.json").write_text('{"1":\n{"QUESTION"', "utf-8")
    assert {f.name: why for f, why in find_exams(folder).passed_over} == {
        "ori_pqau.json": "is PubMedQA without decisions",
        "ori_pqaa.json": "is PubMedQA's artificial part, whose answers nobody wrote",
        "half.json": "is neither JSON lines nor a whole JSON object",
    }


@pytest.mark.skipif(not REAL.is_dir(), reason="the data folder is not here")
def test_the_labelled_questions_of_pubmedqa_are_read_as_they_lie_there() -> None:
    (paper,) = find_exams(REAL).papers
    assert len(paper.questions) == 500
    assert {q.gold for q in paper.questions} == {0, 1, 2}


@pytest.mark.parametrize("listed", [False, True])
def test_medxpertqa_is_asked_with_its_ten_options(tmp_path, listed) -> None:
    (tmp_path / "Text").mkdir()
    (tmp_path / "MM").mkdir()
    rows = [papers.medxpertqa(i, listed=listed) for i in range(3)]
    text = "\n".join(json.dumps(row) for row in rows)
    (tmp_path / "Text" / "test.jsonl").write_text(text, "utf-8")
    (tmp_path / "Text" / "dev.jsonl").write_text(json.dumps(rows[0]), "utf-8")
    seen = json.dumps({**rows[0], "images": ["MM-0-a.jpeg"]})
    (tmp_path / "MM" / "test.jsonl").write_text(seen, "utf-8")
    found = find_exams(tmp_path)
    (paper,) = found.papers
    assert paper.task == "medxpertqa_text"
    first = paper.questions[0]
    assert first.choices == tuple("ABCDEFGHIJ")
    assert [q.choices[q.gold] for q in paper.questions] == ["B", "C", "D"]
    assert first.text.startswith("Question: A man of 20")
    assert first.text.endswith("\nJ. a splint twice\nAnswer:")
    assert first.text.count("a splint twice") == 1, "the options stand once"
    assert first.group == "Skeletal"
    assert sorted(why for _, why in found.passed_over) == [
        "asks about pictures, which no model here sees",
        "is MedXpertQA's development set; the test set is wanted",
    ]
    rows[1]["label"] = "K"
    (tmp_path / "Text" / "test.jsonl").write_text(
        "\n".join(json.dumps(row) for row in rows), "utf-8"
    )
    with pytest.raises(ExamError, match="line 2 is not in the format of MedXpertQA"):
        find_exams(tmp_path)


def test_mmlu_is_read_out_of_the_hubs_json_lines_as_out_of_the_authors_csv(
    folder, tmp_path
) -> None:
    hub = tmp_path / "hub"
    hub.mkdir()
    for part, made in (("test", lambda s: papers.mmlu(s, 8)), ("dev", papers.mmlu_dev)):
        rows = [papers.mmlu_line(s, row) for s in papers.SUBJECTS for row in made(s)]
        rows.insert(3, papers.mmlu_line("astronomy", papers.mmlu("anatomy", 1)[0]))
        papers.write_lines(hub / f"{part}.jsonl", rows)
    papers.write_lines(hub / "validation.jsonl", rows[:2])
    papers.write_lines(hub / "auxiliary_train.jsonl", rows[:2])
    for shots in (0, 5):
        authors = find_exams(folder, shots).papers[3]
        found = find_exams(hub, shots)
        (paper,) = found.papers
        assert paper.questions == authors.questions
        assert len(paper.files) == (2 if shots else 1)
    assert sorted(why for _, why in found.passed_over) == [
        "is MMLU's validation set; the test set is wanted",
        "is for training",
    ]


def test_a_subject_of_mmlu_is_told_by_the_files_name_where_no_field_tells_it(
    tmp_path,
) -> None:
    row = papers.mmlu_line("", papers.mmlu("anatomy", 1)[0])
    (tmp_path / "anatomy").mkdir()
    papers.write_lines(tmp_path / "anatomy" / "test.jsonl", [{**row, "answer": "C"}])
    papers.write_lines(tmp_path / "college_biology_test.jsonl", [row])
    (paper,) = find_exams(tmp_path).papers
    assert [q.id for q in paper.questions] == ["anatomy-0", "college_biology-0"]
    assert paper.questions[0].gold == 2
    papers.write_lines(tmp_path / "all.jsonl", [row])
    assert "tells the subject" in unlike(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"choices": ["a", "b"]}, "line 2 is not in the format of MMLU: its choices"),
        ({"answer": 4}, "number 4"),
        ({"answer": None}, "format of MMLU"),
    ],
)
def test_a_broken_line_of_mmlu_is_named(tmp_path, change, said) -> None:
    row = papers.mmlu_line("anatomy", papers.mmlu("anatomy", 1)[0])
    papers.write_lines(tmp_path / "test.jsonl", [row, row | change])
    with pytest.raises(ExamError, match=said):
        find_exams(tmp_path)


def test_all_five_forms_are_written_with_as_many_questions_each(tmp_path) -> None:
    own = tmp_path / "pqal.json"
    own.write_text(json.dumps({str(i): papers.pubmedqa(i) for i in range(7)}), "utf-8")
    found = find_exams(papers.write_forms(tmp_path / "forms", 20, own)).papers
    assert [len(paper.questions) for paper in found] == [20, 20, 7, 20, 20]


def test_no_question_of_ours_is_put_twice(tmp_path) -> None:
    # Equal ones would be answered alike: a few questions that count as many.
    for paper in find_exams(papers.write_forms(tmp_path, 300)).papers:
        assert len({question.text for question in paper.questions}) == 300, paper.task


def test_a_subject_of_mmlu_in_two_forms_is_refused(folder) -> None:
    row = papers.mmlu_line("anatomy", papers.mmlu("anatomy", 1)[0])
    papers.write_lines(folder / "mmlu_test.jsonl", [row])
    with pytest.raises(ExamError, match=r"anatomy \(test\) of MMLU is there twice"):
        find_exams(folder)


def broken(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, "utf-8")
    return folder


def unlike(folder: Path, shots: int = 0) -> str:
    """What is said of the one file that could not be read; the others were."""
    (said,) = find_exams(folder, shots).unlike
    return said


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
        ("test_ground_truth.json", '{"1": "yes"}', "question 1 of"),
        ("test_ground_truth.json", "[]", "by PMID"),
        ("ori_pqal.json", "{", "no JSON"),
        ("data/test/anatomy_test.csv", "question,A,B,C,D,answer\n", "no questions"),
        ("data/test/anatomy_test.csv", "Why?,w,x,y,A\n", "found 5 fields"),
    ],
)
def test_a_file_that_is_not_what_it_seems_is_told_and_the_others_are_read(
    folder, name, text, said
) -> None:
    whole = find_exams(folder)
    assert whole.unlike == ()
    assert said in unlike(broken(folder, name, text))
    left = {paper.task: len(paper.questions) for paper in find_exams(folder).papers}
    were = {paper.task: len(paper.questions) for paper in whole.papers}
    assert sum(left.values()) == sum(were.values()) - 8


def test_an_exam_that_is_there_twice_is_refused(folder) -> None:
    again = broken(folder, "again_test.jsonl", json.dumps(papers.medqa(1)))
    with pytest.raises(ExamError, match="twice"):
        find_exams(again)


def test_a_missing_half_of_an_exam_is_told_and_the_rest_is_read(folder) -> None:
    (folder / "data" / "dev" / "anatomy_dev.csv").unlink()
    assert "lacks anatomy_dev.csv" in unlike(folder, shots=5)
    mmlu = find_exams(folder, shots=5).papers[3]
    assert {question.group for question in mmlu.questions} == set(papers.SUBJECTS) - {
        "anatomy"
    }
    assert mmlu.title == "MMLU, 1 of six medical subjects"
    (folder / "test_ground_truth.json").unlink()
    assert "no test_ground_truth.json" in unlike(folder)
    tasks = [paper.task for paper in find_exams(folder).papers]
    assert tasks == ["medqa_4options", "medmcqa", "mmlu_medical"]


CHOICES = (["w", "x", "y", "z"], ["a b", "it's", "c, d", "e"])


@pytest.mark.parametrize(
    "text",
    [
        'Why?,w,x,y,z,B\nHow?,a b,it\'s,"c, d",e,D\n',
        'Why?,w,x,y,z,1\nHow?,a b,it\'s,"c, d",e,3\nWho?,1,2,3,4,0\n',
        'Why?,w,x,y,z,2\nHow?,a b,it\'s,"c, d",e,4\n',
        'question,A,B,C,D,answer\nWhy?,w,x,y,z,B\nHow?,a b,it\'s,"c, d",e,D\n',
        "subject,Question,choice_0,choice_1,choice_2,choice_3,Answer\n"
        'anatomy,Why?,w,x,y,z,1\nanatomy,How?,a b,it\'s,"c, d",e,3\n'
        "anatomy,Who?,1,2,3,4,0\n",
        ",question,subject,choices,answer\n"
        "0,Why?,anatomy,\"['w' 'x' 'y'\n 'z']\",1\n"
        "1,How?,anatomy,\"['a b' \"\"it's\"\" 'c, d' 'e']\",3\n"
        "2,Who?,anatomy,\"['1', '2', '3', '4']\",0\n",
    ],
)
def test_mmlu_is_read_with_a_heading_and_with_numbers_for_letters(
    tmp_path, text
) -> None:
    (tmp_path / "anatomy_test.csv").write_text(text, "utf-8")
    (paper,) = find_exams(tmp_path).papers
    first, second = paper.questions[:2]
    assert (first.gold, second.gold) == (1, 3)
    assert first.prompt == lettered("Why?\n", CHOICES[0])
    assert second.prompt == lettered("How?\n", CHOICES[1])


def test_a_folder_without_exams_says_what_was_expected_and_found(tmp_path) -> None:
    broken(tmp_path, "notes.json", '{"title": "x"}')
    with pytest.raises(ExamError, match=r"(?s)MedQA.*notes\.json has the fields title"):
        find_exams(tmp_path)
    with pytest.raises(ExamError, match="is no folder"):
        find_exams(tmp_path / "nowhere")
