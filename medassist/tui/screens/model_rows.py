"""Rows and columns of the models screen, as text. No widgets."""

from __future__ import annotations

from dataclasses import dataclass

from medassist.core.clean import clean_line
from medassist.core.words import short_hash, size, tokens
from medassist.library.catalogue import Catalogue, ListedModel, ListedPair
from medassist.library.model_facts import model_facts, pair_facts
from medassist.session.choice import Choice
from medassist.tui.wording import screens as wording

WIDEST = 20
"""Most columns of a name in the list; the facts below it say it in full."""


@dataclass(frozen=True)
class ModelRow:
    """A pair or a model of the list."""

    key: str
    """Its name in the library."""
    cells: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    """Everything that is known of it: labels and texts."""
    pair: ListedPair | None = None
    model: ListedModel | None = None

    @property
    def problem(self) -> str:
        listed = self.pair or self.model
        return listed.problem if listed else ""

    @property
    def choice(self) -> Choice | None:
        """The models to load if it is chosen; `None`: not loadable."""
        if self.pair is not None:
            files = self.pair.files
            if files is None:
                return None
            if self.pair.demonstration:
                return Choice()
            return Choice(files.base, files.tuned, files.adapter, pair=self.pair.name)
        if self.model is None or self.model.kind == "adapter" or self.model.problem:
            return None
        return Choice(base=self.model.path)


def rows(found: Catalogue) -> list[ModelRow]:
    """All rows, pairs first."""
    return [
        *(_pair(pair, found.available) for pair in found.pairs),
        *(_model(model, found.available) for model in found.models),
    ]


def _pair(pair: ListedPair, available: int | None) -> ModelRow:
    first = pair.parts[0] if pair.parts else None
    states = {wording.VERIFIED[part.verified] for part in pair.parts}
    verified = wording.IN_PART if len(states) > 1 else "".join(states) or "?"
    cells = (
        pair.name + (" *" if pair.is_default else ""),
        wording.SHIPPED if pair.demonstration else wording.PAIR,
        _memory(pair.fits, pair.need, pair.problem),
        first.architecture if first else "?",
        size(pair.bytes) if first else "?",
        first.quantization if first else "?",
        tokens(first.context) if first else "?",
        wording.TEMPLATE[first.template] if first else "?",
        verified,
        (first.licence or wording.NOT_SAID) if first else "?",
        short_hash(first.sha256) if first else "?",
    )
    facts = pair_facts(pair, available)
    for part in pair.parts:
        facts += [("", ""), *model_facts(part)]
    return ModelRow(pair.name, _cleaned(cells), tuple(facts), pair=pair)


def _model(model: ListedModel, available: int | None) -> ModelRow:
    is_model = model.kind == "model"
    cells = (
        model.name,
        model.kind,
        _memory(model.fits, model.need, model.problem) if is_model else "-",
        model.architecture or "?",
        size(model.bytes) if model.bytes else "?",
        model.quantization or "?",
        tokens(model.context) if is_model else "-",
        wording.TEMPLATE[model.template],
        wording.VERIFIED[model.verified],
        model.licence or wording.NOT_SAID,
        short_hash(model.sha256),
    )
    return ModelRow(
        model.name, _cleaned(cells), tuple(model_facts(model, available)), model=model
    )


def _memory(fits: str, need: int | None, problem: str) -> str:
    if problem or need is None:
        return wording.UNUSABLE if problem else "?"
    return f"{fits}, {size(need)}"


def _cleaned(cells: tuple[str, ...]) -> tuple[str, ...]:
    shown = (clean_line(cell) for cell in cells)
    return tuple(c if len(c) <= WIDEST else f"{c[: WIDEST - 1]}…" for c in shown)
