"""Chooses which GGUFs of a run its pair is made of: what fits, is proven and is fast.

To write a token the processor reads all weights once, so that of two files the smaller
is the faster one. How small may be chosen is bounded by what the gate measured: a file
that lost more than `MOST_LOSS` is taken only where nothing better fits into memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

from medassist.core.gguf import read_header
from medassist.core.progress import Watcher
from medassist.core.proofs import ProofsError, proof_of, verdict
from medassist.core.values import PairFiles
from medassist.core.words import size
from medassist.exams.perplexity import MEAN_KLD
from medassist.library import fit
from medassist.library.hashes import remembered_sha256

MOST_LOSS = 0.05
"""Mean KLD in nats a token. llama.cpp's own table has 0.013 for Llama 2 7B in Q4_K_M
and 0.11 in Q2_K; small models lose more at the same type."""
WHOLE = frozenset(("F32", "F16", "BF16"))
_ON_WHOLE = "The adapter itself is verified on the unquantized base."
_FITS: tuple[fit.Verdict, ...] = ("fits", "tight", "does not fit")


@dataclass(frozen=True)
class RunModels:
    """The models of a run's pair, and why they were taken.

    Attributes:
        base: the base.
        tuned: the merged model; `None` where an adapter is used.
        said: the grounds in a sentence; empty where there was nothing to choose.
    """

    base: Path
    tuned: Path | None
    said: str = ""


@dataclass(frozen=True)
class _Option:
    """One way to make the pair."""

    base: Path
    tuned: Path | None
    verified: bool
    fits: fit.Verdict
    loss: float
    """The larger one of its files; infinite where it was not measured."""
    bytes: int

    @property
    def order(self) -> tuple[bool, int, bool, int]:
        """The best has the least."""
        room = 0 if self.fits == "not known" else _FITS.index(self.fits)
        return not self.verified, room, self.loss > MOST_LOSS, self.bytes


def choose(
    bases: Sequence[Path],
    tuned: Sequence[Path],
    adapter: Path | None,
    watcher: Watcher,
) -> RunModels:
    """Choose the base of a pair, and its merged model where there is no adapter.

    Args:
        bases: the bases, one at least.
        tuned: the merged models; passed over where there is an adapter.
        adapter: the adapter of the pair.
        watcher: is told which files are hashed to look up their proofs.

    Raises:
        ModelFileError, OSError: a file cannot be read.
    """
    ways = _ways(bases, [] if adapter else tuned)
    if len(ways) == 1:
        return RunModels(*ways[0])
    files = {file for way in ways for file in way if file}
    proven: dict[Path, bool] = {}
    for file in sorted(files):
        watcher(f"looking up what was verified of {file.name}", 0, 0)
        proven[file] = verdict(file, remembered_sha256) == "verified"
    available = fit.available_memory()
    options: list[_Option] = []
    for base, merged in ways:
        pair = PairFiles(base=base, tuned=merged, adapter=adapter)
        both = [file for file in (base, merged) if file]
        options.append(
            _Option(
                base,
                merged,
                verified=all(proven[file] for file in both),
                fits=fit.need(pair).verdict(available),
                loss=max(map(_loss, both)),
                bytes=fit.weight_bytes(pair),
            )
        )
    best = min(options, key=lambda option: option.order)
    return RunModels(best.base, best.tuned, _said(best, options, adapter, available))


def _ways(
    bases: Sequence[Path], tuned: Sequence[Path]
) -> list[tuple[Path, Path | None]]:
    """The pairs that can be made; of one quantization, where there are such."""
    if not tuned:
        return [(base, None) for base in bases]
    both = [(base, merged) for base in bases for merged in tuned]
    kinds = {file: read_header(file).quantization for file in (*bases, *tuned)}
    alike = [(b, m) for b, m in both if kinds[b] == kinds[m]]
    return [*(alike or both)]


def _loss(file: Path) -> float:
    """Loss by quantizing a file; infinite where it was not measured."""
    if read_header(file).quantization in WHOLE:
        return 0.0
    try:
        proof = proof_of(file, remembered_sha256)
    except ProofsError:
        return inf
    figure = proof.loss.figures.get(MEAN_KLD) if proof and proof.loss else None
    return inf if figure is None else figure.value


def _of_adapter(adapter: Path, *, on_other: bool) -> str:
    """What the gate found of an adapter, where a user might take it for more."""
    match verdict(adapter, remembered_sha256):
        case "verified":
            return _ON_WHOLE if on_other else ""
        case "failed":
            return "The adapter itself did not pass its verification: convert it again."
        case _:
            return "The adapter itself is not verified."


def _said(
    best: _Option,
    options: Sequence[_Option],
    adapter: Path | None,
    available: int | None,
) -> str:
    names = " and ".join(file.name for file in (best.base, best.tuned) if file)
    rivals = [o for o in options if o.order[:3] == best.order[:3]]
    grounds = [
        "verified" if best.verified else "not verified, as no other is",
        {
            "fits": "fits into memory",
            "tight": "just fits into memory",
            "does not fit": "does not fit into memory, as no other does",
            "not known": "whether it fits into memory is not known",
        }[best.fits],
    ]
    if 0 < best.loss < inf:
        grounds.append(f"lost {best.loss:.3f} nats a token")
    if best.loss > MOST_LOSS:
        grounds.append("nothing with less loss would do")
    if len(rivals) > 1:
        grounds.append("the smallest of such, which is the fastest")
    free = "" if available is None else f", of {size(available)} that are free"
    said = f"The pair takes {names} ({size(best.bytes)}{free}): {'; '.join(grounds)}."
    if adapter and (of_adapter := _of_adapter(adapter, on_other=best.loss > 0)):
        said += f" {of_adapter}"
    return f"{said} `medassist models pair` makes one of the others."
