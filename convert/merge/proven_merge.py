"""Merges two GGUFs and proves the result, unless that was done before."""

from __future__ import annotations

from pathlib import Path

from convert.errors import ConvertError
from convert.merge.gguf_merge import merge_gguf
from convert.verify.merged_gguf import verify_merged
from convert.verify.result import hash_of, read_verified
from medassist.core.gguf_kinds import SHARD
from medassist.core.progress import Watcher, unwatched
from medassist.core.proofs import Verified


def merged_file(base: Path, adapter: Path) -> Path:
    """Default path of the merged file: beside the adapter."""
    name = SHARD.sub("", base.name).removesuffix(".gguf")
    return adapter.with_name(f"{name}-{adapter.stem}.gguf")


def proof_of_merge(base: Path, adapter: Path, out: Path) -> Verified | None:
    """The proof that `out` is `base` plus `adapter`, where it was given before.

    Raises:
        ConvertError: a file or a verify.json cannot be read.
    """
    known = read_verified(out) if out.is_file() else None
    if known is None or not known.passed:
        return None
    of_both = (hash_of(base), hash_of(adapter))
    return known if (known.base_sha256, known.adapter_sha256) == of_both else None


def merge_proven(
    base: Path,
    adapter: Path,
    out: Path,
    *,
    force: bool = False,
    watcher: Watcher = unwatched,
) -> Verified:
    """Have `out` be `base` plus `adapter`, and proven; returns the proof.

    Args:
        base: the GGUF; the first file of a split one.
        adapter: a plain LoRA of it.
        out: the merged file; it is left as it is where it is proven of both.
        force: write over another file of that name.
        watcher: is told how far it is.

    Raises:
        ConvertError: they cannot be merged, or `out` is not what it was made of.
    """
    known = proof_of_merge(base, adapter, out)
    if known is not None:
        return known
    merge_gguf(base, adapter, out, force=force, watcher=watcher)
    proof = verify_merged(base, adapter, out, watcher=watcher)
    if not proof.passed:
        failed = "; ".join(f"{check.name}: {check.said}" for check in proof.failed)
        raise ConvertError(
            f"{out} is not what it was made of ({failed}); it is not used"
        )
    return proof
