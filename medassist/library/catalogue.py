"""Lists the models and pairs on this computer, with their properties.

Nothing is loaded here: headers are read, which takes milliseconds, and hashes are given
where they were computed before. What is hashed by leave is said at `catalogue`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from medassist import starter
from medassist.core.card import CardError, read_card
from medassist.core.errors import ModelFileError
from medassist.core.gguf import GgufHeader, read_header
from medassist.core.proofs import Verdict, verdict
from medassist.core.run_folder import card_of
from medassist.core.values import EngineOptions, PairFiles
from medassist.library import fit, ollama_store
from medassist.library.errors import LibraryError
from medassist.library.hashes import known_sha256, remembered_sha256
from medassist.library.recognised import (
    ProvenTensors,
    proven_tensors,
    recognise,
)
from medassist.library.registry import (
    NamedPair,
    Origin,
    Registry,
    StoredModel,
)
from medassist.starter import STARTER, default_pair, expected_sha256, open_base

Template = Literal["own", "none", "of the base"]


class _Listed(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    problem: str = ""
    """Why it cannot be used, in a sentence; empty: nothing is known against it."""


class ListedModel(_Listed):
    """A model or adapter in the list."""

    path: Path
    kind: Literal["model", "adapter"]
    origin: Origin
    source: str = ""
    architecture: str = ""
    title: str = ""
    """Title by the file itself."""
    parameters: int = 0
    bytes: int = 0
    quantization: str = ""
    context: int | None = None
    """Tokens that it was trained to hold."""
    template: Template = "none"
    licence: str = ""
    sha256: str | None = None
    hash_is: Literal["computed", "as its source says", "not known yet"] = (
        "not known yet"
    )
    verified: Verdict = "not verified"
    verified_as: str = ""
    """The verified file that has these very tensors, where Ollama wrote it anew."""
    card: Path | None = None
    need: int | None = None
    """Bytes of memory that one pane with it takes."""
    fits: fit.Verdict = "not known"


class ListedPair(_Listed):
    """A pair in the list."""

    base: str | None = None
    tuned: str | None = None
    adapter: str | None = None
    files: PairFiles | None = None
    is_default: bool = False
    demonstration: bool = False
    title: str = ""
    """Title of the default pair, to tell it from the other one that it can be."""
    remark: str = ""
    """The same, with why it is this one, and how to have the other."""
    asked: NamedPair = NamedPair()
    """Settings with which its panes are asked."""
    parts: tuple[ListedModel, ...] = ()
    """Its models, the weights of the base first."""
    bytes: int = 0
    need: int | None = None
    """Bytes of memory that both panes together take."""
    weights: int | None = None
    copied: int | None = None
    """Bytes of the weights in another order for this processor; on top of them."""
    kv: int | None = None
    compute: int | None = None
    fits: fit.Verdict = "not known"


class Catalogue(BaseModel):
    """All models and pairs on this computer."""

    model_config = ConfigDict(frozen=True)

    pairs: tuple[ListedPair, ...]
    models: tuple[ListedModel, ...]
    available: int | None
    """Bytes of memory that were free when it was made."""
    problems: tuple[str, ...] = ()
    """Sentences on what could not be listed."""


def catalogue(
    registry: Registry,
    options: EngineOptions | None = None,
    *,
    freed: int = 0,
    with_ollama: bool = True,
    read: bool = False,
) -> Catalogue:
    """List all models and pairs.

    Args:
        registry: the user's models and pairs.
        options: how pairs are loaded, for the memory they take.
        freed: bytes that the models which are loaded now give back before others are.
        with_ollama: whether to look into Ollama's store.
        read: whether to read a file of Ollama's that looks like a verified one written
            anew; a file is read once.
    """
    options = options or EngineOptions()
    available = fit.available_memory()
    if available is not None:
        available += freed
    stored: dict[str, StoredModel] = dict(registry.models)
    problems: tuple[str, ...] = ()
    if with_ollama:
        found, problems = ollama_models(registry)
        stored |= found
    proven = proven_tensors(registry)
    models = [
        list_model(name, model, options, available, proven, read=read)
        for name, model in stored.items()
    ]
    names = [STARTER, *(name for name in registry.pairs if name != STARTER)]
    pairs = [list_pair(name, registry, options, available) for name in names]
    return Catalogue(
        pairs=tuple(pairs), models=tuple(models), available=available, problems=problems
    )


def ollama_models(
    registry: Registry,
) -> tuple[Mapping[str, StoredModel], tuple[str, ...]]:
    """Models in Ollama's store without a name here, and why others are unusable."""
    store = ollama_store.read_store()
    if store is None:
        return {}, ()
    known = {model.path.resolve() for model in registry.models.values()}
    found: dict[str, StoredModel] = {}
    for model in store.models:
        name = f"{ollama_store.PREFIX}{model.name}"
        for file, sha256, adapter in (
            (model.model, model.model_sha256, False),
            (model.adapter, model.adapter_sha256, True),
        ):
            if file is not None and file.resolve() not in known:
                found[f"{name}#adapter" if adapter else name] = StoredModel(
                    path=file,
                    adapter=adapter,
                    origin="ollama",
                    source=model.name,
                    sha256=sha256,
                    licence=model.licence,
                )
    return found, store.problems


