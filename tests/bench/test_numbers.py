from __future__ import annotations

import pytest
import typer

from medassist.commands.bench.number_lists import numbers


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("512", (512,)),
        ("512,1024,512", (512, 1024)),
        ("0-512+128", (0, 128, 256, 384, 512)),
        ("1-8*2", (1, 2, 4, 8)),
        ("3-5", (3, 4, 5)),
    ],
)
def test_lists_are_those_of_llama_bench(text, found):
    assert numbers(text, "-d") == found


@pytest.mark.parametrize(
    "text", ["", "x", "1,", "5-1", "1-8*1", "0-8*2", "1-8+0", "0-100000", "-5", "1e3"]
)
def test_what_is_no_list_is_told(text):
    with pytest.raises(typer.BadParameter, match="-d"):
        numbers(text, "-d")
