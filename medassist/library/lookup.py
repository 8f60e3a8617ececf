"""Finds a model or pair by name, and checks it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from medassist.core.errors import ModelFileError
from medassist.core.values import EngineOptions
from medassist.library import fit
from medassist.library.catalogue import (
    ListedModel,
    ListedPair,
    list_model,
    list_pair,
    ollama_models,
)
from medassist.library.errors import LibraryError
from medassist.library.model_import import import_ollama
from medassist.library.ollama_store import PREFIX
from medassist.library.recognised import proven_tensors
from medassist.library.registry import Registry, StoredModel, load_registry
from medassist.library.template_check import (
    TemplateFinding,
    check_model,
    check_pair,
    probe_file,
)
from medassist.starter import STARTER, default_pair


class ModelDetails(BaseModel):
    """Details of a model or a pair."""

    model_config = ConfigDict(frozen=True)

    pair: ListedPair | None = None
    model: ListedModel | None = None
    available: int | None = None
    """Bytes of memory that are free."""


class CheckedModel(BaseModel):
    """Findings about one model or pair."""

    model_config = ConfigDict(frozen=True)

    name: str
    findings: tuple[TemplateFinding, ...]

    @property
    def is_wrong(self) -> bool:
        return any(finding.weight == "wrong" for finding in self.findings)


def details_of(name: str, options: EngineOptions) -> ModelDetails:
    """Everything about the pair or model `name`; reads files for their hashes.

    Raises:
        LibraryError: there is none of that name.
    """
    registry = load_registry()
    available = fit.available_memory()
    proven = proven_tensors(registry)
    if name == STARTER or name in registry.pairs:
        pair = list_pair(name, registry, options, available)
        parts = tuple(
            list_model(
                part.name,
                _stored(part),
                options,
                available,
                proven,
                compute_hash=True,
            )
            for part in pair.parts
        )
        problem = pair.problem or next((p.problem for p in parts if p.problem), "")
        pair = pair.model_copy(update={"parts": parts, "problem": problem})
        return ModelDetails(pair=pair, available=available)
    model = stored_model(name, registry)
    listed = list_model(name, model, options, available, proven, compute_hash=True)
    return ModelDetails(model=listed, available=available)


def check(name: str | None = None) -> list[CheckedModel]:
    """Check the pair or model `name`, or all pairs and the models of none.

    Raises:
        LibraryError: there is none of that name.
    """
    registry = load_registry()
    if name is not None:
        return [_check(name, registry)]
    paired = {model for pair in registry.pairs.values() for model in pair.models}
    alone = [n for n, m in registry.models.items() if n not in paired and not m.adapter]
    pairs = [STARTER, *(n for n in registry.pairs if n != STARTER)]
    return [_check(n, registry) for n in (*pairs, *alone)]


def _check(name: str, registry: Registry) -> CheckedModel:
    findings: list[TemplateFinding] = []
    try:
        if name == STARTER or name in registry.pairs:
            files = registry.files(name) or default_pair().files
            findings += check_pair(files)
        else:
            model = stored_model(name, registry)
            if not model.adapter:
                findings += check_model(name, probe_file(model.path))
        found = details_of(name, EngineOptions())
        listed = found.pair or found.model
        if listed is not None and listed.problem:
            findings.append(TemplateFinding(weight="wrong", said=listed.problem))
    except (LibraryError, ModelFileError) as error:
        findings.append(TemplateFinding(weight="wrong", said=str(error)))
    return CheckedModel(name=name, findings=tuple(findings))


def stored_model(name: str, registry: Registry) -> StoredModel:
    """The model `name` of the registry or of Ollama's store.

    Raises:
        LibraryError: there is none of that name.
    """
    if name in registry.models:
        return registry.models[name]
    if name.startswith(PREFIX):
        found, _ = ollama_models(registry)
        if name in found:
            return found[name]
    raise LibraryError(
        f"There is no pair or model called {name!r}. `medassist models list` shows "
        "the names; `medassist models import` takes a model in."
    )


def taken_in(name: str | None) -> str | None:
    """The name of a model in the registry; a model of Ollama's is added first.

    Raises:
        LibraryError, ModelFileError: it cannot be used.
    """
    if name is None or not name.startswith(PREFIX):
        return name
    return import_ollama(name.removesuffix("#adapter")).models[
        1 if name.endswith("#adapter") else 0
    ]


def _stored(part: ListedModel) -> StoredModel:
    return StoredModel(
        path=part.path,
        adapter=part.kind == "adapter",
        origin=part.origin,
        source=part.source,
        sha256=part.sha256 if part.hash_is == "as its source says" else None,
        licence=part.licence,
    )
