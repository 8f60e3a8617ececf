"""`python -m tests.convert.table`: what has been proven of each architecture.

Tiny random models go through upstream's converter and through ours; ours is read by
llama.cpp, and compared with transformers in float32.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers.utils import logging

from convert.gguf.file import Quantization
from convert.gguf.model import convert_model
from convert.verify.token_ids import compare_tokens
from tests.convert.contents import Contents, contents
from tests.convert.families import (
    FAMILIES,
    load_model,
    rows_of,
    save_family,
    some_tokens,
    without_masks,
)
from tests.convert.greedy import same_greedy
from tests.convert.native import NativeModel, nmse
from tests.convert.tiny_hf import hf_logits
from tests.convert.upstream import Job, run_upstream

KINDS: tuple[Quantization, ...] = ("f32", "f16", "bf16", "q8_0")
GREEDY = 16
HEADING = (
    f"{'model':<16}{'architecture':<13}{'tensors equal':<20}{'metadata equal':<18}"
    f"{'token ids':<12}{'logits NMSE':<13}greedy"
)


@dataclass(frozen=True)
class Row:
    """One model's results."""

    name: str
    architecture: str
    tensors: tuple[int, int]
    """Equal to upstream's, of all; over all types."""
    metadata: tuple[int, int]
    beyond: int
    """Keys in which ours differs, with a reason (test_upstream_oracle.py)."""
    texts: tuple[int, int]
    error: float
    greedy: bool

    @property
    def passed(self) -> bool:
        """Whether all of it is as it should be."""
        whole = all(a == b for a, b in (self.tensors, self.metadata, self.texts))
        return whole and self.error < 1e-6 and self.greedy

    def text(self) -> str:
        """The line of the table."""
        beyond = f" + {self.beyond} said" if self.beyond else ""
        return (
            f"{self.name:<16}{self.architecture:<13}{_of(self.tensors):<20}"
            f"{_of(self.metadata) + beyond:<18}{_of(self.texts):<12}"
            f"{self.error:<13.1e}{f'{GREEDY} equal' if self.greedy else 'DIFFERS'}"
        )


def row(name: str, root: Path) -> Row:
    """The results of the model `name` in `root`, where upstream's files lie."""
    family = FAMILIES[name]
    tensors = metadata = (0, 0)
    architecture = ""
    for kind in KINDS:
        file = convert_model(root / name, root / f"{name}.{kind}.gguf", None, kind)
        ours, theirs = contents(file), contents(root / f"{name}-{kind}.gguf")
        architecture = ours.metadata["general.architecture"]
        tensors = _add(tensors, _equal(ours.tensors, theirs.tensors))
        metadata = _add(
            metadata, _equal(_settings(ours, family.beyond), _settings(theirs, set()))
        )
    gguf = root / f"{name}.f32.gguf"
    read = compare_tokens(root / name, gguf)
    model = load_model(root / name)
    tokens = some_tokens(rows_of(model))
    expected = hf_logits(model.eval(), tokens)
    with NativeModel(gguf) as native:
        found = native.logits(tokens)
        text = native.greedy(tokens, GREEDY)
    largest = float(np.abs(found - expected).max())
    return Row(
        name=name,
        architecture=architecture,
        tensors=tensors,
        metadata=metadata,
        beyond=len(family.beyond),
        texts=(read.compared - read.differences, read.compared),
        error=nmse(found, expected),
        greedy=same_greedy(text, model, tokens, largest),
    )


def main() -> None:
    """Print the table; end with 1 where something is not as it should be."""
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        jobs: list[Job] = []
        for name in FAMILIES:
            save_family(name, root / name)
            if name == "distilgpt2":
                without_masks(root / name)
            jobs += [
                Job(
                    str(root / name),
                    str(root / f"{name}-{kind}.gguf"),
                    kind,
                    no_mtp=FAMILIES[name].no_mtp,
                )
                for kind in KINDS
            ]
        run_upstream(jobs)
        sys.stdout.write(HEADING + "\n")
        passed = True
        for name in FAMILIES:
            found = row(name, root)
            passed = passed and found.passed
            sys.stdout.write(found.text() + "\n")
            sys.stdout.flush()
    sys.exit(not passed)


def _settings(found: Contents, without: set[str] | frozenset[str]) -> dict[str, Any]:
    return {
        key: value
        for key, value in found.metadata.items()
        if not key.startswith("tokenizer.") and key not in without
    }


def _equal(ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[int, int]:
    names = ours.keys() | theirs.keys()
    return sum(ours.get(n) == theirs.get(n) for n in names), len(names)


def _add(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    return a[0] + b[0], a[1] + b[1]


def _of(counts: tuple[int, int]) -> str:
    return f"{counts[0]}/{counts[1]}"


if __name__ == "__main__":
    main()
