import hashlib
import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medassist.commands.ask_print import StatusLine
from medassist.commands.ask_run import AskError, AskRequest, ExitCode, run
from medassist.core.errors import EngineDied
from medassist.core.values import Figures, PairFiles, PaneName, Sampling, TooLong
from medassist.engine.wire import Answered, Loading, Reading, Written
from tests.stubs.scripted_engine import FakeEngine, answered, written

BOTH: tuple[PaneName, ...] = ("base", "tuned")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def request_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AskRequest:
    monkeypatch.setenv("MEDASSIST_HOME", str(tmp_path / "home"))
    base, adapter = tmp_path / "base.gguf", tmp_path / "lora.gguf"
    base.write_bytes(b"weights")
    adapter.write_bytes(b"lora")
    return AskRequest(
        question="What is asthma?",
        files=PairFiles(base=base, adapter=adapter),
        panes=BOTH,
        mode="together",
        sampling=Sampling(),
    )


def test_two_answers_stand_one_below_the_other_though_written_in_turns(
    request_: AskRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = FakeEngine(
        [
            written("base", "One"),
            written("tuned", "Four"),
            written("base", " two"),
            written("tuned", " five"),
            answered("base", "One two"),
            written("tuned", " six"),
            answered("tuned", "Four five six"),
        ]
    )
    assert run(request_, engine) is ExitCode.ANSWERED
    out, err = capsys.readouterr()
    assert out == (
        "## base: Tiny Q8_0\n\nOne two\n\n"
        "## tuned: Tiny Q8_0 with lora.gguf\n\nFour five six\n"
    )
    assert err == ""
    assert engine.closed


def test_an_answer_that_is_finished_first_waits_for_its_place(
    request_: AskRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    events = [
        written("tuned", "Second."),
        answered("tuned", "Second."),
        written("base", "First."),
        answered("base", "First."),
    ]
    run(request_, FakeEngine(events))
    out = capsys.readouterr().out
    assert out.index("First.") < out.index("## tuned") < out.index("Second.")


def test_the_first_answer_is_shown_on_a_terminal_while_it_is_written(
    request_: AskRequest,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    seen: list[str] = []

    class Watching(FakeEngine):
        async def ask(self, panes, mode="together", asker=""):  # type: ignore[no-untyped-def, override]
            async for event in super().ask(panes, mode):
                yield event
                seen.append(capsys.readouterr().out)

    run(request_, Watching([written("base", "One"), written("base", " two")]))
    assert seen == ["## base: Tiny Q8_0\n\nOne", " two"]


def test_one_answer_alone_has_no_heading(
    request_: AskRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = FakeEngine([written("tuned", "Yes."), answered("tuned", "Yes.")])
    run(replace(request_, panes=("tuned",), notice="A demonstration."), engine)
    out, err = capsys.readouterr()
    assert out == "Yes.\n"
    assert "A demonstration." in err
    assert list(engine.asked) == ["tuned"]


def test_the_notice_of_the_starter_pair_stands_above_two_answers(
    request_: AskRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = FakeEngine([answered("base", ""), answered("tuned", "")])
    run(replace(request_, notice="A demonstration."), engine)
    assert capsys.readouterr().out.startswith("A demonstration.\n\n## base")


def test_control_bytes_of_a_model_reach_no_terminal(
    request_: AskRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    # An escape sequence that writes the clipboard, split over two pieces, and a
    # model that has one in its name.
    events = [
        written("base", "a\x1b]52;c;"),
        written("base", "aGk=\x07b\x9b2Jc\x7f\n"),
        answered("base", "ab"),
        answered("tuned", ""),
    ]
    engine = FakeEngine(events, name="Ti\x1b[31mny\nname", notices=("x\x1b[2Jy",))
    run(request_, engine)
    out, err = capsys.readouterr()
    assert "## base: Tiny name Q8_0\n\nabc\n" in out
    assert "medassist: xy\n" in err
    assert not any(c in out + err for c in "\x1b\x07\x9b\x7f")


def test_json_is_one_object_of_the_promised_shape(
    request_: AskRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    events = [
        written("base", "\x1b[2J"),
        answered("base", "\x1b[2J\x9b ü"),
        answered("tuned", "Yes.", "length"),
    ]
    run(replace(request_, json=True, notice="A demonstration."), FakeEngine(events))
    out, err = capsys.readouterr()
    assert err == ""
    assert out.isascii() and "\x1b" not in out
    found = json.loads(out)
    tuned = found["answers"].pop("tuned")
    base = found["answers"].pop("base")
    assert found == {
        "question": "What is asthma?",
        "mode": "together",
        "confined": "a fake",
        "notice": "A demonstration.",
        "notices": [],
        "red_flags": [],
        "language_notice": None,
        "answers": {},
    }
    weights = hashlib.sha256(b"weights").hexdigest()
    assert base == {
        "text": "\x1b[2J\x9b ü",
        "thought": None,
        "thought_tokens": 0,
        "model": str(request_.files.base),
        "sha256": weights,
        "tokens_read": 5,
        "tokens_reused": 0,
        "tokens_written": 3,
        "ttft_s": 0.25,
        "tok_per_s": 12.5,
        "stop_reason": "end",
        "seed": 42,
        "warnings": [],
    }
    assert tuned["stop_reason"] == "length"
    assert tuned["sha256"] == weights
    assert tuned["adapter"] == str(request_.files.adapter)
    assert tuned["adapter_sha256"] == hashlib.sha256(b"lora").hexdigest()


DOSED = [
    written("base", "Give morphine 100 mg IV."),
    answered("base", "Give morphine 100 mg IV."),
    written("tuned", "Give morphine 5 mg IV and vecuronium."),
    answered("tuned", "Give morphine 5 mg IV and vecuronium."),
]


def test_a_dangerous_dose_is_told_beside_the_answer_and_never_in_it(
    request_: AskRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    run(replace(request_, question="80 kg, eGFR 90, in pain"), FakeEngine(DOSED))
    out, err = capsys.readouterr()
    assert "usual dose" not in out
    base, tuned = [line for line in err.splitlines() if "check the" in line]
    assert base.startswith("medassist: check the base model's answer: “100 mg”")
    assert "the usual dose of morphine is 1 to 20 mg" in base
    assert "20 times apart" in tuned


def test_a_dangerous_dose_stands_in_the_object(
    request_: AskRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = replace(request_, question="80 kg, eGFR 90, in pain", json=True)
    run(asked, FakeEngine(DOSED))
    answers = json.loads(capsys.readouterr().out)["answers"]
    ranged, apart = sorted(answers["base"]["warnings"], key=lambda w: "apart" in w)
    assert "the usual dose of morphine is 1 to 20 mg" in ranged
    assert "20 times apart" in apart
    assert len(answers["tuned"]["warnings"]) == 1


THOUGHTS = [
    Written(id=1, pane="base", text="", tokens=2, thought="Hm, 900?", thought_tokens=2),
    Written(id=1, pane="base", text="10 mg.", tokens=4, thought_tokens=2),
    Answered(
        id=1,
        pane="base",
        text="10 mg.",
        thought="Hm, 900?",
        figures=Figures("end", 5, 0, 4, 0.25, 12.5, 9, tokens_thought=2),
        sampling=Sampling(),
    ),
]


def test_a_thought_is_not_printed_and_stands_in_a_field_of_its_own(
    request_: AskRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = replace(request_, panes=("base",))
    run(alone, FakeEngine(THOUGHTS))
    out, _ = capsys.readouterr()
    assert out == "10 mg.\n"
    run(replace(alone, json=True), FakeEngine(THOUGHTS))
    found = json.loads(capsys.readouterr().out)["answers"]["base"]
    assert (found["text"], found["thought"]) == ("10 mg.", "Hm, 900?")
    assert (found["thought_tokens"], found["tokens_written"]) == (2, 4)


def test_what_turned_out_to_be_a_thought_reaches_no_pipe(
    request_: AskRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    taken_back = Written(
        id=1, pane="base", text="10 mg.", tokens=4, thought="Hm, 900?", restart=True
    )
    events = [written("base", "Hm, 900?"), taken_back, THOUGHTS[-1]]
    run(replace(request_, panes=("base",)), FakeEngine(events))
    assert capsys.readouterr().out == "10 mg.\n"


def test_a_thought_without_an_answer_is_said_to_be_one(
    request_: AskRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = answered("base", "").model_copy(update={"thought": "Hm."})
    run(replace(request_, panes=("base",)), FakeEngine([bare]))
    assert "gave no answer" in capsys.readouterr().err


def test_an_answer_that_was_cut_off_is_said_to_be(
    request_: AskRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    run(request_, FakeEngine([answered("base", "", "length", 1024)]))
    assert "cut off after 1,024 tokens; --max-tokens" in capsys.readouterr().err


def test_what_was_written_before_the_engine_died_stays(
    request_: AskRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = FakeEngine([written("base", "One"), EngineDied("It died.")])
    with pytest.raises(EngineDied):
        run(request_, engine)
    assert capsys.readouterr().out.endswith("One\n")
    assert engine.closed


def test_json_keeps_the_answer_that_was_finished_before_the_engine_died(
    request_: AskRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    events = [answered("base", "One."), written("tuned", "T"), EngineDied("It died.")]
    with pytest.raises(EngineDied):
        run(replace(request_, json=True), FakeEngine(events))
    found = json.loads(capsys.readouterr().out)
    assert found["error"] == "It died."
    assert found["answers"]["base"]["text"] == "One."
    assert list(found["answers"]) == ["base"]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_question_that_does_not_fit_prints_no_answer(
    request_: AskRequest, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    too_long = [
        TooLong(pane="base", tokens=9000, fits=1792, droppable=()),
        TooLong(pane="tuned", tokens=9000, fits=1500, droppable=()),
    ]
    with pytest.raises(AskError, match=r"9,000 tokens and the tuned .* for 1,500") as e:
        run(replace(request_, json=as_json), FakeEngine(too_long))
    assert e.value.code is ExitCode.TOO_LONG
    assert capsys.readouterr().out == ""


def test_the_system_message_and_the_settings_reach_both_models(
    request_: AskRequest,
) -> None:
    engine = FakeEngine([])
    sampling = Sampling(temperature=0, seed=7)
    run(replace(request_, system="Be brief.", sampling=sampling), engine)
    assert engine.mode == "together"
    for question in engine.asked.values():
        assert [m.role for m in question.messages] == ["system", "user"]
        assert question.messages[0].content == "Be brief."
        assert question.sampling == sampling
    assert list(engine.asked) == ["base", "tuned"]


def test_progress_is_drawn_in_place_and_wiped_before_the_answer(
    request_: AskRequest,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    events = [
        Reading(id=1, pane="base", done=1024, total=2048, reused=0),
        written("base", "One"),
        # The second model reads while the first one's answer stands on the line.
        Reading(id=1, pane="tuned", done=128, total=2048, reused=0),
        answered("base", "One"),
        answered("tuned", "Two"),
    ]
    run(request_, FakeEngine(events))
    drawn = terminal.getvalue()
    assert drawn.startswith("\r\x1b[Kloading model.gguf 43%\r\x1b[K")
    assert "\r\x1b[Kbase: reading 1,024 of 2,048 tokens\r\x1b[K" in drawn
    assert "tuned: reading" not in drawn
    assert "base: 3 tokens, 12.5 tok/s, first after 0.25 s\n" in drawn
    assert "reading" not in capsys.readouterr().out


def test_where_no_terminal_is_there_is_no_progress() -> None:
    stream = io.StringIO()
    status = StatusLine(stream)
    status.loading(Loading(file=Path("m.gguf"), fraction=0.5))
    status.say("figures", always=False)
    status.clear()
    assert stream.getvalue() == ""


def test_no_model_speaks_before_the_flags_are_told(
    request_: AskRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    told_before: list[str] = []

    class Watching(FakeEngine):
        def ask(self, *arguments: Any, **named: Any) -> Any:
            told_before.append(capsys.readouterr().err)
            return super().ask(*arguments, **named)

    danger = replace(request_, question="58M, crushing chest pain, sweaty")
    run(danger, Watching([answered("base", "One"), answered("tuned", "Two")]))
    assert len(told_before) == 1
    assert "RED FLAG: Possible acute coronary syndrome" in told_before[0]


def test_rules_that_cannot_be_read_are_told_and_hold_nothing_up(
    request_: AskRequest,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import medassist.safety.red_flags.conversation as rules

    def broken(question: str) -> None:
        raise ValueError(question)

    monkeypatch.setattr(rules, "raised_by", broken)
    asked = replace(request_, question="58M, crushing chest pain, sweaty", json=True)
    code = run(asked, FakeEngine([answered("base", "One"), answered("tuned", "Two")]))
    assert code is ExitCode.ANSWERED
    out, err = capsys.readouterr()
    assert json.loads(out)["red_flags"] is None
    assert "the question was not checked for red flags" in err
    assert "chest" not in err
