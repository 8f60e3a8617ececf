from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from medassist.engine.death import TIMED_OUT, cause_of_death


@pytest.mark.parametrize(
    ("code", "words", "broken", "sentence"),
    [
        (-signal.SIGABRT, ["GGML_ASSERT(n > 0) failed", "done"], "", "GGML_ASSERT"),
        (-signal.SIGKILL, [], "", "memory ran out"),
        (-signal.SIGSEGV, [], "", "SIGSEGV"),
        (1, ["Timeout (0:00:06)!"], "", "chat template took too long"),
        (-signal.SIGKILL, [], "it sent what is no message", "no message"),
        (7, ["out of luck"], "", "code 7: out of luck"),
    ],
)
def test_the_cause_of_a_childs_death_is_a_sentence_with_the_file_and_what_to_do(
    code: int, words: list[str], broken: str, sentence: str
) -> None:
    said = cause_of_death("model.gguf", "while it answered", code, words, broken)
    assert said.startswith("model.gguf: ")
    assert sentence in said
    assert said.endswith(".")


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
