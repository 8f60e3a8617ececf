"""Creates named pairs, sets the default pair and a pair's settings."""

from __future__ import annotations

from medassist.core.gguf import require_adapter, require_model
from medassist.library.errors import LibraryError
from medassist.library.registry import (
    NamedPair,
    changing,
    require_name,
    require_stored,
)
from medassist.starter import STARTER


def make_pair(
    name: str, base: str | None, tuned: str | None, adapter: str | None
) -> NamedPair:
    """Save a pair of library models under `name`; existing settings stay.

    Raises:
        LibraryError, ModelFileError: these models are no pair.
    """
    require_name(name)
    if name == STARTER:
        raise LibraryError(
            f"{STARTER!r} is the pair that comes with the program; take another name."
        )
    if not base and not tuned:
        raise LibraryError("A pair needs a base model, a tuned model, or both.")
    if adapter and tuned:
        raise LibraryError("Give an adapter or a tuned model, not both.")
    if adapter and not base:
        raise LibraryError("An adapter needs the base model that it was trained on.")
    with changing() as held:
        registry = held[0]
        if name in registry.models:
            raise LibraryError(f"{name!r} is a model already; take another name.")
        headers = {
            n: require_model(require_stored(registry, n).path)
            for n in (base, tuned)
            if n
        }
        if adapter and base:
            require_adapter(require_stored(registry, adapter).path, headers[base])
        before = registry.pairs.get(name, NamedPair())
        pair = NamedPair(base=base, tuned=tuned, adapter=adapter, panes=before.panes)
        held[0] = registry.with_pair(name, pair)
    return pair


def set_default(name: str) -> None:
    """Make `name` the pair that the program opens with.

    Raises:
        LibraryError: there is no such pair, or it cannot be loaded.
    """
    with changing() as held:
        held[0].files(name)
        default = None if name == STARTER else name
        held[0] = held[0].model_copy(update={"default": default})


def set_asked(name: str, panes: NamedPair) -> None:
    """Save system prompts and sampling of the pair `name`.

    Raises:
        LibraryError: there is no such pair.
    """
    with changing() as held:
        pair = held[0].pair(name)
        kept = {p: s for p, s in panes.panes.items() if not s.is_plain}
        held[0] = held[0].with_pair(name, pair.model_copy(update={"panes": kept}))
