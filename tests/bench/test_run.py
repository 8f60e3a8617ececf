"""Tiny models are really measured: every kind of figure, and what goes wrong."""

from __future__ import annotations

import json
import math
import shutil
import socket
import sys
from dataclasses import replace
from itertools import pairwise

import pytest

from medassist.bench.errors import BenchError, UsageError
from medassist.bench.events import Began, Ended, Measured, Planned, StepFailed
from medassist.bench.exam_results import as_lm_eval
from medassist.bench.exam_verdict import Sat, sat, verdicts
from medassist.bench.recommend import broken
from medassist.bench.result_rows import rows
from medassist.bench.result_text import as_text
from medassist.bench.results import read_results
from medassist.bench.targets import target, targets
from medassist.core.errors import EngineError, ModelFileError
from medassist.exams.perplexity import MEAN_KLD, PPL, SAME_TOP
from medassist.exams.question_files import TITLES
from tests.bench.measured import SMALL, measure
from tests.exams.papers import write_papers

ALL = frozenset(("load", "speed", "app", "memory", "exams", "sustained"))


def everything(files):
    return replace(
        SMALL, tests=ALL, exams=files.exams, questions=4, sustained_s=1.0,
        depths=(0, 40),
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(files, tmp_path_factory, monkeypatch_module):
    """All measurements but the quality, of a base and of an adapter on it."""
    file = tmp_path_factory.mktemp("whole") / "r.jsonl"
    wanted = targets([files.base], [files.adapter])
    return measure(everything(files), wanted, file), file


@pytest.fixture(scope="module")
def quality(files, tmp_path_factory, monkeypatch_module):
    """The quality of a reference and of another model."""
    wishes = replace(
        SMALL,
        tests=frozenset(("quality",)),
        text=files.text,
        reference=target(files.base),
    )
    wanted = targets([files.base, files.merged, files.swapped])
    return measure(wishes, wanted, tmp_path_factory.mktemp("quality") / "r.jsonl")


@pytest.fixture(scope="module")
def monkeypatch_module(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDASSIST_HOME", str(tmp_path_factory.mktemp("home")))
        yield patch


def ended(events) -> Ended:
    last = events[-1]
    assert isinstance(last, Ended)
    return last


def test_everything_is_measured_and_stands_in_the_file(whole):
    events, file = whole
    assert not [e for e in events if isinstance(e, StepFailed)]
    planned = next(e for e in events if isinstance(e, Planned))
    measured = [e for e in events if isinstance(e, Measured)]
    assert planned.steps == len(measured) == measured[-1].of
    assert measured[-1].number == measured[-1].of
    lines = read_results(file)
    assert [line for line in lines if line.kind != "run"] == [m.line for m in measured]
    assert {line.kind for line in lines} == {
        *ALL - {"exams"}, "exam", "run",
    }  # fmt: skip
    for line in lines[1:]:
        assert line.model is not None and len(line.model.sha256) == 64
        assert line.machine["id"] and line.machine["cpu"]


def test_every_figure_has_what_it_hangs_on(whole, quality):
    lines = [*read_results(whole[1]), *ended(quality).lines]
    for line in (line for line in lines if line.kind != "run"):
        assert line.settings is not None and line.settings.n_threads == 1, line.kind
        assert line.settings.n_ctx > 0
        for name in ("cpu", "cores", "memory", "system", "llama_cpp", "commit"):
            assert line.machine[name], name


def test_nothing_is_sent_anywhere(files, tmp_path, monkeypatch):
    called: list[object] = []

    def connect(self: socket.socket, address: object) -> None:
        if self.family != getattr(socket, "AF_UNIX", None):
            called.append(address)
        raise OSError("refused")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect)
    events = measure(everything(files), targets([files.base]), tmp_path / "r.jsonl")
    assert not ended(events).failed
    assert called == []


def test_before_it_begins_it_says_what_the_items_can_show(whole):
    planned = next(e for e in whole[0] if isinstance(e, Planned))
    assert planned.seconds is not None and planned.seconds > 1.0
    notes = " ".join(planned.notes)
    assert "MedQA (USMLE, 4 options): 4 items can show" in notes
    assert "Declared margin: 1 point" in notes


def test_the_margin_stands_in_the_file_before_the_first_figure(whole):
    first = read_results(whole[1])[0]
    assert first.kind == "run"
    assert first.figures["margin"].value == 0.01


def test_another_margin_is_not_taken_once_answers_are_known(files, tmp_path):
    file = tmp_path / "r.jsonl"
    wishes = replace(SMALL, tests=frozenset(("exams",)), exams=files.exams, questions=2)
    measure(wishes, targets([files.base]), file)
    later = replace(wishes, questions=3, margin=0.05)
    planned = measure(later, targets([files.base]), file, resume=True)[0]
    assert isinstance(planned, Planned)
    assert any("Declared margin: 1 point." in note for note in planned.notes)
    assert any("it stays, in place of 5 points" in note for note in planned.notes)
    sittings = [line for line in read_results(file) if line.kind == "run"]
    assert [line.figures["margin"].value for line in sittings] == [0.01, 0.01]


def test_rows_take_turns_so_that_none_is_favoured(whole):
    order = [e.row for e in whole[0] if isinstance(e, Began) and e.kind == "speed"]
    rounds = list(dict.fromkeys(order))
    assert len(rounds) == 2
    visits = [order[0]]
    visits += [b for a, b in pairwise(order) if a != b]
    assert visits == [*rounds, *reversed(rounds[:-1])]  # A B B A


def test_the_rows_have_figures_of_every_kind(whole):
    found = rows(ended(whole[0]).lines)
    assert len(found) == 2
    for row in found:
        assert set(row.raw) == {"pp16", "tg4", "pp16 @ d40", "tg4 @ d40"}
        assert all(s > 0 for one in row.raw.values() for s in one.samples)
        assert all(len(one.samples) == 2 for one in row.raw.values())
        assert set(row.load) == {"warm", "dropped from the cache"}
        assert {"resident", "estimated"} <= set(row.memory)
        if sys.platform == "linux":
            assert {"peak", "private", "mapped"} <= set(row.memory)
            held = {name: figure.value for name, figure in row.memory.items()}
            assert held["private"] + held["mapped"] <= 1.01 * held["resident"]
            assert held["resident"] <= held["peak"]
        assert row.sustained["last by first"].value > 0
        assert set(row.exams) == {*TITLES}
        assert row.exams["medxpertqa_text"][1] == 4
    base, adapted = found
    assert set(base.app) == {"base"}
    assert set(adapted.app) == {"tuned", "both"}
    assert {"ttft_s base", "ttft_s tuned"} <= set(adapted.app["both"])
    assert len(base.app["base"]["ttft_s"]) == 2


def test_a_prompt_through_the_app_is_about_as_long_as_was_asked_for(whole):
    found = rows(ended(whole[0]).lines)[0]
    read = found.app["base"]["tokens_read"]
    assert 10 <= read[0] <= 60  # 16 were wanted; the template has its own


def test_quality_is_told_against_the_reference(quality):
    base, merged, _ = rows(ended(quality).lines)
    assert set(base.quality) == {PPL}  # it is the reference itself
    figure = merged.quality[MEAN_KLD]
    assert figure.low is not None and figure.high is not None
    assert figure.low <= figure.value <= figure.high
    assert figure.value > 0.01
    assert merged.quality[PPL].value > 0
    assert 0 <= merged.quality[SAME_TOP].value < 100


def test_a_file_whose_layers_were_swapped_is_rejected_as_broken(quality):
    base, _, swapped = rows(ended(quality).lines)
    assert "it is broken" in broken(swapped)
    assert not broken(base)


def test_an_adapter_answers_otherwise_than_its_base(whole):
    lines = ended(whole[0]).lines
    base, adapted = sat(lines)
    margins = [
        [item.margin for item in row.answers["medqa_4options"].values()]
        for row in (base, adapted)
    ]
    assert margins[0] != margins[1]
    # Asked with the same tokens, they are compared.
    found = verdicts(sat(lines), base.sha256)
    assert all(verdict.flips is not None for verdict in found)


def test_the_tables_say_all_of_it(whole, quality):
    lines = ended(whole[0]).lines
    text = as_text((*lines, *ended(quality).lines), verdicts(sat(lines)))
    for word in (
        "pp16",
        "tg4 @ d40",
        "Mean KLD",
        "PubMedQA",
        "not readable",
        "verdict",
    ):
        assert word in text
    assert "nan" not in text
    # Of two questions no 95th percentile is printed.
    assert "n=2 < 59" in text


def test_what_is_done_is_not_measured_again(whole, files):
    events, file = whole
    before = file.read_bytes()
    wanted = targets([files.base], [files.adapter])
    again = measure(everything(files), wanted, file, resume=True)
    assert file.read_bytes() == before
    assert not [e for e in again if isinstance(e, Measured)]
    assert ended(again).lines == ended(events).lines


def test_one_more_repetition_adds_its_own_alone(files, tmp_path):
    file = tmp_path / "r.jsonl"
    wishes = replace(SMALL, tests=frozenset(("speed",)))
    measure(wishes, targets([files.base]), file)
    more = measure(
        replace(wishes, repetitions=3), targets([files.base]), file, resume=True
    )
    assert len([e for e in more if isinstance(e, Measured)]) == 2
    (row,) = rows(ended(more).lines)
    assert len(row.raw["pp16"].samples) == 3


def test_of_more_questions_only_the_further_ones_are_put(files, tmp_path):
    file = tmp_path / "r.jsonl"
    folder = write_papers(tmp_path / "exams", 14)
    for other in ("dev.json", "ori_pqal.json", "test_ground_truth.json"):
        (folder / other).unlink()
    shutil.rmtree(folder / "data")
    wishes = replace(SMALL, tests=frozenset(("exams",)), exams=folder)
    measure(replace(wishes, questions=10), targets([files.base]), file)
    more = measure(wishes, targets([files.base]), file, resume=True)
    (step,) = [e.line for e in more if isinstance(e, Measured)]
    assert len(step.items) == 4
    (row,) = rows(ended(more).lines)
    assert row.exams["medqa_4options"][1] == 14


def test_a_file_that_was_changed_is_measured_anew(files, tmp_path):
    model = tmp_path / "m.gguf"
    model.write_bytes(files.base.read_bytes())
    wishes = replace(SMALL, tests=frozenset(("speed",)))
    measure(wishes, targets([model]), tmp_path / "r.jsonl")
    model.write_bytes(files.merged.read_bytes())
    again = measure(wishes, targets([model]), tmp_path / "r.jsonl", resume=True)
    assert len([e for e in again if isinstance(e, Measured)]) == 4
    (row,) = rows(ended(again).lines)  # the older content's lines are not shown
    assert len(row.raw["pp16"].samples) == 2


def test_models_of_other_vocabularies_have_no_divergence_and_it_is_said_why(
    files, tmp_path
):
    wishes = replace(
        SMALL,
        tests=frozenset(("quality",)),
        text=files.text,
        reference=target(files.base),
    )
    events = measure(wishes, targets([files.other_vocabulary]), tmp_path / "r.jsonl")
    (failed,) = [e for e in events if isinstance(e, StepFailed)]
    assert "Token by token it cannot be compared" in failed.message
    assert "300" in failed.message
    assert ended(events).failed


def test_an_activated_adapter_is_examined_by_the_chat_template_that_switches_it_on(
    files, tmp_path
):
    wishes = replace(SMALL, tests=frozenset(("exams",)), exams=files.exams, questions=3)
    wanted = targets([files.base], [files.activated])
    events = measure(wishes, wanted, tmp_path / "r.jsonl")
    lines = ended(events).lines
    assert all(line.test["chat"] is True for line in lines if line.kind == "exam")
    assert not any(line.notes for line in lines)
    base, adapted = sat(lines)
    found = verdicts([base, adapted], base.sha256)
    assert all(verdict.flips is not None for verdict in found)  # the same token ids
    pairs = zip(base.answers.values(), adapted.answers.values(), strict=True)
    for one, other in pairs:
        margins = [[item.margin for item in own.values()] for own in (one, other)]
        assert margins[0] != margins[1]  # the adapter counted
    assert "MedQA (USMLE, 4 options), by the chat template" in as_text(lines, found)
    assert json.loads(as_lm_eval(lines))[0]["apply_chat_template"] is True


def test_exams_have_lm_evals_form(whole):
    lines = ended(whole[0]).lines
    base, adapted = json.loads(as_lm_eval(lines))
    assert adapted["model_name"] == f"{base['model_name']} + tiny-plain.gguf"
    tasks = {"medqa_4options", "medmcqa", "pubmedqa", "mmlu_anatomy"}
    assert tasks <= set(base["results"])
    figures = base["results"]["medqa_4options"]
    items = list(sat(lines)[0].answers["medqa_4options"].values())
    assert figures["acc,none"] == sum(i.choice == i.gold for i in items) / len(items)
    assert {"acc_stderr,none", "acc_norm,none", "acc_norm_stderr,none"} < set(figures)
    assert base["n-shot"]["medqa_4options"] == 0
    assert base["n-samples"]["medqa_4options"] == {"original": 4, "effective": 4}
    assert base["apply_chat_template"] is False
    # Of one model it is the object that lm-eval's own file holds.
    alone = [line for line in lines if line.adapter is None]
    assert json.loads(as_lm_eval(alone)) == base


def test_answers_with_and_without_the_chat_template_are_not_compared(files, tmp_path):
    made: list[Sat] = []
    for chat in (False, True):
        wishes = replace(
            SMALL, tests=frozenset(("exams",)), exams=files.exams, questions=3,
            exam_chat=chat,
        )  # fmt: skip
        events = measure(wishes, targets([files.base]), tmp_path / f"{chat}.jsonl")
        made += sat(ended(events).lines)
    plain, by_chat = made
    found = verdicts([plain, replace(by_chat, sha256="other")], plain.sha256)
    assert found and all("other token ids" in one.refused for one in found)


def test_answers_of_other_vocabularies_are_not_compared(files, tmp_path):
    wishes = replace(SMALL, tests=frozenset(("exams",)), exams=files.exams, questions=3)
    wanted = targets([files.base, files.other_vocabulary])
    events = measure(wishes, wanted, tmp_path / "r.jsonl")
    found = verdicts(sat(ended(events).lines))
    assert found and all("other token ids" in v.refused for v in found)


def test_a_broken_exam_is_told_with_its_line_before_anything_is_measured(
    files, tmp_path
):
    folder = tmp_path / "exams"
    folder.mkdir()
    paper = files.exams / "phrases_no_exclude_test.jsonl"
    text = paper.read_text("utf-8").splitlines()
    (folder / paper.name).write_text("\n".join([*text[:3], '{"question": "cut']))
    wishes = replace(SMALL, tests=frozenset(("speed", "exams")), exams=folder)
    with pytest.raises(BenchError, match=r"line 4 is no JSON"):
        measure(wishes, targets([files.base]), tmp_path / "r.jsonl")
    assert (tmp_path / "r.jsonl").read_bytes() == b""
    wishes = replace(wishes, tests=frozenset(("exams",)), questions=2)
    shutil.copy(paper, folder / "whole_test.jsonl")
    events = measure(wishes, targets([files.base]), tmp_path / "r.jsonl")
    (planned,) = [e for e in events if isinstance(e, Planned)]
    assert "line 4 is no JSON" in planned.notes[0]
    assert set(rows(ended(events).lines)[0].exams) == {"medqa_4options"}


def test_a_text_that_is_too_short_fails_alone(files, tmp_path):
    text = tmp_path / "short.txt"
    text.write_text("Too short.")
    wishes = replace(SMALL, tests=frozenset(("quality", "speed")), text=text)
    events = measure(wishes, targets([files.base]), tmp_path / "r.jsonl")
    (failed,) = [e for e in events if isinstance(e, StepFailed)]
    assert "are needed" in failed.message
    assert rows(ended(events).lines)[0].raw


def test_no_model_and_the_same_one_twice_are_refused(files, tmp_path):
    other = tmp_path / "other.gguf"
    other.write_bytes(b"no model")
    with pytest.raises(ModelFileError, match=r"other\.gguf"):
        targets([other])
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(files.base.read_bytes())
    with pytest.raises(UsageError, match="byte for byte"):
        targets([files.base, copy])
    with pytest.raises(EngineError, match="adapter"):
        targets([files.base], [files.merged])


def test_a_battery_that_runs_out_stops_it_and_nothing_is_lost(files, tmp_path):
    from medassist.bench.disturbance import Observer
    from medassist.bench.machine import Sensors
    from medassist.bench.results import ResultsFile
    from medassist.bench.run import run

    battery = tmp_path / "root/sys/class/power_supply/BAT0"
    battery.mkdir(parents=True)
    (battery / "status").write_text("Discharging")
    (battery / "capacity").write_text("50")
    sensors = Sensors(tmp_path / "root")
    wishes = replace(SMALL, tests=frozenset(("speed",)))
    wanted = targets([files.base])
    with ResultsFile(tmp_path / "r.jsonl") as results:
        happening = run(
            wishes, wanted, results, observer=Observer(sensors, wait_s=0),
            sensors=sensors,
        )  # fmt: skip
        with pytest.raises(BenchError, match="8 % left"):
            for event in happening:
                if isinstance(event, Measured):
                    (battery / "capacity").write_text("8")
    kept = len(read_results(tmp_path / "r.jsonl"))
    assert kept == 2  # the margin and one figure
    (battery / "status").write_text("Charging")
    again = measure(wishes, wanted, tmp_path / "r.jsonl", resume=True, sensors=sensors)
    assert len([e for e in again if isinstance(e, Measured)]) == 3


def test_a_plan_that_is_not_agreed_to_measures_nothing(files, tmp_path):
    from medassist.bench.results import ResultsFile
    from medassist.bench.run import run

    with ResultsFile(tmp_path / "r.jsonl") as results:
        wanted = targets([files.base])
        events = list(run(SMALL, wanted, results, agreed=lambda _planned: False))
    assert len(events) == 1 and isinstance(events[0], Planned)
    assert (tmp_path / "r.jsonl").read_bytes() == b""


def test_sizes_are_of_the_weights_that_are_really_there(files):
    facts = target(files.base).facts
    assert set(facts.types) == {"F32"}
    assert math.isclose(facts.bits, 8 * facts.bytes / facts.params)
    assert facts.bits > 32  # the vocabulary is in the file, too
