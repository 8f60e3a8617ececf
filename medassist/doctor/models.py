"""Checks the models: present, unchanged, and fitting into memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from medassist.core.card import CardError
from medassist.core.errors import ModelFileError
from medassist.core.files import sha256_of_file
from medassist.core.values import EngineOptions
from medassist.core.words import size
from medassist.doctor.finding import Finding, brief
from medassist.library.catalogue import ListedModel, ListedPair, catalogue
from medassist.library.errors import LibraryError
from medassist.library.registry import Registry, load_registry
from medassist.settings import Settings
from medassist.starter import GET, default_pair, expected_sha256, open_base, small_files

PART = "models"
AGAIN = "Install the program again"


def models(settings: Settings | None) -> list[Finding]:
    """Findings about the default pair, its fallback and the named models."""
    found = [*_default()]
    registry = Registry()
    try:
        registry = load_registry()
    except LibraryError as error:
        found.append(Finding(PART, "wrong", str(error)))
    options = settings.engine_options if settings else EngineOptions()
    try:
        # Without Ollama's store: it is not ours, and can be large.
        listing = catalogue(registry, options, with_ollama=False)
    except (LibraryError, ModelFileError, OSError) as error:
        return [*found, Finding(PART, "wrong", f"The models cannot be listed: {error}")]
    for pair in listing.pairs:
        found += _pair(pair, listing.available)
    for model in listing.models:
        found += _model(model, registry)
    return found


def _default() -> Iterator[Finding]:
    """Checks the pair that the program opens with, and the other default pair."""
    pair = default_pair()
    opens = f"The starter pair is {pair.title}, since {pair.why}."
    if pair.remedy:
        yield Finding(PART, "note", opens, GET)
    else:
        yield Finding(PART, "ok", opens)
    yield from _as_shipped("The small pair", small_files())
    if pair.is_open:
        yield from _as_shipped("The adapter of the default pair", (pair.adapter,))
    if open_base.SMOLLM2.what_is_wrong() is None:
        yield _open_base()


def _as_shipped(what: str, files: Iterable[Path]) -> Iterator[Finding]:
    """Whether `files` of the package are those of their card."""
    try:
        changed = [f.name for f in files if sha256_of_file(f) != expected_sha256(f)]
    except CardError as error:
        yield Finding(PART, "wrong", f"{what}: its card: {error}", AGAIN)
    except OSError as error:
        where = brief(Path(error.filename)) if error.filename else what
        yield Finding(PART, "wrong", f"{where}: {error.strerror}.", AGAIN)
    else:
        if changed:
            said = f"{what}: {', '.join(changed)} is not what was shipped."
            yield Finding(PART, "wrong", said, AGAIN)
        else:
            yield Finding(PART, "ok", f"{what} is as it was shipped (sha256).")


def _open_base() -> Finding:
    base = open_base.SMOLLM2
    try:
        found = sha256_of_file(base.file)
    except OSError as error:
        return Finding(PART, "wrong", f"{brief(base.file)}: {error.strerror}.", GET)
    if found != base.sha256:
        said = f"{brief(base.file)} is not {base.name} (its sha256 is another)."
        return Finding(PART, "wrong", said, GET)
    said = f"{base.name} is as its makers have published it (sha256)."
    return Finding(PART, "ok", said)


def _pair(pair: ListedPair, available: int | None) -> Iterator[Finding]:
    name = "The default pair" if pair.title else f"The pair {pair.name}"
    if pair.problem:
        yield Finding(PART, "wrong", f"{name}: {pair.problem}")
        return
    if pair.need is None:
        return
    level = "note" if pair.fits in ("tight", "does not fit") else "ok"
    more = {
        "fits": "",
        "tight": "; that is tight",
        "does not fit": "; that is too much",
        "not known": "",
    }[pair.fits]
    free = f", {size(available)} are free" if available is not None else ""
    yield Finding(
        PART,
        level,
        f"{name} takes about {size(pair.need)}{free}{more}.",
        'A smaller context, kv = "q8_0", or a smaller quantization' if more else "",
    )


def _model(model: ListedModel, registry: Registry) -> Iterator[Finding]:
    if model.problem:
        used = registry.pairs_with(model.name)
        for_what = f" (of the pair {used[0]})" if used else ""
        yield Finding(PART, "wrong", f"{model.name}{for_what}: {model.problem}")
    elif model.hash_is == "computed":
        yield Finding(
            PART, "ok", f"{model.name}: there and unchanged since it was hashed."
        )
    else:
        yield Finding(
            PART,
            "note",
            f"{model.name}: there; its content has not been hashed yet.",
            f"medassist models check {model.name}",
        )