def list_model(
    name: str,
    model: StoredModel,
    options: EngineOptions,
    available: int | None,
    proven: ProvenTensors | None = None,
    *,
    compute_hash: bool = False,
    read: bool = False,
) -> ListedModel:
    """The list entry of one model.

    Args:
        name: its name.
        model: where it lies and where it came from.
        options: how it would be loaded.
        available: bytes of memory.
        proven: the tensors of verified files, by which one of Ollama's is recognised.
        compute_hash: read the whole file for its hash where that is not known.
        read: read a file of Ollama's that looks like a verified one.
    """
    kind: Literal["model", "adapter"] = "adapter" if model.adapter else "model"
    try:
        header = read_header(model.path)
        sha256 = (remembered_sha256 if compute_hash else known_sha256)(model.path)
    except (ModelFileError, OSError) as error:
        return ListedModel(
            name=name,
            problem=str(error),
            path=model.path,
            kind=kind,
            origin=model.origin,
            source=model.source,
            sha256=model.sha256,
        )
    need = None
    other = None if header.is_adapter else header.other_kind
    if not header.is_adapter and other is None:
        need = fit.need(PairFiles(base=model.path), options)
    card = card_of(model.path)
    verified = verdict(
        model.path, remembered_sha256 if compute_hash else lambda p: _hash(p, model)
    )
    as_file = ""
    if proven and model.origin == "ollama" and verified == "not verified":
        verified, as_file = recognise(model.path, proven, read=read or compute_hash)
    known = sha256 or model.sha256
    problem = str(other.error(model.path)) if other else ""
    if sha256 and model.sha256 and sha256 != model.sha256:
        problem = (
            f"{model.path} is not what its source says: its sha256 is {sha256}, and "
            f"{model.source or 'its source'} names {model.sha256}. Get it again."
        )
    return ListedModel(
        name=name,
        problem=problem,
        path=model.path,
        kind="adapter" if header.is_adapter else "model",
        origin=model.origin,
        source=model.source,
        architecture=header.architecture,
        title=header.name,
        parameters=header.parameters,
        bytes=fit.size_of(model.path),
        quantization=header.quantization,
        context=header.context_length,
        template=_template(header),
        licence=_licence(model, header, card),
        sha256=known,
        hash_is="computed"
        if sha256
        else "as its source says"
        if known
        else "not known yet",
        verified=verified,
        verified_as=as_file,
        card=card,
        need=need.total if need else None,
        fits=need.verdict(available) if need else "not known",
    )


def list_pair(
    name: str, registry: Registry, options: EngineOptions, available: int | None
) -> ListedPair:
    """The list entry of one pair.

    Raises:
        LibraryError: there is no pair of that name.
    """
    pair = registry.pair(name)
    default = (registry.default or STARTER) == name
    own = None if pair.models else default_pair()
    listed = ListedPair(
        name=name,
        base=pair.base,
        tuned=pair.tuned,
        adapter=pair.adapter,
        is_default=default,
        demonstration=own is not None,
        title=own.title if own else "",
        remark=own.told if own else "",
        asked=pair,
    )
    try:
        files = own.files if own else registry.files(name)
        assert files is not None
        need = fit.need(files, options)
        parts = _parts(files, registry, options, available)
    except (LibraryError, ModelFileError) as error:
        return listed.model_copy(update={"problem": str(error)})
    return listed.model_copy(
        update={
            "files": files,
            "parts": parts,
            "problem": next((part.problem for part in parts if part.problem), ""),
            "bytes": fit.weight_bytes(files),
            "need": need.total,
            "weights": need.weights,
            "copied": need.copied,
            "kv": need.kv,
            "compute": need.compute,
            "fits": need.verdict(available),
        }
    )


def _parts(
    files: PairFiles,
    registry: Registry,
    options: EngineOptions,
    available: int | None,
) -> tuple[ListedModel, ...]:
    paths = (path for path in (files.base, files.tuned, files.adapter) if path)
    found: list[ListedModel] = []
    for path in paths:
        name = registry.name_of(path)
        model = registry.models[name] if name else _known(path)
        proven = proven_tensors(registry) if model.origin == "ollama" else None
        found.append(list_model(name or path.stem, model, options, available, proven))
    return tuple(found)


def _known(path: Path) -> StoredModel:
    """A file of the default pair, and what is known of it."""
    try:
        sha256 = expected_sha256(path)
    except CardError:
        sha256 = None
    if path.is_relative_to(starter.FOLDER):
        return StoredModel(
            path=path, origin="shipped", source="its card", sha256=sha256
        )
    base = open_base.SMOLLM2
    return StoredModel(
        path=path,
        origin="pulled",
        source=f"{base.package} {base.version}",
        sha256=sha256,
        licence=base.licence,
    )


def _hash(path: Path, model: StoredModel) -> str | None:
    return known_sha256(path) or (model.sha256 if path == model.path else None)


def _template(header: GgufHeader) -> Template:
    if header.is_adapter:
        return "of the base"
    return "own" if header.chat_template else "none"


def _licence(model: StoredModel, header: GgufHeader, card: Path | None) -> str:
    """The licence as the card says it, then the source, then the file itself."""
    if card is not None:
        try:
            return read_card(card).licence
        except CardError:
            pass
    return model.licence or header.text("general.license") or ""
