from __future__ import annotations

import pytest
from pydantic import ValidationError

from medassist.core.validated import first_problem, validated
from medassist.core.values import Sampling


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"temperature": "hot"}, "temperature: Input should be a valid number"),
        ("hot", "the settings: Input should be a dictionary"),
    ],
)
def test_the_first_thing_wrong_is_named_with_its_place(values, said) -> None:
    with pytest.raises(ValidationError) as found:
        validated(Sampling, values)
    assert first_problem(found.value, "the settings").startswith(said)
