"""The words that go wherever a model's weights go: its licence and its sources."""

from __future__ import annotations

from medassist.core.card import Card


def notice(card: Card) -> str:
    """The attributions of a model, for a NOTICE file or a Modelfile's LICENSE."""
    lines = [
        f"{card.name}",
        card.what,
        "",
        f"The weights are licensed under {card.licence}",
        "(https://creativecommons.org/licenses/by/4.0/). They were trained on:",
    ]
    for source in card.sources:
        lines += [
            "",
            f"{source.title}. {source.licence}. {source.url}",
            source.attribution,
        ]
    lines += ["", *card.cannot]
    return "\n".join(lines)


def heading(card: Card, name: str) -> str:
    """The first lines of a Modelfile of the model with `card`."""
    return (
        f"{card.name}, tuned: ollama create {name} -f Modelfile\n"
        "A demonstration, not for clinical use."
    )
