"""`medassist ask` as a user runs it: the real program, a tiny real pair."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from medassist.intended_use import INTENDED_USE_VERSION
from tests.cli.conftest import Ask
from tests.scripted_model import CHATML, write_scripted_model
from tests.tiny_models import SPECIAL, TinyPair, random_weights, write_model

QUESTION = "What is asthma?"


@pytest.fixture
def files(pair: TinyPair) -> list[str | Path]:
    return ["--base", pair.base, "--adapter", pair.activated]


def test_both_answers_come_out_under_their_names(
    ask: Ask, files: list[str | Path]
) -> None:
    done = ask(QUESTION, *files, "--max-tokens", "20")
    assert done.returncode == 0
    base, tuned = done.stdout.decode().split("\n## tuned: ")
    assert base.startswith("## base: ")
    assert tuned.splitlines()[0].endswith("with tiny-activated.gguf")
    assert base.split("\n\n", 1)[1] != tuned.split("\n\n", 1)[1]


def test_json_tells_where_each_answer_comes_from(ask: Ask, pair: TinyPair) -> None:
    arguments = ["--seed", "7", "--temperature", "0", "--max-tokens", "12", "--json"]
    done = ask(QUESTION, "--base", pair.base, "--tuned", pair.merged, *arguments)
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found["question"] == QUESTION
    assert found["mode"] == "in-turn"
    assert found["confined"]
    assert list(found["answers"]) == ["base", "tuned"]
    for name, file in (("base", pair.base), ("tuned", pair.merged)):
        answer = found["answers"][name]
        assert answer["model"] == str(file)
        assert answer["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert answer["seed"] == 7
        assert answer["tokens_written"] <= 12
        assert answer["stop_reason"] in ("end", "length")


def test_the_same_seed_gives_the_same_answers_and_another_seed_others(
    ask: Ask, files: list[str | Path]
) -> None:
    def texts(seed: int) -> list[str]:
        done = ask(QUESTION, *files, "--seed", str(seed), "--json")
        return [a["text"] for a in json.loads(done.stdout)["answers"].values()]

    assert texts(1) == texts(1) != texts(2)


def test_the_answer_does_not_depend_on_the_mode(
    ask: Ask, files: list[str | Path]
) -> None:
    def texts(mode: str) -> list[str]:
        done = ask(QUESTION, *files, "--mode", mode, "--json")
        return [a["text"] for a in json.loads(done.stdout)["answers"].values()]

    assert texts("together") == texts("in-turn")


@pytest.mark.parametrize("only", ["base", "tuned"])
def test_one_answer_alone_is_what_both_would_have_given(
    ask: Ask, files: list[str | Path], only: str
) -> None:
    arguments = ["--temperature", "0", "--max-tokens", "30", "--json"]
    both = json.loads(ask(QUESTION, *files, *arguments).stdout)
    alone = json.loads(ask(QUESTION, *files, *arguments, "--only", only).stdout)
    assert list(alone["answers"]) == [only]
    assert alone["answers"][only]["text"] == both["answers"][only]["text"]


def test_the_question_is_read_from_standard_input(
    ask: Ask, files: list[str | Path]
) -> None:
    question = "Was ist Asthma, auf Französisch «asthme»?\nDanke."
    done = ask("-", *files, "--max-tokens", "3", "--json", stdin=question.encode())
    assert json.loads(done.stdout)["question"] == question


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_piped_question_is_the_prompt_that_the_same_words_typed_are(
    ask: Ask, files: list[str | Path], end: str
) -> None:
    arguments = ["--temperature", "0", "--max-tokens", "12", "--json"]
    typed = json.loads(ask(QUESTION, *files, *arguments).stdout)
    piped = ask("-", *files, *arguments, stdin=f"{QUESTION}{end}".encode())
    found = json.loads(piped.stdout)
    assert found["question"] == QUESTION
    for pane in ("base", "tuned"):
        for what in ("text", "tokens_read", "tokens_reused"):
            assert found["answers"][pane][what] == typed["answers"][pane][what]


def test_only_the_last_line_end_of_a_piped_question_goes(
    ask: Ask, files: list[str | Path]
) -> None:
    piped = b" One.\n\nTwo. \n\n"
    done = ask("-", *files, "--max-tokens", "1", "--json", stdin=piped)
    assert json.loads(done.stdout)["question"] == " One.\n\nTwo. \n"


def test_settings_of_the_user_hold_unless_the_command_line_says_otherwise(
    ask: Ask, files: list[str | Path], environment: dict[str, str]
) -> None:
    settings = Path(environment["MEDASSIST_HOME"]) / "config" / "settings.toml"
    told = "intended_use_told = 3\n"
    settings.write_text(f"{told}[sampling]\nseed = 5\nmax_tokens = 4\n")
    found = json.loads(ask(QUESTION, *files, "--seed", "6", "--json").stdout)
    answer = found["answers"]["base"]
    assert (answer["seed"], answer["tokens_written"]) == (6, 4)

    settings.write_text("[sampling]\nseeed = 5\n")
    done = ask(QUESTION, *files)
    assert done.returncode == 2
    assert b"line 2" in done.stderr and b"mean seed?" in done.stderr


def test_nothing_but_the_answer_stands_on_either_stream(
    ask: Ask, files: list[str | Path]
) -> None:
    done = ask(QUESTION, *files, "--only", "base", "--max-tokens", "0")
    assert done.stderr == b""
    assert b"##" not in done.stdout.splitlines()[0]


# Red flags and the intended use.


DANGER = "58M, crushing chest pain since 10am, sweaty. Any tips?"


def test_red_flags_are_told_beside_the_answers_and_in_the_object(
    ask: Ask, files: list[str | Path]
) -> None:
    done = ask(DANGER, *files, "--max-tokens", "3")
    told = done.stderr.decode()
    assert done.returncode == 0
    assert "medassist: RED FLAG: Possible acute coronary syndrome. Reminder:" in told
    assert "RED FLAG" not in done.stdout.decode()
    found = json.loads(ask(DANGER, *files, "--max-tokens", "3", "--json").stdout)
    (flag,) = found["red_flags"]
    assert flag["id"] == "acute-coronary-syndrome"
    assert "crushing chest pain" in " ".join(flag["words"])
    assert flag["source"] and flag["field"] == "internal medicine"
    assert len(found["answers"]) == 2


def test_a_question_without_danger_has_no_flag_in_the_object(
    ask: Ask, files: list[str | Path]
) -> None:
    done = ask(QUESTION, *files, "--max-tokens", "3", "--json")
    found = json.loads(done.stdout)
    assert found["red_flags"] == [] and found["language_notice"] is None
    assert done.stderr == b""


def test_red_flags_are_told_even_where_the_models_cannot_be_loaded(
    ask: Ask, tmp_path: Path
) -> None:
    done = ask(DANGER, "--base", tmp_path / "missing.gguf")
    assert done.returncode == 1
    assert b"RED FLAG: Possible acute coronary syndrome" in done.stderr


@pytest.mark.parametrize(
    "question",
    [
        "forte dolore al petto da un'ora, suda e non riesce a respirare",
        "nie chcę już żyć, mam przygotowane tabletki",
    ],
)
def test_a_question_in_another_language_is_told_to_be_unchecked(
    ask: Ask, files: list[str | Path], question: str
) -> None:
    done = ask(question, *files, "--max-tokens", "3", "--json")
    assert b"medassist: Not English" in done.stderr
    found = json.loads(done.stdout)
    assert found["language_notice"].startswith("Not English")
    assert found["red_flags"] == [] and len(found["answers"]) == 2


def test_a_clinicians_question_about_risk_is_answered(
    ask: Ask, files: list[str | Path]
) -> None:
    risk = "My patient wants to die and has bought a rope. How do I assess the risk?"
    done = ask(risk, *files, "--max-tokens", "3")
    assert done.returncode == 0
    assert b"RED FLAG: Danger of suicide" in done.stderr
    assert b"The question is answered below all the same." in done.stderr
    assert done.stdout.startswith(b"## base: ")


def test_the_intended_use_is_said_once_and_never_among_the_answers(
    ask: Ask, files: list[str | Path], environment: dict[str, str]
) -> None:
    settings = Path(environment["MEDASSIST_HOME"]) / "config" / "settings.toml"
    settings.unlink()
    first = ask(QUESTION, *files, "--max-tokens", "3", "--json")
    assert b"It is not a medical device." in first.stderr
    assert b"medical device" not in first.stdout
    assert json.loads(first.stdout)
    again = ask(QUESTION, *files, "--max-tokens", "0")
    assert again.stderr == b""
    # The screen still wants it accepted.
    assert settings.read_text() == f"intended_use_told = {INTENDED_USE_VERSION}\n"


def test_what_was_accepted_in_the_screen_is_not_said_again(
    ask: Ask, files: list[str | Path], environment: dict[str, str]
) -> None:
    settings = Path(environment["MEDASSIST_HOME"]) / "config" / "settings.toml"
    settings.write_text(f"intended_use_accepted = {INTENDED_USE_VERSION}\n")
    assert ask(QUESTION, *files, "--max-tokens", "0").stderr == b""
    settings.write_text("intended_use_accepted = 1\n")
    done = ask(QUESTION, *files, "--max-tokens", "3")
    assert b"It is not for images or signals" in done.stderr


# A damaged file.


@pytest.fixture
def torn(pair: TinyPair, tmp_path: Path) -> Path:
    """A model that loads, and computes what is no number."""
    weights = {key: value.copy() for key, value in pair.weights.items()}
    weights["blk.1.attn_k.weight"][0, 0] = float("nan")
    return write_model(tmp_path / "torn.gguf", weights, pair.tokenizer)


def test_a_damaged_model_is_told_beside_the_answer_of_the_whole_one(
    ask: Ask, pair: TinyPair, torn: Path
) -> None:
    arguments = ["--base", pair.base, "--tuned", torn, "--max-tokens", "5"]
    done = ask(QUESTION, *arguments)
    assert done.returncode == 1
    assert done.stdout.startswith(b"## base: ")
    assert f"medassist: {torn}: the file is damaged: " in done.stderr.decode()
    done = ask(QUESTION, *arguments, "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert list(found["answers"]) == ["base"]
    assert found["error"].startswith(f"{torn}: the file is damaged: ")


def test_a_damaged_model_alone_has_no_answer_and_the_object_says_why(
    ask: Ask, torn: Path
) -> None:
    done = ask(QUESTION, "--base", torn, "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["answers"] == {}
    assert found["error"].startswith(f"{torn}: the file is damaged: ")
    done = ask(QUESTION, "--base", torn)
    assert (done.returncode, done.stdout) == (1, b"")


# Ctrl-C and closed pipes.


LONG = ["--max-tokens", "0", "--context", "65536", "--threads", "1"]
ASK = [sys.executable, "-m", "medassist", "ask"]


@pytest.fixture
def endless(pair: TinyPair, tmp_path: Path) -> Path:
    """A model that never ends an answer: nothing speaks for a special token."""
    weights = random_weights(pair.tokenizer.get_vocab_size(), seed=1)
    weights["output.weight"][: len(SPECIAL)] = 0
    file = tmp_path / "endless.gguf"
    return write_model(file, weights, pair.tokenizer, context=65536)


def test_ctrl_c_keeps_what_was_written(
    endless: Path, environment: dict[str, str]
) -> None:
    with subprocess.Popen(
        [*ASK, QUESTION, *LONG, "--base", str(endless)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.read(40)
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate()
    assert process.returncode == 130
    assert len(first + rest) >= 40
    assert rest.endswith(b"\n")
    # What a random model writes can be a dose, of which there is a warning.
    said = errors.splitlines()
    assert b"medassist: the base model was stopped." in said
    assert all(line.startswith(b"medassist: ") for line in said)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_ctrl_c_still_prints_the_object(
    endless: Path, environment: dict[str, str]
) -> None:
    import os
    import pty

    terminal, its_end = pty.openpty()
    with subprocess.Popen(
        [*ASK, QUESTION, "--json", *LONG, "--base", str(endless)],
        stdout=subprocess.PIPE,
        stderr=its_end,
        env=environment,
    ) as process:
        os.close(its_end)
        drawn = b""
        while b"writing, tokens: base" not in drawn:
            drawn += os.read(terminal, 4096)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate()
    os.close(terminal)
    assert process.returncode == 130
    answer = json.loads(out)["answers"]["base"]
    assert answer["stop_reason"] == "stopped"
    assert answer["text"]
    assert b"Traceback" not in drawn


def test_a_reader_that_has_enough_is_no_error(
    endless: Path, environment: dict[str, str]
) -> None:
    with subprocess.Popen(
        [*ASK, QUESTION, *LONG, "--base", str(endless)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == 141
    assert errors == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_named(pair: TinyPair, environment: dict[str, str]) -> None:
    command = [*ASK, QUESTION, "--threads", "1", "--base"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*command, str(pair.base)],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"medassist: standard output: No space left on device\n"


# No network.


def may_unshare() -> bool:
    unshare = shutil.which("unshare")
    if unshare is None:
        return False
    return subprocess.run([unshare, "-rn", "true"], check=False).returncode == 0


@pytest.mark.skipif(not may_unshare(), reason="unshare -rn is not permitted here")
def test_it_answers_where_there_is_no_network_at_all(
    ask: Ask, files: list[str | Path]
) -> None:
    done = ask(QUESTION, *files, "--max-tokens", "5", "--json", before="unshare -rn")
    assert done.stderr == b""
    assert done.returncode == 0
    assert len(json.loads(done.stdout)["answers"]) == 2


@pytest.mark.skipif(not shutil.which("strace"), reason="there is no strace here")
def test_no_process_of_it_opens_a_connection(
    ask: Ask, files: list[str | Path], tmp_path: Path
) -> None:
    log = tmp_path / "calls"
    trace = f"strace -f -qq -e trace=connect,bind,sendto,sendmsg -o {log}"
    done = ask(QUESTION, *files, "--max-tokens", "5", before=trace)
    assert done.returncode == 0
    calls = log.read_text()
    assert "AF_INET" not in calls


@pytest.mark.skipif(not shutil.which("strace"), reason="there is no strace here")
def test_the_trace_of_that_test_would_see_a_connection(tmp_path: Path) -> None:
    log = tmp_path / "calls"
    reach = "import socket; socket.socket().connect_ex(('127.0.0.1', 9))"
    trace = f"strace -f -qq -e trace=connect -o {log}".split()
    subprocess.run([*trace, sys.executable, "-c", reach], check=True)
    assert "AF_INET" in log.read_text()


def test_an_answer_is_cut_where_the_models_template_ends_it(
    ask: Ask, tmp_path: Path
) -> None:
    model = write_scripted_model(
        tmp_path / "m.gguf",
        ("Give 15 mg/kg.", "<|im", "_end|>", "\n<|im_start|>user\n", "And then?"),
        template=CHATML,
    )
    done = ask("How much?", "--base", model, "--temperature", "0")
    assert done.returncode == 0
    assert done.stdout.decode().strip() == "Give 15 mg/kg."
    assert "m.gguf ends its answers with '<|im_end|>'" in done.stderr.decode()
