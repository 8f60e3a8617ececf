from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from medassist.core.errors import CauseOfDeath, EngineDied
from medassist.core.values import PairFiles
from medassist.engine.death import TIMED_OUT, death
from medassist.engine.last_words import KEPT, LastWords
from medassist.engine.replaced import REPLACED
from medassist.engine.scorer import GgufScorer
from medassist.engine.template import time_limit
from tests.engine.conversation import tiny_engine
from tests.tiny_models import TinyPair, random_adapter, tokenizer, write_model


def words_of(*lines: str) -> LastWords:
    words = LastWords()
    for line in lines:
        words.add(f"{line}\n".encode())
    return words


@pytest.mark.parametrize(
    ("code", "words", "broken", "sentence", "cause"),
    [
        (-signal.SIGABRT, ["GGML_ASSERT(n > 0) failed"], "", "GGML_ASSERT", "file"),
        (-signal.SIGKILL, [], "", "memory ran out", "memory"),
        (-signal.SIGSEGV, [], "", "SIGSEGV", "unknown"),
        (1, ["Timeout (0:00:06)!"], "", "chat template took too long", "unknown"),
        (-signal.SIGKILL, [], "it sent what is not known", "known. Load", "unknown"),
        (1, ["ImportError"], REPLACED, f"{REPLACED}. Start the program", "program"),
        (7, ["out of luck"], "", "code 7: out of luck", "unknown"),
    ],
)
def test_the_cause_of_a_childs_death_is_a_sentence_with_the_file_and_what_to_do(
    code: int, words: list[str], broken: str, sentence: str, cause: CauseOfDeath
) -> None:
    died = death("model.gguf", "while it answered", code, words_of(*words), broken)
    said = str(died)
    assert died.cause == cause
    assert said.startswith("model.gguf: ")
    assert sentence in said
    assert said.endswith(".")


CHECK = "/tmp/pip-install-x/vendor/llama.cpp/src/llama-vocab.cpp:88: GGML_ASSERT(n > 0)"
STACKS = [
    "/usr/lib/libggml-base.so(+0x1a2b) [0x7f00aa001a2b]",
    "/usr/lib/libllama.so(_ZN11llama_error4loadEv+0x8) [0x7f00aa0028f3]",
    "[New LWP 4711]",
    "#3  0x00007f00aa001a2b in ggml_abort () from /usr/lib/libggml-base.so",
    "#4  main (error=1) at /src/llama.cpp:17",
    "2   libllama.dylib    0x0000000104a3c2f8 llama_vocab::error + 120",
    "frame #1: 0x0000000104a3c2f8 libllama.dylib`llama_error + 20",
]


def test_the_check_that_failed_is_told_however_long_the_stack_behind_it_is() -> None:
    words = words_of("loading", CHECK, *(STACKS * KEPT))
    assert words.why == "llama-vocab.cpp:88: GGML_ASSERT(n > 0)"


def test_of_several_checks_the_first_is_told() -> None:
    other = CHECK.replace("88", "99")
    assert "88" in words_of(CHECK, other, *STACKS).why


def test_a_check_in_pieces_is_put_together() -> None:
    words = LastWords()
    for at in range(0, len(CHECK), 7):
        words.add(CHECK[at : at + 7].encode())
    words.add(b"\n" + "\n".join(STACKS).encode())
    assert words.why == "llama-vocab.cpp:88: GGML_ASSERT(n > 0)"


def test_an_exception_that_nothing_caught_is_told_by_what_it_says() -> None:
    words = words_of(
        "terminate called after throwing an instance of 'std::out_of_range'",
        "  what():  vector::_M_range_check",
        *STACKS,
    )
    assert words.why == "vector::_M_range_check"


def test_without_a_check_the_last_line_that_is_no_call_is_told() -> None:
    assert words_of("one", "two", *STACKS).why == "two"
    assert words_of(*STACKS).why == ""
    assert LastWords().why == ""


def test_a_line_without_end_is_bounded() -> None:
    words = LastWords()
    for _ in range(40):
        words.add(b"x" * (1 << 14))
    assert len(words.why) == 200


# The real thing.


async def test_two_tokens_of_the_same_text_are_told_in_words(
    tiny: TinyPair, tmp_path: Path
) -> None:
    made = tokenizer()
    path = write_model(tmp_path / "twice.gguf", tiny.weights, made)
    whole = path.read_bytes()
    # Two pieces of the same length, the second under the first one's text.
    first, second = (piece.encode() for piece in same_length(made.get_vocab()))
    twice = whole.replace(length(second) + second, length(first) + first, 1)
    assert twice != whole
    path.write_bytes(twice)
    with pytest.raises(EngineDied) as caught:
        await tiny_engine(PairFiles(base=path)).start()
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert "two of its tokens have the same text" in said
    assert "GGML_ASSERT" in said


def same_length(vocabulary: dict[str, int]) -> tuple[str, str]:
    longest = [t for t in vocabulary if len(t) == 2 and t.isascii() and t.isalpha()]
    return longest[0], longest[1]


def length(text: bytes) -> bytes:
    return len(text).to_bytes(8, "little")


def an_adapter_that_ends_the_process(tiny: TinyPair, path: Path) -> Path:
    """Its type is a list, which llama.cpp takes for a text without looking."""
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_string("general.type", "adapter")
    writer.add_array("adapter.type", ["lora", "lora"])
    writer.add_float32("adapter.lora.alpha", 16.0)
    for key, value in random_adapter(tiny.weights, 3).items():
        writer.add_tensor(key, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


async def test_where_an_adapter_ends_the_process_the_base_is_not_blamed(
    tiny: TinyPair, tmp_path: Path
) -> None:
    path = an_adapter_that_ends_the_process(tiny, tmp_path / "torn.gguf")
    with pytest.raises(EngineDied) as caught:
        await tiny_engine(PairFiles(base=tiny.base, adapter=path)).start()
    assert str(caught.value).startswith(f"{path}: ")
    assert tiny.base.name not in str(caught.value)
    with pytest.raises(EngineDied) as caught:
        GgufScorer(tiny.base, path, threads=1)
    assert str(caught.value).startswith(f"{path}: ")
    assert tiny.base.name not in str(caught.value)


@pytest.mark.skipif(
    not hasattr(time, "pthread_getcpuclockid"),
    reason="no clock of a thread's own here: the limit is by the clock on the wall",
)
def test_a_template_that_a_busy_machine_holds_up_is_not_ended() -> None:
    with time_limit(0.1, 30):
        for _ in range(50):
            time.sleep(0.01)
    with pytest.raises(TimeoutError), time_limit(0.1, 30):
        while True:
            pass


def test_a_template_that_hangs_in_native_code_ends_the_child_in_time() -> None:
    code = (
        "import time\n"
        "from medassist.engine.template import time_limit\n"
        "with time_limit(0.1, 0.3): time.sleep(60)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert TIMED_OUT in done.stderr
