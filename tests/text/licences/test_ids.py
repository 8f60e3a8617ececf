"""What others call a licence."""

from __future__ import annotations

import pytest

from medassist.text.licences.ids import address_of, hub_id
from medassist.text.licences.named_licences import from_address


@pytest.mark.parametrize(
    ("licence", "known"),
    [
        ("CC BY 4.0", "cc-by-4.0"),
        ("CC-BY-NC-SA 4.0", "cc-by-nc-sa-4.0"),
        ("Apache License Version 2.0", "apache-2.0"),
        ("MIT", "mit"),
        ("cc0-1.0", "cc0-1.0"),
        ("llama 3.1 community license", "llama3.1"),
        ("CC BY (for members)", None),
        ("all rights reserved", None),
    ],
)
def test_a_licence_has_the_id_of_the_hub_where_it_is_known(licence, known):
    assert hub_id(licence) == known


@pytest.mark.parametrize(
    "licence",
    ["CC BY 4.0", "CC BY 3.0", "CC BY-SA 4.0", "CC0 1.0"],
)
def test_the_address_of_a_licence_is_read_as_that_licence(licence):
    address = address_of(licence)
    assert address is not None
    assert from_address(address) == licence
    for other in ("MIT", "of its owner", "CC BY-NC 4.0"):
        assert address_of(other) is None
