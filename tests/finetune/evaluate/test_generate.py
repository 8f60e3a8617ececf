from __future__ import annotations

import subprocess
import sys

import pytest

import finetune
from finetune import generate
from finetune.errors import FinetuneError


def test_a_question_is_answered_by_the_tuned_model_and_the_model_is_kept(
    run, monkeypatch
) -> None:
    answer = finetune.generate_response("Why does it swell?", run=run, max_new_tokens=9)
    monkeypatch.setattr(generate, "load_pair", None)  # a second load would fail
    again = finetune.generate_response("Why does it swell?", run=run, max_new_tokens=9)
    assert answer == again
    base = finetune.generate_response(
        "Why does it swell?", run=run, max_new_tokens=9, side="base"
    )
    assert base != answer
    plain = finetune.generate_response(
        "Why does it swell?", run=run, max_new_tokens=9, system_prompt=None
    )
    assert plain != answer


def test_a_seed_repeats_what_was_sampled(run) -> None:
    def ask(seed: int) -> str:
        return finetune.generate_response(
            "Why?", run=run, temperature=1.5, max_new_tokens=12, seed=seed
        )

    assert ask(1) == ask(1)
    assert len({ask(seed) for seed in range(4)}) > 1


@pytest.mark.parametrize(
    ("query", "more", "said"),
    [
        ("  ", {}, "empty"),
        ("Why? " * 200, {}, "context of 256"),
        ("Why?", {"temperature": -1.0}, "at least 0 and 1"),
        ("Why?", {"side": "both"}, "base or tuned"),
        ("Why? <|end|>", {}, "marks"),
    ],
)
def test_a_question_that_cannot_be_put_is_a_sentence(run, query, more, said) -> None:
    with pytest.raises(FinetuneError, match=said):
        finetune.generate_response(query, run=run, **{"max_new_tokens": 20, **more})


def test_importing_the_package_loads_nothing_heavy() -> None:
    script = "import sys, finetune; print('torch' in sys.modules, dir(finetune) and 1)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("False")
    with pytest.raises(AttributeError):
        finetune.nothing_of_the_kind  # noqa: B018
