"""Formulas and task lists in an answer, as they are drawn."""

from __future__ import annotations

import pytest

from medassist.text.answer_markdown import AnswerParser
from tests.stubs.engine import FakeEngines
from tests.tui.page import opened

LINE = "CrCl = a/b"


def lines(source: str) -> list[str]:
    """The text of `source` in its lines, block by block."""
    found: list[str] = []
    for token in AnswerParser().parse(source):
        if token.type == "inline":
            children = token.children or []
            texts = ("\n" if c.type == "hardbreak" else c.content for c in children)
            found += "".join(texts).split("\n")
    return found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (r"So \(CrCl = \frac{a}{b}\) it is.", [f"So {LINE} it is."]),
        (r"So $CrCl = \frac{a}{b}$ it is.", [f"So {LINE} it is."]),
        (r"So \[CrCl = \frac{a}{b}\] it is.", ["So", LINE, "it is."]),
        ("$$\nCrCl = \\frac{a}{b}\n$$", [LINE]),
        (r"| x |\n|---|\n| \(\frac{a}{b}\) |".replace("\\n", "\n"), ["x", "a/b"]),
        (r"`\(\frac{a}{b}\)`", [r"\(\frac{a}{b}\)"]),
        (r"\(\unknown{x}_1 * 2 * 3\)", [r"\(\unknown{x}_1 * 2 * 3\)"]),
        ("It costs $5 and $10 or $20_000.", ["It costs $5 and $10 or $20_000."]),
        (r"Not yet closed \(\frac{a}", ["Not yet closed (\\frac{a}"]),
        ("- [ ] to do\n- [x] done\n- [z] other", ["☐ to do", "☑ done", "[z] other"]),
        ("[x] no list", ["[x] no list"]),
        ("CO<sub>2</sub> 40, 10<sup>9</sup>/L", ["CO₂ 40, 10⁹/L"]),
        ("x<sub>Cr</sub> 1<sup>st</sup>", ["x<sub>Cr</sub> 1<sup>st</sup>"]),
        ("10<sup>-9</sup> <b>5</b> <br", ["10⁻⁹ <b>5</b> <br"]),
        ("`CO<sub>2</sub>`", ["CO<sub>2</sub>"]),
        ("| x |\n|---|\n| 5 mg<br>daily<BR/>oral |", ["x", "5 mg", "daily", "oral"]),
    ],
)
def test_what_is_drawn(source: str, expected: list[str]) -> None:
    assert lines(source) == expected


async def test_a_formula_stands_on_the_screen_and_is_copied_as_it_was_written(
    engines: FakeEngines,
) -> None:
    written = ["The rate:\n\n\\[CrCl = \\fr", "ac{(140 - 75)}{72}\\]\n\n- [x] read"]
    engines.script.answers = {"base": written, "tuned": ["x"]}
    async with opened(engines) as page:
        await page.ask("One?")
        assert "CrCl = (140 \N{MINUS SIGN} 75)/72" in page.seen
        assert "☑ read" in page.seen
        shown = page.turns[0].shown("base")
        assert shown and shown.text == "".join(written)
