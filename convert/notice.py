"""Licence and source notices that are copied along with a model's weights."""

from __future__ import annotations

from medassist.core.card import Card
from medassist.text.licences.ids import address_of


def notice(card: Card) -> str:
    """The attributions of a model, for a NOTICE file or a Modelfile's LICENSE."""
    lines = [
        f"{card.name}",
        card.what,
        "",
        *_licence(card.licence),
    ]
    if base := card.tuned_from:
        lines[3:3] = [f"Base: {base.name}. Licence of the base: {base.licence}.", ""]
    for source in card.sources:
        lines += [
            "",
            f"{source.title}. {source.licence}. {source.url}".rstrip(),
            source.attribution,
        ]
    lines += ["", *card.cannot]
    return "\n".join(lines)


def _licence(licence: str) -> tuple[str, ...]:
    """Terms for the weights; a link only where it is that licence's own."""
    if address := address_of(licence):
        return (
            f"The weights are licensed under {licence}",
            f"({address}). They were trained on:",
        )
    return (f"Licence of the weights: {licence}.", "They were trained on:")


def heading(card: Card, name: str) -> str:
    """The first lines of a Modelfile of the model with `card`."""
    return (
        f"{card.name}, tuned: ollama create {name} -f Modelfile\n"
        "A demonstration, not for clinical use."
    )
