from __future__ import annotations

from medassist.bench.exam_verdict import sat, verdicts
from medassist.bench.recommend import recommend
from medassist.bench.result_rows import rows
from medassist.bench.results import Figure
from medassist.exams.perplexity import MEAN_KLD, SAME_TOP
from tests.bench.lines import app, exam, line, model, speed
from tests.bench.test_exam_verdict import answers, changed

Q8, Q4, Q2 = model("Q8_0", 8000), model("Q4_0", 4000), model("Q2_K", 2000)
BEFORE = answers(2500)


def chosen(lines, target=10.0):
    found = verdicts(sat(lines))
    return recommend(rows(lines), found, target, 0.01)


def measured():
    return [
        *app(Q8, [6, 6, 6]),
        *app(Q4, [12, 12, 12]),
        *app(Q2, [20, 20, 20]),
        *exam(Q8, BEFORE),
        *exam(Q4, changed(BEFORE, 5, 5)),
        *exam(Q2, changed(BEFORE, 90, 10)),
    ]


def test_the_smallest_file_that_is_fast_enough_and_no_worse_is_named_with_its_grounds():
    found = chosen(measured())
    assert found.row is not None and found.row.name == "Q4_0.gguf"
    assert "12.0 tok/s, where 10 are wanted" in found.said[0]
    assert "no worse by more than 1 point" in found.said[0]
    assert found.said[1].startswith("Q2_K.gguf: worse, by")


def test_where_no_file_meets_both_it_says_what_each_lacks():
    found = chosen(measured(), target=50)
    assert found.row is None
    assert len(found.said) == 4
    assert "writes 6.0 tok/s, where 50 are wanted" in found.said[-1]


def test_the_reference_is_recommended_as_what_it_is():
    lines = [
        *app(Q8, [12]),
        *app(Q4, [20]),
        *exam(Q8, BEFORE[:300]),
        *exam(Q4, changed(BEFORE[:300], 3, 3)),
    ]
    found = chosen(lines)
    assert found.said[0] == (
        "Take Q8_0.gguf (8.0 kB): it is the reference itself, and writes 12.0 tok/s, "
        "where 10 are wanted. No smaller file was found that may stand for it."
    )
    assert found.said[1].startswith("Q4_0.gguf: not decided")


def test_without_an_exam_nothing_is_recommended():
    found = chosen([*app(Q8, [20]), *app(Q4, [30])])
    assert found.row is None
    assert "not examined (--exams)" in found.said[1]


def test_a_file_that_diverges_wildly_is_rejected_as_broken():
    broken = line(
        "quality",
        Q4,
        {"n_ctx": 512},
        figures={
            MEAN_KLD: Figure(value=3.1, low=2.8, high=3.3),
            SAME_TOP: Figure(value=12.0, low=10.0, high=14.0),
        },
    )
    found = chosen([*measured(), broken])
    assert found.row is None
    assert any("Q4_0.gguf: it is broken" in said for said in found.said)


def test_the_raw_speed_counts_where_the_app_was_not_measured():
    lines = [*speed(Q4, [15, 15, 15]), *exam(Q8, BEFORE), *exam(Q4, BEFORE)]
    found = chosen(lines)
    assert found.row is not None and "15.0 tok/s" in found.said[0]


def test_where_the_exams_cannot_tell_no_file_is_recommended_and_neither_the_reference():
    same = [n % 4 == 0 for n in range(1200)]
    lines = [
        *app(Q8, [12]),
        *app(Q4, [20]),
        *app(Q2, [30]),
        *exam(Q8, same),
        *exam(Q4, same),
        *exam(Q2, changed(same, 90, 90)),
    ]
    found = chosen(lines)
    assert found.row is None
    assert found.said[0].startswith("No file is recommended: these exams cannot tell")
    assert found.said[1:] == (
        "Q2_K.gguf, Q4_0.gguf, Q8_0.gguf: the reference is not shown to know more than "
        "one fixed answer (25.0 % right, against 25.0 %).",
    )


def test_a_file_that_knows_more_is_recommended_beside_a_reference_that_knows_nothing():
    nothing = [n % 4 == 0 for n in range(400)]
    learnt = [n % 4 == 0 or n % 3 == 0 for n in range(400)]
    speeds = [*app(Q8, [12]), *app(Q4, [20])]
    found = chosen([*speeds, *exam(Q8, nothing), *exam(Q4, learnt)])
    assert found.row is not None and found.row.name == "Q4_0.gguf"
    assert "better, by" in found.said[0]
