"""Models of the library that one pane can be given, the other keeping its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from medassist.core.errors import ModelFileError
from medassist.core.values import EngineOptions, PairFiles, PaneName
from medassist.library import fit
from medassist.library.catalogue import Catalogue, ListedPair, catalogue
from medassist.library.registry import NamedPair, PaneSettings, load_registry
from medassist.session.choice import Choice
from medassist.starter import default_pair

if TYPE_CHECKING:
    from medassist.session.pair import Pair
    from medassist.settings import Settings


@dataclass(frozen=True)
class PaneModel:
    """A model for one pane.

    Attributes:
        name: of the model or the named pair in the library.
        of_pair: it is what that pair has in this pane.
        files: of the model, weights first.
        choice: both panes with it.
        need: bytes of memory that both panes then take; `None`: not known.
        fits: whether there is so much.
        shares: both panes then stand on the same weights.
        problem: why it cannot be loaded, in a sentence; empty: nothing is known.
    """

    name: str
    of_pair: bool
    files: tuple[Path, ...]
    choice: Choice
    need: int | None = None
    fits: fit.Verdict = "not known"
    shares: bool = False
    problem: str = ""


@dataclass(frozen=True)
class PaneModels:
    """Models that can be put into a pane, and the memory that both panes may have."""

    models: tuple[PaneModel, ...]
    available: int | None


def pane_models(pair: Pair, pane: PaneName, settings: Settings) -> PaneModels:
    """The models of the library for `pane` of `pair`. Reads headers: for a thread.

    The other pane keeps its files, system prompt and sampling.

    Raises:
        LibraryError: the list of models cannot be read.
        ValueError: it is not known yet which files `pair` has.
    """
    now = pair.files
    if now is None:
        raise ValueError("the files of the pair are not known yet")
    options = settings.engine_options
    options = replace(options, context=pair.context or options.context)
    found = catalogue(load_registry(), options, freed=pair.freed)
    asks: dict[PaneName, PaneSettings] = {p: pair.asks(p, settings) for p in pair.panes}
    listed: dict[tuple[object, ...], PaneModel] = {}
    for name, of_pair, files, asked, problem in _all(found, pane, settings):
        if files == now.files(pane):
            continue
        both = now.with_pane(pane, files)
        choice = replace(Choice.of(both), asked=NamedPair(panes={**asks, pane: asked}))
        key = (files, asked.model_dump_json())
        one = PaneModel(name, of_pair, files, choice, problem=problem)
        listed.setdefault(key, one if problem else _measured(one, both, options, found))
    return PaneModels(tuple(listed.values()), found.available)


def _all(
    found: Catalogue, pane: PaneName, settings: Settings
) -> Iterator[tuple[str, bool, tuple[Path, ...], PaneSettings, str]]:
    """Each model by its own name first, then what the pairs have in `pane`."""
    for model in found.models:
        if model.kind == "model":
            yield model.name, False, (model.path,), PaneSettings(), model.problem
    for listed in found.pairs:
        if listed.files is not None and pane in listed.files.panes:
            files, asked = listed.files.files(pane), _asked(listed, pane, settings)
            yield listed.name, True, files, asked, listed.problem


def _asked(listed: ListedPair, pane: PaneName, settings: Settings) -> PaneSettings:
    asked = listed.asked.asked(pane)
    if asked.sampling is None and listed.demonstration:
        own = default_pair().sampling_for(settings.sampling)
        return asked.model_copy(update={"sampling": own})
    return asked


def _measured(
    model: PaneModel, both: PairFiles, options: EngineOptions, found: Catalogue
) -> PaneModel:
    try:
        need = fit.need(both, options)
    except ModelFileError as error:
        return replace(model, problem=str(error))
    weights = {both.files(pane)[0].resolve() for pane in both.panes}
    return replace(
        model,
        need=need.total,
        fits=need.verdict(found.available),
        shares=len(weights) < len(both.panes),
    )
