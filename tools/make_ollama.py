"""Make the tuned model of the default pair in Ollama: merged, proven, created.

    python -m tools.make_ollama

Ollama from 0.34.1 on takes no ADAPTER, so the pair becomes one GGUF, in a folder that
git ignores. A file that is there already and proven is not made again.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from convert.commands.verify import table
from convert.errors import ConvertError
from convert.merge.proven_merge import merge_proven, proof_of_merge
from convert.starter_run import FOR_OLLAMA, checkout_modelfile, tuned_modelfile
from medassist.core.card import Card, read_card
from medassist.core.errors import MedassistError
from medassist.core.files import SHARED_FILE, write_whole
from medassist.core.run_folder import MODELFILE, card_of
from medassist.core.terminal import watching
from medassist.starter import DefaultPair, default_pair

NAME = "medassist"


def main() -> int:
    """Do it; the exit code says whether Ollama has the model."""
    pair = default_pair()
    print(f"Of {pair.title}: {pair.base} with {pair.plain}")
    try:
        card = _card(pair)
        merged = _merged(pair, FOR_OLLAMA)
        modelfile = _modelfile(merged, card)
    except (MedassistError, OSError) as error:
        print(f"make ollama: {error}", file=sys.stderr)
        return 1
    command = ["ollama", "create", NAME, "-f", str(modelfile)]
    if shutil.which("ollama") is None:
        print(
            f"There is no `ollama` on the PATH; {merged} stays. With Ollama "
            f"(https://ollama.com) it becomes a model by: {' '.join(command)}",
            file=sys.stderr,
        )
        return 1
    print(" ".join(command), flush=True)
    return subprocess.run(command, check=False).returncode


def _card(pair: DefaultPair) -> Card:
    if not pair.plain.is_file():
        raise ConvertError(
            f"{pair.plain} is not there; only a plain adapter can be merged for Ollama"
        )
    card = card_of(pair.plain)
    if card is None:
        raise ConvertError(f"{pair.plain} has no card that says its licence")
    return read_card(card)


def _merged(pair: DefaultPair, out: Path) -> Path:
    """The pair in one file, proven."""
    if proof_of_merge(pair.base, pair.plain, out):
        print(f"{out} was made of both before, and is proven")
        return out
    with watching() as watcher:
        proof = merge_proven(pair.base, pair.plain, out, force=True, watcher=watcher)
    print(table(proof))
    return out


def _modelfile(merged: Path, card: Card) -> Path:
    """The clone's own where it is of this pair, else one beside the weights."""
    own = Path(MODELFILE)
    if own.is_file() and own.read_text("utf-8") == checkout_modelfile(merged, card):
        return own
    file = merged.with_name(MODELFILE)
    print(f"{own} is of another pair; {file} is written for this one")
    write_whole(file, tuned_modelfile(merged, card, f"./{merged.name}"), SHARED_FILE)
    return file


if __name__ == "__main__":
    sys.exit(main())
