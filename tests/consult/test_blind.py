from __future__ import annotations

from pathlib import Path

import pytest

from medassist.consult.answer import ModelFile, Source
from medassist.consult.blind import HIDDEN, veil

VEIL = veil(
    [
        Source("Cardiolex 2.1 base", "Q8_0"),
        Source(
            "Medheron",
            adapter="tern-adapter.gguf",
            files=(ModelFile(Path("/m/kestrel_v2-Q4.gguf"), 1, 1),),
        ),
    ]
)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("I am Cardiolex.", f"I am {HIDDEN}."),
        ("cardiolex-2.1 base says so", f"{HIDDEN} says so"),
        ("Kestrel and medheron and tern", f"{HIDDEN} and {HIDDEN} and {HIDDEN}"),
        ("I'm **ChatGPT**, an AI.", f"I'm **{HIDDEN}**, an AI."),
        (
            "As an AI language model called Qwen2.5, I",
            f"As an AI language model called {HIDDEN}, I",
        ),
        ("I was trained by Mistral AI.", f"I was trained by {HIDDEN}."),
        ("My name is Llama 3.", f"My name is {HIDDEN}."),
    ],
)
def test_a_model_that_names_itself_is_masked(text: str, masked: str) -> None:
    assert VEIL.mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "Llama bites can be infected.",
        "The base dose is 5 mg; the model of care is small.",
        "As a rule, meta-analyses help.",
        "The patient was bitten by an alpaca.",
    ],
)
def test_what_names_no_model_stays(text: str) -> None:
    assert VEIL.mask(text) == text
