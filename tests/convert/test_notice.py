"""The notice that goes with the weights claims no licence that they do not have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import medassist.starter
from convert.notice import notice
from medassist.core.card import read_card

CARD = read_card(Path(medassist.starter.__file__).with_name("card.json"))


def test_the_address_of_a_licence_stands_beside_that_licence():
    said = notice(replace(CARD, licence="CC BY 4.0"))
    assert (
        "licensed under CC BY 4.0\n(https://creativecommons.org/licenses/by/4.0/)"
        in (said)
    )


@pytest.mark.parametrize(
    "licence",
    [
        "CC BY-NC 4.0",
        "CC BY 4.0 (non-commercial)",
        "bound by its base (llama2) and its data (CC BY 4.0)",
    ],
)
def test_weights_under_another_licence_are_not_said_to_be_free(licence):
    said = notice(replace(CARD, licence=licence, sources=()))
    assert f"Licence of the weights: {licence}." in said
    assert "creativecommons.org" not in said
