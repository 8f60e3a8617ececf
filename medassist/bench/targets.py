"""The models to measure, each alone or with an adapter."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medassist.bench.errors import UsageError
from medassist.bench.results import FileFacts
from medassist.core.gguf import (
    GgufHeader,
    read_header,
    require_adapter,
    require_model,
    shards,
)
from medassist.core.values import PairFiles

TOKENS = "tokenizer.ggml.tokens"
MERGES = "tokenizer.ggml.merges"
_TOLD = ("tokenizer.ggml.model", "tokenizer.ggml.pre")


@dataclass(frozen=True)
class Target:
    """A model to measure, perhaps with an adapter.

    Attributes:
        model: its file, the first one of a split model.
        adapter: a LoRA of it.
        facts: of the model's file.
        adapter_facts: of the adapter's.
        header: of the model's file.
        invocation: the tokens that switch an activated adapter on.
    """

    model: Path
    adapter: Path | None
    facts: FileFacts
    adapter_facts: FileFacts | None
    header: GgufHeader
    invocation: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Name of its row, made of file names."""
        return self.facts.name + (f" + {self.adapter.name}" if self.adapter else "")

    @property
    def pair(self) -> PairFiles:
        """Its files as the app loads them."""
        return PairFiles(base=self.model, adapter=self.adapter)

    @property
    def context(self) -> int | None:
        """Context length that the model was trained for."""
        return self.header.context_length


def target(model: Path, adapter: Path | None = None) -> Target:
    """A target for the files of a row; hashes them if need be.

    Raises:
        ModelFileError: one is no model or no adapter, or they do not fit together.
        OSError: one cannot be read.
    """
    header = require_model(model)
    adapter_header = None
    if adapter is not None:
        adapter_header = require_adapter(adapter, header)
    return Target(
        model,
        adapter,
        _facts(model, header),
        None if adapter is None or adapter_header is None
        else _facts(adapter, adapter_header),
        header,
        adapter_header.invocation_tokens if adapter_header else (),
    )  # fmt: skip


def targets(models: Sequence[Path], adapters: Sequence[Path] = ()) -> list[Target]:
    """A target for each model, and one for each adapter on it.

    Raises:
        UsageError: a file is named twice.
        ModelFileError, OSError: as for `target`.
    """
    found: list[Target] = []
    for model in models:
        found.append(target(model))
        found += [target(model, adapter) for adapter in adapters]
    seen: dict[tuple[str, str], Target] = {}
    for one in found:
        mark = one.facts.sha256, one.adapter_facts.sha256 if one.adapter_facts else ""
        if mark in seen:
            raise UsageError(
                f"{one.model} and {seen[mark].model} are the same file, byte for byte. "
                "Name it once."
            )
        seen[mark] = one
    return found


def named(name: str) -> list[tuple[Path, Path | None]]:
    """Files for a word of the command line: a path or a library name.

    Returns:
        a model and perhaps an adapter for each row; a pair has two.

    Raises:
        UsageError: it is an adapter.
        LibraryError: there is neither such a file nor such a name.
    """
    path = Path(name).expanduser()
    if path.exists() or path.suffix == ".gguf" or len(path.parts) > 1:
        return [(path, None)]
    from medassist.library.lookup import stored_model
    from medassist.library.registry import load_registry
    from medassist.starter import STARTER, default_pair

    registry = load_registry()
    if name == STARTER or name in registry.pairs:
        return rows_of(registry.files(name) or default_pair().files)
    model = stored_model(name, registry)
    if model.adapter:
        raise UsageError(
            f"{name} is an adapter: give its base as MODEL, and it with --adapter."
        )
    return [(model.path, None)]


def rows_of(files: PairFiles) -> list[tuple[Path, Path | None]]:
    """The weights of each pane, and the adapter on them."""
    found: list[tuple[Path, Path | None]] = []
    for pane in files.panes:
        weights, adapter = (*files.files(pane), None)[:2]
        assert weights is not None
        found.append((weights, adapter))
    return found


def why_not_comparable(first: Path, second: Path) -> str:
    """Why two models cannot be compared token by token; empty if they can.

    Raises:
        ModelFileError: a file cannot be read.
    """
    one, other = (read_header(p, keep=(TOKENS, MERGES)) for p in (first, second))
    ours, theirs = (h.metadata.get(TOKENS, ()) for h in (one, other))
    if not isinstance(ours, tuple) or not isinstance(theirs, tuple):
        return "one of the files names no tokens"
    if len(ours) != len(theirs):
        return (
            f"{first.name} has {len(ours):,} tokens and {second.name} {len(theirs):,}"
        )
    differ = [i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b]
    if differ:
        at = differ[0]
        return (
            f"{len(differ):,} of {len(ours):,} tokens differ, the first one number "
            f"{at}: {ours[at]!r} in {first.name}, {theirs[at]!r} in {second.name}"
        )
    for key in (MERGES, *_TOLD):
        if one.metadata.get(key) != other.metadata.get(key):
            return f"they cut text into tokens differently ({key})"
    return ""


def _facts(path: Path, header: GgufHeader) -> FileFacts:
    from medassist.library.hashes import remembered_sha256

    parts = shards(path)
    hashes = [remembered_sha256(part) for part in parts]
    whole = hashes[0]
    if len(hashes) > 1:
        whole = hashlib.sha256("".join(hashes).encode()).hexdigest()
    size = sum(part.stat().st_size for part in parts)
    # A split model lists in each file the tensors of that file alone.
    headers = [header, *(read_header(part) for part in parts if part != path)]
    types: dict[str, int] = {}
    for one in headers:
        for kind, count in one.types.items():
            types[kind] = types.get(kind, 0) + count
    weights = sum(one.parameters for one in headers)
    return FileFacts(
        # A name may hold bytes that are no Unicode, and a line of a result is.
        name=path.name.encode(errors="replace").decode(),
        sha256=whole,
        bytes=size,
        quantization=header.quantization,
        params=weights,
        bits=8 * size / weights if weights else 0.0,
        types=dict(sorted(types.items(), key=lambda kind: -kind[1])),
    )
