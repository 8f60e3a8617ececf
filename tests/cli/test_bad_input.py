"""Bad input to `medassist ask`: one sentence, an exit code, no traceback.

Asked in the test's own process; `test_ask.py` has the program as a user runs it.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ask, Done
from tests.program import medassist
from tests.tiny_models import (
    TinyPair,
    random_adapter,
    random_weights,
    tokenizer,
    write_adapter,
    write_model,
)


@pytest.fixture
def ask(environment: dict[str, str]) -> Ask:
    def run(*arguments: str | Path, stdin: bytes = b"") -> Done:
        words = ("ask", "--threads", "1", *arguments)
        return medassist(*words, stdin=stdin, environment=environment)

    return run


def missing(folder: Path, pair: TinyPair) -> Path:
    return folder / "missing.gguf"


def a_folder(folder: Path, pair: TinyPair) -> Path:
    return folder


def empty(folder: Path, pair: TinyPair) -> Path:
    file = folder / "empty.gguf"
    file.touch()
    return file


def a_text(folder: Path, pair: TinyPair) -> Path:
    file = folder / "text.gguf"
    file.write_text("Fever, a stiff neck, pain behind the eyes.\n" * 100)
    return file


def truncated(folder: Path, pair: TinyPair) -> Path:
    file = folder / "truncated.gguf"
    whole = pair.base.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    return file


def a_stump(folder: Path, pair: TinyPair) -> Path:
    file = folder / "stump.gguf"
    file.write_bytes(pair.base.read_bytes()[:20])
    return file


def no_weights(folder: Path, pair: TinyPair) -> Path:
    return write_model(folder / "vocabulary.gguf", {}, tokenizer())


def an_adapter(folder: Path, pair: TinyPair) -> Path:
    return pair.plain


def unreadable(folder: Path, pair: TinyPair) -> Path:
    # A loop of links cannot be opened, by root neither.
    loop = folder / "loop.gguf"
    loop.symlink_to(loop)
    return loop


def check(stdout: bytes, stderr: bytes, *says: str | Path) -> None:
    text = stderr.decode()
    assert stdout == b""
    assert text.startswith("medassist: ")
    assert text.count("\n") == 1, text
    assert "Traceback" not in text and "unexpected" not in text
    for part in says:
        assert str(part) in text, text


@pytest.mark.parametrize(
    "make",
    [
        missing,
        a_folder,
        empty,
        a_text,
        truncated,
        a_stump,
        no_weights,
        an_adapter,
        unreadable,
    ],
)
def test_a_file_that_is_no_model_is_named(
    make: Callable[[Path, TinyPair], Path], ask: Ask, pair: TinyPair, tmp_path: Path
) -> None:
    file = make(tmp_path, pair)
    done = ask("hello", "--base", file)
    assert done.returncode == 1
    check(done.stdout, done.stderr, file)


def test_an_adapter_of_another_model_is_named(
    ask: Ask, pair: TinyPair, tmp_path: Path
) -> None:
    foreign = random_weights(vocabulary=300, seed=3)
    wider = {name: w.repeat(2, axis=-1) for name, w in foreign.items()}
    file = write_adapter(tmp_path / "foreign.gguf", random_adapter(wider, seed=3))
    done = ask("hello", "--base", pair.base, "--adapter", file)
    assert done.returncode == 1
    check(done.stdout, done.stderr, file)


def test_a_model_where_an_adapter_should_be_is_named(ask: Ask, pair: TinyPair) -> None:
    done = ask("hello", "--base", pair.base, "--adapter", pair.merged)
    assert done.returncode == 1
    check(done.stdout, done.stderr, pair.merged)


def test_a_flipped_byte_anywhere_ends_in_an_answer_or_in_a_sentence(
    ask: Ask, pair: TinyPair, tmp_path: Path
) -> None:
    whole = pair.base.read_bytes()
    # Magic, version, counts, a key's length, a type, the vocabulary, weights.
    for position in (0, 4, 8, 16, 24, 40, 300, 5_000, len(whole) - 500):
        broken = bytearray(whole)
        broken[position] ^= 0xFF
        file = tmp_path / f"flipped-{position}.gguf"
        file.write_bytes(broken)
        done = ask("hello", "--base", file, "--max-tokens", "3")
        assert done.returncode in (0, 1), (position, done.stderr)
        if done.returncode == 1:
            check(b"", done.stderr, file.name)


def test_a_question_of_200_000_words_is_too_long_and_says_by_how_much(
    ask: Ask, pair: TinyPair
) -> None:
    done = ask("-", "--base", pair.base, stdin=b"word " * 200_000)
    assert done.returncode == 3
    check(done.stdout, done.stderr, "tokens", "room for", "nothing was cut")


def test_a_question_without_end_is_too_long(ask: Ask, pair: TinyPair) -> None:
    done = ask("-", "--base", pair.base, stdin=b"word" * (5 * 2**20))
    assert done.returncode == 3
    check(done.stdout, done.stderr, "16 MiB")


@pytest.mark.parametrize("question", ["", "  \n\t", "\ufeff"])
def test_an_empty_question_is_refused(ask: Ask, question: str) -> None:
    for done in (ask(question), ask("-", stdin=question.encode())):
        assert done.returncode == 2
        check(done.stdout, done.stderr, "is empty")


def test_a_question_that_is_not_utf_8_is_refused(ask: Ask) -> None:
    done = ask("-", stdin="Fieber über 39 °C".encode("latin-1"))
    assert done.returncode == 2
    check(done.stdout, done.stderr, "not UTF-8", "0xfc", "position 7")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--adapter", "a.gguf"], "--base"),
        (["--base", "b", "--tuned", "t", "--adapter", "a"], "not both"),
        (["--base", "b.gguf", "--only", "tuned"], "--tuned or --adapter"),
        (["--tuned", "t.gguf", "--only", "base"], "--base"),
    ],
)
def test_files_that_make_no_pair_are_refused(
    ask: Ask, arguments: list[str], says: str
) -> None:
    done = ask("hello", *arguments)
    assert done.returncode == 2
    check(done.stdout, done.stderr, says)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--temperature", "-1"],
        ["--temperature", "nan"],
        ["--seed", "-1"],
        ["--max-tokens", "many"],
        ["--only", "both"],
        ["--context", "1"],
        ["--no-such-option"],
    ],
)
def test_options_out_of_range_are_named(ask: Ask, arguments: list[str]) -> None:
    done = ask("hello", *arguments)
    assert done.returncode == 2
    assert arguments[0].encode() in done.stderr
    assert b"Traceback" not in done.stderr
