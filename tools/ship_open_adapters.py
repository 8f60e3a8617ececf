"""Make the adapters of finished runs those of the pair that the program opens with.

    python -m tools.ship_open_adapters RUN [RUN]

RUN is what `medassist finetune train smollm2-135m-starter` (plain) or
`smollm2-135m-starter-activated` leaves. Each becomes a GGUF in F16, is verified
against PEFT on the base's own weights, and goes into the package with a card beside it.
The plain one also decides the Modelfile at the top of the clone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from convert.commands.verify import table
from convert.errors import ConvertError
from convert.gguf.adapter import convert_adapter
from convert.gguf.model import About
from convert.starter_run import checkout_modelfile
from convert.unpack.unpack import as_folder
from convert.verify.gate import verify_adapter
from convert.verify.result import hash_of
from finetune.report.run_card import card_of
from finetune.report.run_facts import read_facts
from medassist.core.card import Card, read_card, write_card
from medassist.core.errors import MedassistError
from medassist.core.files import SHARED_FILE, copy_whole, write_whole
from medassist.core.run_folder import ADAPTER, MODELFILE, OWN_CARD
from medassist.core.terminal import watching
from medassist.starter import FOLDER, OWN_ADAPTERS
from medassist.starter.open_base import SMOLLM2

WHAT = (
    f"Our own adapter (LoRA) on {SMOLLM2.name} of Hugging Face, which is not ours and "
    "not in this package: short answers to questions about health. It shows how a base "
    "and a tuned model differ."
)
EXAMS = (
    "In medical exams it is at chance, as its base is: it is far too small for them."
)
STORED = "f16"
"""In Q8_0 the logits of one prompt in 32 were further off than the gate allows."""


def main() -> int:
    """Do it; the exit code says whether all is in its place."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    try:
        for run in parser.parse_args().runs:
            ship(run, Path.cwd())
    except (MedassistError, OSError) as error:
        print(f"ship: {error}", file=sys.stderr)
        return 1
    return 0


def ship(run: Path, checkout: Path) -> None:
    """Convert the adapter of `run`, prove it, and put it into the package.

    Raises:
        ConvertError: the run was not trained on the base that the program opens with,
            or the GGUF is not what it was made from.
        FinetuneError: `run` is no run folder.
    """
    card = card_of(read_facts(run), SMOLLM2.licence)
    if card is None or card.lineage.base != SMOLLM2.sha256:
        raise ConvertError(f"{run} holds no adapter that was trained on {SMOLLM2.name}")
    (kind,) = card.tuning
    name = OWN_ADAPTERS[kind]
    card = replace(
        card,
        name=Path(name).stem,
        what=WHAT,
        cannot=(*card.cannot, EXAMS),
        lineage=replace(card.lineage, gguf={}),
        verified={},
        comparisons=(),
    )
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / name
        write_card(card, made.with_suffix(OWN_CARD))
        card = _converted(run / ADAPTER, made, card)
        copy_whole(made, FOLDER / name, SHARED_FILE)
    write_card(card, (FOLDER / name).with_suffix(OWN_CARD))
    if kind == "plain":
        text = checkout_modelfile(SMOLLM2.file, card)
        write_whole(checkout / MODELFILE, text, SHARED_FILE)


def _converted(adapter: Path, out: Path, card: Card) -> Card:
    """`adapter` as a GGUF, and the card with its hash and what the gate found."""
    about = About(card.name, card.what, card.licence)
    with watching() as watcher, as_folder(SMOLLM2.file, out, watcher=watcher) as base:
        convert_adapter(adapter, base, out, about, STORED)
        found = verify_adapter(base, SMOLLM2.file, adapter, out, watcher=watcher)
    print(table(found))
    if not found.passed:
        raise ConvertError(f"{out.name} is not {adapter}; it is not taken")
    card = read_card(out.with_suffix(OWN_CARD))  # the gate has written into it
    return replace(card, lineage=replace(card.lineage, gguf={out.name: hash_of(out)}))


if __name__ == "__main__":
    sys.exit(main())
