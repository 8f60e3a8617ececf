r"""Formulas that an article has in TeX alone, as a reader should see them.

Most are short: a Greek letter, a power, a comparison. These become plain characters, as
formulas in MathML do. What is more than this stays TeX, without what LaTeX wants around
it: `\documentclass`, packages, `$$`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from lxml import etree

from finetune.data.jats.inline import MATH

_DOCUMENT = re.compile(r"\\begin\{document\}(.*?)\\end\{document\}", re.DOTALL)
_AROUND = re.compile(r"^(?:\$+|\\[(\[])|(?:\$+|\\[)\]])$")
_STYLES = re.compile(
    r"\\(?:mathrm|mathbf|mathit|mathsf|mathcal|mathbb|text|textrm|textit|textbf|mbox"
    r"|operatorname|rm|bf|it|boldsymbol|left|right|displaystyle|textstyle|limits)"
    r"(?![A-Za-z])\s*"
)
_BLANKS = re.compile(r"\\[,;:! ]|\\q?quad(?![A-Za-z])|~|\s+")
_GROUP = r"\{([^{}\\]*)\}"
_FRACTION = re.compile(rf"\\[dt]?frac\s*{_GROUP}\s*{_GROUP}")
_ROOT = re.compile(rf"\\sqrt\s*{_GROUP}")
_HIGH_OR_LOW = re.compile(rf"([\^_])\s*{_GROUP}")
_LONE_GROUP = re.compile(r"\{([^{}\\]*)\}")
_COMMAND = re.compile(r"\\([A-Za-z]+)|\\([%&#$_{}])")
_GREEK = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota"),
    *("kappa", "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon"),
    *("phi", "chi", "psi", "omega"),
)
_SIGNS: Mapping[str, str] = {
    **{name: unicodedata.lookup(
        f"GREEK SMALL LETTER {name.replace('lambda', 'lamda').upper()}"
    ) for name in _GREEK},
    **{name.capitalize(): unicodedata.lookup(
        f"GREEK CAPITAL LETTER {name.replace('lambda', 'lamda').upper()}"
    ) for name in _GREEK},
    "varepsilon": "\u03b5", "varphi": "\u03c6", "vartheta": "\u03b8",
    "times": "\u00d7", "cdot": "\u00b7", "pm": "\u00b1", "mp": "\u2213",
    "le": "\u2264", "leq": "\u2264", "leqslant": "\u2264",
    "ge": "\u2265", "geq": "\u2265", "geqslant": "\u2265", "ne": "\u2260",
    "neq": "\u2260", "lt": "<", "gt": ">", "ll": "\u226a", "gg": "\u226b",
    "approx": "\u2248", "sim": "~", "simeq": "\u2243", "equiv": "\u2261",
    "propto": "\u221d", "infty": "\u221e", "circ": "\u00b0", "degree": "\u00b0",
    "to": "\u2192", "rightarrow": "\u2192", "leftarrow": "\u2190", "prime": "\u2032",
    "in": "\u2208", "sum": "\u2211", "prod": "\u220f", "int": "\u222b",
    "partial": "\u2202", "nabla": "\u2207", "cap": "\u2229", "cup": "\u222a",
    "ldots": "...", "dots": "...", "cdots": "...", "log": "log", "ln": "ln",
    "exp": "exp", "min": "min", "max": "max", "sin": "sin", "cos": "cos",
}  # fmt: skip


def write_out_tex(part: etree._Element) -> None:
    """Put the formulas in `part` that are there in TeX alone into plain text.

    Where the same formula stands in MathML beside it, the TeX goes.
    """
    for formula in list(part.iter("tex-math")):
        beside = formula.getparent()
        again = (
            beside is not None
            and beside.tag == "alternatives"
            and next(beside.iter(f"{MATH}math"), None) is not None
        )
        formula.text = "" if again else readable("".join(formula.itertext()))
        del formula[:]
        formula.tag = "styled-content"


def readable(tex: str) -> str:
    """A formula as plain characters; as TeX between `$` where it is more than that."""
    document = _DOCUMENT.search(tex)
    bare = (document[1] if document else tex).strip()
    while (shorter := _AROUND.sub("", bare).strip()) != bare:
        bare = shorter
    plain = _BLANKS.sub(" ", _STYLES.sub("", bare))
    plain = _COMMAND.sub(_sign, plain)
    while (simpler := _simpler(plain)) != plain:
        plain = simpler
    if "\\" in plain or "{" in plain or "}" in plain:
        return f"${' '.join(bare.split())}$" if bare else ""
    return " ".join(plain.split())


def _sign(command: re.Match[str]) -> str:
    name = command[1]
    return command[2] if name is None else _SIGNS.get(name, command[0])


def _simpler(text: str) -> str:
    text = _FRACTION.sub(lambda m: f"{_grouped(m[1])}/{_grouped(m[2])}", text)
    text = _ROOT.sub("\u221a(\\1)", text)
    text = _HIGH_OR_LOW.sub(lambda m: f"{m[1]}{_grouped(m[2])}", text)
    # What stands behind a command that is not known is its own.
    return text if "\\" in text else _LONE_GROUP.sub(r"\1", text)


def _grouped(text: str) -> str:
    """Wraps a text in brackets if it is more than a number or a name."""
    text = text.strip()
    return text if re.fullmatch(r"[-\u2212+]?[\w.]*", text) else f"({text})"
