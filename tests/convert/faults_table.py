"""`python -m tests.convert.faults_table`: the gate names each fault that is planted.

The faults are those of the tests (tests/convert/verify/faults.py), in a tiny random
Llama and its adapter; a line each, and before them the same files without a fault.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from convert.library_noise import keep_back_noise
from convert.verify.gate import verify_adapter, verify_model
from medassist.core.proofs import Verified
from tests.convert.conftest import convert_pair
from tests.convert.tiny_hf import save_pair
from tests.convert.verify import faults

HEADING = f"{'planted':<38}{'gate':<10}{'named by':<18}what it says"
WIDTH = 100
"""Letters of what the gate says."""


@dataclass(frozen=True)
class Line:
    """A fault, the check that has to name it, and what the gate found."""

    planted: str
    check: str | None
    """`None`: there is no fault."""
    found: Verified

    @property
    def right(self) -> bool:
        """Whether the gate found what there is, and nothing else."""
        if self.check is None:
            return self.found.passed
        return self.check in {check.name for check in self.found.failed}

    def text(self) -> str:
        """The line of the table."""
        gate = "passes" if self.found.passed else "fails"
        first = next(
            (check for check in self.found.failed if check.name == self.check), None
        )
        said = "" if first is None else first.said.splitlines()[0][:WIDTH]
        name = "" if first is None else first.name
        return f"{self.planted:<38}{gate:<10}{name:<18}{said}".rstrip()


def lines(root: Path) -> Iterator[Line]:
    """All faults, one after the other; files are made in `root`."""
    hf = save_pair(root / "hf")
    file = convert_pair(hf, root, "f32")
    yield Line("nothing", None, verify_model(hf.base, file.base, threads=1))
    for number, (planted, fault, check) in enumerate(faults.IN_A_MODEL):
        wrong = faults.changed(file.base, root / f"{number}" / "wrong.gguf", fault)
        yield Line(planted, check, verify_model(hf.base, wrong, threads=1))
    model = faults.with_one_blank_more(hf.base, root / "blank")
    yield Line(
        "a template with one blank less",
        "rendered prompt",
        verify_model(model, file.base, threads=1),
    )
    trained = faults.with_a_head(hf.base, root / "trained")
    yield Line(
        "a trained output layer thrown away",
        "embeddings",
        verify_model(trained, file.base, threads=1),
    )
    untied = save_pair(root / "untied", tied=False)
    whole = convert_pair(untied, root / "whole", "f32").base
    wrong = faults.changed(whole, root / "row" / "wrong.gguf", faults.row_of_no_text)
    yield Line(
        "the embedding of a rare token",
        "embeddings",
        verify_model(untied.base, wrong, threads=1),
    )
    wrong = faults.changed(whole, root / "out" / "wrong.gguf", faults.row_of_output)
    yield Line(
        "a rare row of the output layer",
        "embeddings",
        verify_model(untied.base, wrong, threads=1),
    )
    for kind in ("plain", "activated"):
        folder, lora = getattr(hf, kind), getattr(file, kind)
        right = verify_adapter(hf.base, file.base, folder, lora, threads=1)
        yield Line(f"nothing in the {kind} adapter", None, right)
        wrong = faults.changed(lora, root / kind / "wrong.gguf", faults.wrong_alpha)
        found = verify_adapter(hf.base, file.base, folder, wrong, threads=1)
        yield Line(f"alpha x 1.25 in the {kind} adapter", "adapter effect", found)


def main() -> None:
    """Print the table; end with 1 where the gate missed a fault or saw one too many."""
    torch.set_num_threads(1)
    keep_back_noise()
    sys.stdout.write(HEADING + "\n")
    right = True
    with tempfile.TemporaryDirectory() as folder:
        for line in lines(Path(folder)):
            right = right and line.right
            sys.stdout.write(line.text() + "\n")
            sys.stdout.flush()
    sys.exit(not right)


if __name__ == "__main__":
    main()
