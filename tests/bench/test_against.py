from __future__ import annotations

import pytest

from medassist.bench.against import Code, compare
from medassist.bench.errors import UsageError
from tests.bench.lines import MACHINE, app, exam, model, speed
from tests.bench.test_exam_verdict import answers, changed

Q8 = model("Q8_0", 8000)
OLD = [100.0, 101.0, 99.0, 100.5, 99.5]


def test_a_drop_beyond_the_threshold_is_slower_and_small_noise_is_the_same():
    same = compare(speed(Q8, [v * 1.01 for v in OLD]), speed(Q8, OLD), 0.01)
    assert same.code is Code.SAME
    slow = compare(speed(Q8, [v * 0.8 for v in OLD]), speed(Q8, OLD), 0.01)
    assert slow.code is Code.WORSE
    assert slow.speeds[0].said.startswith("slower (-20.0 %")


def test_noise_decides_nothing_and_asks_for_more_runs():
    found = compare(speed(Q8, [60, 140, 90, 120, 80]), speed(Q8, OLD), 0.01)
    assert found.code is Code.NOT_DECIDED
    assert "more runs" in found.speeds[0].said


def test_a_later_first_token_is_slower():
    before = app(Q8, [10.0] * 5, ttft=0.5)
    found = compare(app(Q8, [10.0] * 5, ttft=1.0), before, 0.01)
    by_test = {one.test: one.ratio.change for one in found.speeds}
    assert by_test["app, base: ttft_s"] == "slower"
    assert by_test["app, base: tok_per_s"] == "same"
    assert found.code is Code.WORSE


def test_speeds_of_another_computer_are_not_compared():
    other = {**MACHINE, "id": "m2", "cpu": "Another CPU"}
    with pytest.raises(UsageError, match="another computer"):
        compare(speed(Q8, OLD), speed(Q8, OLD, machine=other), 0.01)


def test_another_build_on_the_same_computer_is_compared_and_said():
    other = {**MACHINE, "id": "m2", "commit": "abc"}
    found = compare(speed(Q8, OLD), speed(Q8, OLD, machine=other), 0.01)
    assert found.code is Code.SAME
    assert "another build" in found.notes[0]


def test_other_files_have_nothing_in_common():
    with pytest.raises(UsageError, match="nothing that could be compared"):
        compare(speed(Q8, OLD), speed(model("Q4_0"), OLD), 0.01)


def test_a_file_made_anew_is_compared_by_its_answers():
    before = answers(2000)
    anew = model("Q8_0", 8000, sha="another")
    found = compare(exam(anew, changed(before, 60, 0)), exam(Q8, before), 0.01)
    assert found.code is Code.WORSE
    assert "another content" in found.notes[0]
    same = compare(exam(anew, changed(before, 2, 2)), exam(Q8, before), 0.01)
    assert same.code is Code.SAME
    few = compare(exam(anew, before[:100]), exam(Q8, before[:100]), 0.01)
    assert few.code is Code.NOT_DECIDED
