"""card.json: what is written is read again; what is no card is refused by name."""

from __future__ import annotations

import json

import pytest

from medassist.core.card import (
    Card,
    CardError,
    Lineage,
    StageFigures,
    read_card,
    write_card,
)
from medassist.core.validated import as_json

FIGURES = StageFigures(
    steps=3,
    tokens=300,
    minutes=1.5,
    hardware="an abacus",
    parameters=12,
    training_loss=2.5,
    validation_loss=2.75,
    bits_per_byte=1.25,
)
CARD = Card(
    name="own",
    what="A test.",
    cannot=("Anything.",),
    licence="CC BY 4.0",
    architecture="llama",
    parameters=12,
    context=128,
    lineage=Lineage(recipe="00", base="11", gguf={"base.gguf": "22"}),
    sources=(),
    base=FIGURES,
    adapters={"plain": FIGURES},
)


def test_a_card_survives_being_written_and_read(tmp_path):
    write_card(CARD, tmp_path / "card.json")
    assert read_card(tmp_path / "card.json") == CARD
    assert [f.name for f in tmp_path.iterdir()] == ["card.json"]


def test_a_missing_card_is_named(tmp_path):
    with pytest.raises(CardError, match=r"card\.json cannot be read: No such file"):
        read_card(tmp_path / "card.json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base": {"steps": "many"}}, "base"),
        ({"version": 2}, "version"),
        ({"adapters": {"sideways": {}}}, "adapters"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_is_no_card_is_refused_with_its_field(tmp_path, change, said):
    file = tmp_path / "card.json"
    file.write_text(json.dumps(as_json(CARD) | change), "utf-8")
    with pytest.raises(CardError, match=said):
        read_card(file)


def test_text_that_is_no_json_is_refused(tmp_path):
    (tmp_path / "card.json").write_text("# a card", "utf-8")
    with pytest.raises(CardError, match="the whole file"):
        read_card(tmp_path / "card.json")
