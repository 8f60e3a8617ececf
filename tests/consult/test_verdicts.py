from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from finetune.report.verdicts import read_verdicts
from medassist.consult.answer import Source
from medassist.consult.consultation import Consultation
from medassist.consult.sides import Sides
from medassist.consult.verdict import Choice, Reason, Verdict
from medassist.consult.verdict_table import COLUMNS, table
from medassist.consult.verdict_words import as_text
from medassist.consult.verdicts import (
    JudgedTurn,
    figures,
    judged,
    missing,
    question_hash,
)
from medassist.core.values import PaneName

WHEN = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
BOTH: dict[PaneName, Source] = {"base": Source("Heron"), "tuned": Source("Kestrel")}


def given(
    number: int,
    choice: Choice,
    side_a: PaneName = "base",
    *,
    blind: bool = True,
    question: str = "",
    reasons: tuple[Reason, ...] = (),
) -> JudgedTurn:
    return JudgedTurn(
        str(number),
        "1",
        "Heron / Kestrel",
        Verdict(choice, side_a, blind, WHEN, reasons),
        question_hash(question or f"Question {number}?"),
        (42,),
    )


@pytest.mark.parametrize(
    ("won", "of", "needed"), [(55, 100, 783), (60, 100, 194), (65, 100, 85)]
)
def test_how_many_more_verdicts_are_needed(won: int, of: int, needed: int) -> None:
    assert missing(won, of - won) == max(0, needed - of)
    assert missing(won * 100, (of - won) * 100) == 0


def test_an_even_share_cannot_be_made_decisive() -> None:
    assert missing(7, 7) is None
    assert missing(0, 0) is None


def test_sides_are_taken_back_to_the_models_and_tested() -> None:
    (found,) = figures(
        [
            given(1, "A", "base"),
            given(2, "A", "tuned"),
            given(3, "A", "tuned", reasons=("safety",)),
            given(4, "B", "base", reasons=("safety", "style")),
            given(5, "tie"),
            given(6, "both poor"),
        ]
    )
    assert (found.tuned, found.base, found.ties, found.both_poor) == (3, 1, 1, 1)
    assert found.test.share == 0.75
    assert found.side_a is not None
    assert (found.side_a.wins, found.side_a.losses) == (3, 1)
    assert found.reasons == (("safety", 2), ("style", 1))


def test_blind_and_open_verdicts_stand_apart_and_the_last_of_each_counts() -> None:
    found = figures(
        [
            given(1, "A"),
            given(1, "B", blind=False),
            given(1, "tie", blind=False),
        ]
    )
    assert [(f.blind, f.base, f.ties) for f in found] == [(True, 1, 0), (False, 0, 1)]
    assert found[1].side_a is None


def test_the_same_question_judged_again_shows_how_steady_the_reader_is() -> None:
    (found,) = figures(
        [
            given(1, "A", "base", question="Again?"),
            given(2, "B", "tuned", question="Again? "),
            given(3, "tie", question="Again?"),
            given(4, "A"),
        ]
    )
    assert (found.repeated, found.agreeing) == (3, 1)


def test_the_words_say_what_is_known_and_what_is_not() -> None:
    said = as_text([given(n, "A", "tuned") for n in range(30)])
    assert "30 of 30 decisive, 100 % (88 to 100 %), p < 0.001" in said
    assert "the reader leans to one side" in said
    assert "too few to say" in as_text([given(1, "A")])
    assert as_text([]) == ""


def test_the_table_is_read_by_the_report_and_holds_no_question(tmp_path: Path) -> None:
    verdicts = [
        given(1, "A", "tuned", reasons=("accuracy", "safety")),
        given(2, "both poor"),
    ]
    file = tmp_path / "verdicts.csv"
    file.write_text(table(verdicts))
    read = read_verdicts(file, "Heron / Kestrel").verdicts
    assert [one.outcome for one in read] == ["tuned", "both poor"]
    assert read[0].reasons == ("accuracy", "safety")
    assert read[0].when == WHEN
    text = file.read_text()
    assert text.splitlines()[0] == ",".join(COLUMNS)
    assert "Question" not in text


def test_a_models_name_is_no_formula_in_a_spreadsheet() -> None:
    one = given(1, "A")
    bad = JudgedTurn("1", "1", "=cmd()", one.verdict, one.question_sha256)
    assert ",'=cmd()," in table([bad])


def test_a_verdict_is_on_the_models_own_answers_also_after_taking_over() -> None:
    consultation = Consultation(Sides("tuned", blind=True))
    turn = consultation.ask("One?", BOTH, seed=42)
    for pane in ("base", "tuned"):
        answer = turn.answers(pane)[0]
        answer.write(f"by {pane}", 1)
        answer.stop()
    turn.judge(Verdict("A", "tuned", True, WHEN))
    turn.take_over("tuned")
    (one,) = judged("1", "1", turn)
    assert (one.pair, one.outcome) == ("Heron / Kestrel", "tuned")
