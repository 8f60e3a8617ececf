"""Converts the run of a starter pair to the files that the program ships.

The run folder gets `gguf/` and a Modelfile, and its card the hashes of both. `ship`
copies the files into the package, beside a notice of all sources.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from convert.errors import ConvertError
from convert.gguf.adapter import convert_adapter
from convert.gguf.model import About, convert_model
from convert.merge.gguf_merge import merge_gguf
from convert.modelfile import ModelfileParts, modelfile
from convert.notice import heading, notice
from convert.ollama.model_settings import OllamaWishes, settings_of
from medassist.core.card import Card, read_card, write_card
from medassist.core.files import SHARED_FILE, copy_whole, sha256_of_file, write_whole
from medassist.core.progress import Watcher, unwatched
from medassist.core.run_folder import (
    ARTICLES,
    CARD,
    MODELFILE,
    STARTER_ADAPTERS,
    STARTER_BASE,
    STARTER_TUNED,
)
from medassist.core.words import size
from medassist.text.licences.ids import hub_id

WHOLE = "base-f16.gguf"
MOST_BYTES = 24 * 2**20  # of a pair in the package, all files together
FOR_OLLAMA = Path("build/ollama/medassist.gguf")
"""Path at which a clone's Modelfile looks for its weights; git ignores the folder."""
FIRST_LINE = (
    "`make ollama` merges the pair into the file below, proves it, and makes the model."
)
SYSTEM = "You answer questions about health in plain language."
"""System prompt for a base of our own; others were taught with their template's."""


@dataclass(frozen=True)
class Shipped:
    """Files that `ship` wrote."""

    folder: Path
    bytes: int


def convert_run(run: Path) -> Card:
    """Convert the base and both adapters of the finished run in `run`.

    Returns:
        The run's card, with the hashes of the GGUFs.

    Raises:
        ConvertError: a part is missing or cannot be written exactly.
        CardError: the run has no card.
    """
    card = read_card(run / CARD)
    licence = hub_id(card.licence) or card.licence
    gguf = run / "gguf"
    about = About(f"{card.name} base", card.what, licence)
    base = gguf / STARTER_BASE
    files = [convert_model(run / "base", base, about, "q8_0", force=True)]
    for kind, name in STARTER_ADAPTERS.items():
        about = About(f"{card.name} {kind} adapter", card.what, licence)
        adapter = run / f"adapter-{kind}"
        target = gguf / name
        files.append(
            convert_adapter(adapter, run / "base", target, about, "f16", force=True)
        )
    tuned = gguf / STARTER_TUNED
    files.append(
        merge_gguf(base, gguf / STARTER_ADAPTERS["plain"], tuned, force=True).file
    )
    hashes = {file.name: sha256_of_file(file) for file in files}
    lineage = replace(card.lineage, gguf=hashes)
    card = replace(card, lineage=lineage)
    write_card(card, run / CARD)
    text = tuned_modelfile(tuned, card, f"./gguf/{STARTER_TUNED}")
    write_whole(run / MODELFILE, text, SHARED_FILE)
    return card


def verify_run(run: Path, watcher: Watcher = unwatched) -> Card:
    """Verify the GGUFs in `run` against their sources.

    The base in Q8_0 is measured against one in F16, which is made for it and taken
    away. What came out stands in `gguf/verify.json` and in the card.

    Raises:
        ConvertError: a file is not what it was made from, or cannot be read.
        CardError: the run has no card.
    """
    # Here, not above: torch takes seconds, and converting alone needs none of this.
    from convert.verify.gate import verify_adapter, verify_model
    from convert.verify.merged_gguf import verify_merged

    base, gguf = run / "base", run / "gguf"
    with _unquantized(base, gguf, watcher) as whole:
        found = [
            verify_model(base, whole, watcher=watcher),
            verify_model(base, gguf / STARTER_BASE, against=whole, watcher=watcher),
        ]
        for kind, name in STARTER_ADAPTERS.items():
            adapter = run / f"adapter-{kind}"
            found.append(
                verify_adapter(base, whole, adapter, gguf / name, watcher=watcher)
            )
    pair = gguf / STARTER_BASE, gguf / STARTER_ADAPTERS["plain"]
    found.append(verify_merged(*pair, gguf / STARTER_TUNED, watcher=watcher))
    wrong = [
        f"{one.file}: {check.name}: {check.said}"
        for one in found
        for check in one.failed
    ]
    if wrong:
        raise ConvertError(
            f"{gguf} does not hold what it was made from ({'; '.join(wrong)})"
        )
    card = read_card(run / CARD)
    kept = {name: entry for name, entry in card.verified.items() if name != WHOLE}
    card = replace(card, verified=kept)
    write_card(card, run / CARD)
    return card


