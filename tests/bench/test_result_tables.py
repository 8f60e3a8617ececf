from __future__ import annotations

import pytest

from medassist.bench.exam_verdict import sat, verdicts
from medassist.bench.result_rows import rows, ttft
from medassist.bench.result_tables import tables
from medassist.bench.result_text import as_text
from medassist.bench.results import Disturbance, Figure, declared_margin
from tests.bench.lines import SETTINGS, app, exam, line, model, speed

Q4 = model("Q4_0", 4000)


def test_a_95th_percentile_is_printed_from_59_questions_on():
    few = as_text(app(Q4, [10.0] * 58), [])
    assert "n=58 < 59" in few
    many = as_text(app(Q4, [10.0] * 60), [])
    assert "< 59" not in many
    middle, late = ttft([n / 100 for n in range(60)])
    assert late is not None and late.high == 0.59
    assert middle.low is not None and middle.low < middle.value < 0.4


def test_a_disturbed_speed_is_marked_and_the_mark_is_explained():
    text = as_text(speed(Q4, [10, 11, 12], disturbed=True), [])
    assert "11.0 ±9%*" in text
    assert "other programs took more than a tenth" in text
    assert "*" not in as_text(speed(Q4, [10, 11, 12]), [])


@pytest.mark.parametrize(
    ("kind", "test", "samples", "named"),
    [
        ("app", {"panes": "both"}, {"ttft_s base": (1.5,)}, "1.50 s*"),
        ("load", {"file": "warm"}, {"ready_s": (1.5,)}, "1.50 s*"),
        ("sustained", {"seconds": 60.0}, {}, "1.50 tok/s*"),
    ],
)
def test_every_disturbed_figure_is_marked(kind, test, samples, named):
    figures = {"first minute": Figure(value=1.5, unit="tok/s")}
    for disturbed in (False, True):
        found = line(
            kind,
            Q4,
            test,
            samples=samples,
            figures=figures if kind == "sustained" else {},
            disturbance=Disturbance(disturbed=disturbed),
        )
        text = as_text([found], [])
        assert (named in text) is disturbed
        assert ("other programs took more than a tenth" in text) is disturbed


def test_of_one_run_no_deviation_is_written_and_a_small_one_is_no_zero():
    text = as_text(speed(Q4, [10.0]), [])
    assert "of one run each" in text and "±" not in text
    text = as_text(speed(Q4, [10.0, 10.02]), [])
    assert "10.0 ±0.1%" in text


def test_a_single_thread_is_no_threads():
    one = SETTINGS.model_copy(update={"n_threads": 1})
    lines = [found.model_copy(update={"settings": one}) for found in speed(Q4, [10.0])]
    assert "1 thread, f16" in as_text(lines, [])
    assert "4 threads, f16" in as_text(speed(Q4, [10.0]), [])


def test_the_types_that_the_weights_really_have_are_shown():
    text = as_text(speed(Q4, [10.0]), [])
    assert "Q4_K 90% F32 10%" in text and "4.00" in text


def test_energy_and_heat_are_shown_where_they_can_be_read():
    lines = [
        found.model_copy(
            update={
                "disturbance": Disturbance(
                    joules=128.0 * (2 + number),
                    frequency_mhz=2400.0 - 100 * number,
                    temperature_c=60.0 + number,
                    throttled=number,
                )
            }
        )
        for number, found in enumerate(speed(Q4, [10.0, 10.0, 10.0]))
    ]
    heads, cells = table("sensors", lines)
    assert dict(zip(heads, cells, strict=True)) == {
        "model": "Q4_0.gguf",
        "loaded": "4 threads, f16",
        "J/token tg128": "3",
        "MHz lowest": "2200",
        "°C highest": "62",
        "throttled": "2",
    }
    # Of one repetition it is not known: a mean of the others would be another figure.
    lines[0] = lines[0].model_copy(update={"disturbance": Disturbance()})
    assert "J/token tg128" not in table("sensors", lines)[0]
    assert "throttled" not in as_text(speed(Q4, [10.0]), [])


def table(name: str, lines) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The heads and the only row."""
    (found,) = [one for one in tables(lines, []) if one.name == name]
    (cells,) = found.rows
    return found.heads, cells


def test_what_is_noted_stands_below_once_with_those_that_it_is_of():
    warm = "warm after 3 runs"
    notes = {"Q4_0": (warm, "said\x1b[2J"), "Q8_0": (warm,)}
    lines = [
        found.model_copy(update={"notes": noted})
        for name, noted in notes.items()
        for found in speed(model(name), [10.0, 11.0])
    ]
    text = as_text(lines, [])
    assert "Notes\n  all: warm after 3 runs\n  Q4_0.gguf: said" in text
    assert "\x1b" not in text
    assert "Q4_0.gguf: warm" in as_text(lines[:2], [])


def test_a_name_from_outside_cannot_write_on_the_terminal():
    text = as_text(speed(model("Q4\x1b[2J\nfake"), [10.0]), [])
    assert "\x1b" not in text
    assert "\nfake" not in text


def test_all_that_is_known_of_a_file_stands_in_one_row():
    lines = [*speed(Q4, [10.0]), *app(Q4, [9.0]), *exam(Q4, [True] * 10)]
    (row,) = rows(lines)
    assert row.raw and row.app and row.exams["medqa_4options"] == (1.0, 10)
    assert row.written_per_s == 9.0


def test_the_margin_that_was_declared_first_counts():
    first = line("run", Q4, {}, figures={"margin": Figure(value=0.01)})
    later = line("run", Q4, {}, figures={"margin": Figure(value=0.05)})
    assert declared_margin([first, later], 0.05) == 0.01
    assert declared_margin([], 0.02) == 0.02


def test_the_verdict_stands_below_with_its_grounds():
    lines = [*exam(model("Q8_0", 8000), [True] * 20), *exam(Q4, [True] * 20)]
    text = as_text(lines, verdicts(sat(lines)))
    assert "Against Q8_0.gguf, question by question" in text
    assert "not decided: 20 items" in text


def test_exams_that_cannot_tell_stand_below_once_and_take_no_line_for_each_file():
    guessed = [n % 4 == 0 for n in range(200)]
    shifted = [n % 4 == 1 for n in range(200)]
    lines = []
    for of, medmcqa in ((model("Q8_0", 8000), guessed), (Q4, shifted)):
        lines += exam(of, guessed, task="medqa_4options")
        lines += exam(of, medmcqa, task="medmcqa")
    text = as_text(lines, verdicts(sat(lines)))
    below = text[text.index("question by question") :]
    assert "Cannot tell, since the reference is not shown to know more there" in below
    assert "answer: MedQA (USMLE, 4 options), MedMCQA (validation)." in below
    of_q4 = [row.split() for row in below.splitlines() if row.startswith("  Q4_0")]
    assert [row[-6:] for row in of_q4] == [
        ["50", "50", "100", "-", "cannot", "tell"],  # medmcqa
        ["50", "50", "100", "-", "cannot", "tell"],  # all exams
    ]
    assert "one fixed answer  25.0 %" in text
