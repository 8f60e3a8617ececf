"""The models: there, unchanged, and whether they fit."""

from __future__ import annotations

from collections.abc import Iterator

from medassist.core.card import CardError, read_card
from medassist.core.errors import ModelFileError
from medassist.core.files import sha256_of_file
from medassist.core.values import EngineOptions
from medassist.core.words import size
from medassist.doctor.finding import Finding, brief
from medassist.library.catalogue import ListedModel, ListedPair, catalogue
from medassist.library.errors import LibraryError
from medassist.library.registry import STARTER, Registry, load_registry
from medassist.settings import Settings
from medassist.starter import FOLDER, starter_card

PART = "models"
AGAIN = "Install the program again"


def models(settings: Settings | None) -> list[Finding]:
    """The starter pair, then what the user has named."""
    found = [*_starter()]
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


def _starter() -> Iterator[Finding]:
    try:
        expected = read_card(starter_card()).lineage.gguf
    except CardError as error:
        yield Finding(PART, "wrong", f"The starter pair's card: {error}", AGAIN)
        return
    changed: list[str] = []
    for name, sha256 in expected.items():
        try:
            if sha256_of_file(FOLDER / name) != sha256:
                changed.append(name)
        except OSError as error:
            yield Finding(
                PART, "wrong", f"{brief(FOLDER / name)}: {error.strerror}.", AGAIN
            )
            return
    if changed:
        yield Finding(
            PART,
            "wrong",
            f"{', '.join(changed)} of the starter pair is not what was shipped.",
            AGAIN,
        )
    else:
        yield Finding(PART, "ok", "The starter pair is as it was shipped (sha256).")


def _pair(pair: ListedPair, available: int | None) -> Iterator[Finding]:
    name = "The starter pair" if pair.name == STARTER else f"The pair {pair.name}"
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