@contextmanager
def _unquantized(base: Path, gguf: Path, watcher: Watcher) -> Iterator[Path]:
    whole = gguf / WHOLE
    try:
        yield convert_model(base, whole, About(), "f16", force=True, watcher=watcher)
    finally:
        whole.unlink(missing_ok=True)


def tuned_modelfile(tuned: Path, card: Card, weights: str, *, first: str = "") -> str:
    """The Modelfile of a tuned model in one file.

    It names no ADAPTER: Ollama from 0.34.1 on takes none.

    Args:
        tuned: the base with the plain adapter merged into it, as a GGUF.
        card: of the pair.
        weights: that file, relative to the Modelfile.
        first: a comment at its top.
    """
    wishes = OllamaWishes(
        system=None if card.tuned_from else SYSTEM,
        licences=(notice(card),),
        card_context=card.context,
    )
    return modelfile(
        ModelfileParts(
            heading=f"{first}\n{heading(card, 'medassist')}".lstrip(),
            weights=weights,
            adapter=None,
            settings=settings_of(tuned, wishes),
        )
    )


def checkout_modelfile(tuned: Path, card: Card) -> str:
    """The Modelfile at the top of a clone, for `make ollama`."""
    return tuned_modelfile(tuned, card, f"./{FOR_OLLAMA.as_posix()}", first=FIRST_LINE)


def ship(run: Path, checkout: Path) -> Shipped:
    """Copy a converted run into the package in `checkout`, and its Modelfile on top.

    Raises:
        ConvertError: the run is not converted, its files are not those of its card,
            not verified, or too large for the package.
    """
    card = read_card(run / CARD)
    files = [run / "gguf" / name for name in (STARTER_BASE, *STARTER_ADAPTERS.values())]
    for file in files:
        if not file.is_file() or card.lineage.gguf.get(file.name) != sha256_of_file(
            file
        ):
            raise ConvertError(
                f"{file} is missing or is not the file of {run / CARD}; convert "
                "the run again"
            )
        proof = card.verified.get(file.name)
        if proof is None or not proof.passed or proof.sha256 != sha256_of_file(file):
            raise ConvertError(f"{file} is not verified; convert the run again")
    total = sum(file.stat().st_size for file in files)
    if total > MOST_BYTES:
        raise ConvertError(
            f"the pair has {size(total)}; the package takes at most {size(MOST_BYTES)}"
        )
    target = checkout / "medassist" / "starter"
    for file in files:
        copy_whole(file, target / file.name, SHARED_FILE)
    write_card(_of(card, {file.name for file in files}), target / CARD)
    said = notice(card) + "\n"
    if (run / ARTICLES).is_file():
        copy_whole(run / ARTICLES, target / ARTICLES, SHARED_FILE)
        said += f"\nThe file {ARTICLES} credits the open-access articles one by one.\n"
    write_whole(target / "NOTICE", said, SHARED_FILE)
    return Shipped(target, total)


def _of(card: Card, files: Collection[str]) -> Card:
    """`card` with what it says of these GGUFs, and of no others."""
    gguf = {name: sha for name, sha in card.lineage.gguf.items() if name in files}
    verified = {name: entry for name, entry in card.verified.items() if name in files}
    lineage = replace(card.lineage, gguf=gguf)
    return replace(card, lineage=lineage, verified=verified)
