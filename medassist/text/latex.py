"""Formulas of LaTeX as lines of Unicode, where nothing of them is lost by that.

Models write the formulas that clinicians ask for (Cockcroft-Gault, QTc, anion gap) in
LaTeX, which a terminal cannot set. What is not known here stays as it was written: a
formula that was half understood is worse than one that looks odd. So every number of
the source has to stand in the line again, or the line is not used.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, Final

MINUS: Final = "\N{MINUS SIGN}"
TIMES: Final = "\N{MULTIPLICATION SIGN}"
LONGEST: Final = 2_000
DEEPEST: Final = 30
"""Braces within braces: the parser calls itself for each."""
_SUPER: Final = dict(zip("0123456789+-=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ", strict=True))
_SUB: Final = dict(
    zip(
        "0123456789+-=()aehijklmnoprstuvx",
        "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ",
        strict=True,
    )
)
_PLAIN_DIGITS: Final = {
    ord(sign): f" {digit} "
    for table in (_SUPER, _SUB)
    for digit, sign in table.items()
    if digit.isdigit()
}
_FRACTIONS: Final = ("frac", "dfrac", "tfrac", "cfrac")
_TEXTS: Final = (
    "text", "textrm", "textbf", "textit", "textsf", "mbox", "mathrm", "mathbf",
    "mathit", "mathsf", "operatorname", "boxed",
)  # fmt: skip
_ROWS: Final = (
    "aligned", "align", "align*", "gathered", "gather", "gather*", "split", "equation",
    "equation*",
)  # fmt: skip
_OWN: Final = {
    ",": "\u202f", ";": " ", ":": " ", " ": " ", "!": "", "quad": " ", "qquad": " ",
    "%": "%", "$": "$", "#": "#", "&": "&", "_": "_", "{": "{", "}": "}",
    "degree": "°", "circ": "°", "lt": "<", "gt": ">", "left": "", "right": "",
    "displaystyle": "", "big": "", "Big": "", "bigl": "", "bigr": "", "Bigl": "",
    "Bigr": "", "limits": "", "\\": "\n", "vert": "|", "mid": "|", "prime": "\N{PRIME}",
}  # fmt: skip
"""Macros that this file knows better than the table of the library, or beside it."""
_SPACED: Final = set(f"=<>+{TIMES}÷±∓≤≥≠≈≃≅\N{TILDE OPERATOR}→←⇒⇔↔∝·{MINUS}∈")
_OPENING: Final = _SPACED | set("([,/")
"""Tokens behind which a minus is a sign."""
_NAMES: Final = re.compile(r"[a-z]{2,6}")
"""Name of a function that a macro writes: ln, log, min."""
_ATOM: Final = re.compile(r"[\w.,%°µμ\u2032]+|\([^()]*\)|√\([^()]*\)")
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
_BEFORE: Final = re.compile(r"[\w)\]²³]$")


class _Unknown(Exception):
    """Something that is not rendered here."""


@lru_cache(maxsize=256)
def as_unicode(source: str) -> str | None:
    """A formula as text.

    Args:
        source: the LaTeX between the signs of a formula.

    Returns:
        Its lines, or `None` where it cannot be said in Unicode without loss.
    """
    if not source.strip() or len(source) > LONGEST or _depth(source) > DEEPEST:
        return None
    if "&" in source.replace("\\&", "") and "\\begin" not in source:
        return None
    parser = _library("latexwalker")
    walker = parser.LatexWalker(
        source, latex_context=_context(), tolerant_parsing=False
    )
    try:
        nodes, _, _ = walker.get_latex_nodes()
        lines = _tidy(_rendered(nodes))
    except (parser.LatexWalkerError, _Unknown, RecursionError):
        return None
    return lines if lines and _numbers(source) == _numbers(lines) else None


def _depth(source: str) -> int:
    deepest = depth = 0
    for sign in source:
        depth += (sign == "{") - (sign == "}")
        deepest = max(deepest, depth)
    return deepest


def _numbers(text: str) -> list[str]:
    text = text.replace("{,}", ",").translate(_PLAIN_DIGITS)
    # Two digits that are raised stand beside each other; so do those in the source.
    return _NUMBER.findall(re.sub(r"(?<=\d)  (?=\d)", "", text))


def _tidy(text: str) -> str:
    text = re.sub(r" {2,}", " ", text)
    text = re.sub(r" *\u202f *", "\u202f", text)
    text = re.sub(r"(?<=[(\[]) | (?=[)\]])", "", text)
    text = re.sub(
        r"(?<=\d) · (?=\d)", f" {TIMES} ", text
    )  # a raised dot may be a decimal
    return "\n".join(filter(None, map(str.strip, text.split("\n"))))


def _library(name: str) -> Any:
    """A module of pylatexenc, which has no types; loaded with the first formula."""
    return import_module(f"pylatexenc.{name}")


@cache
def _context() -> Any:
    context = _library("latexwalker").get_default_latex_context_db()
    std_macro = _library("macrospec").std_macro
    known = [
        *(std_macro(name, "{{") for name in _FRACTIONS),
        *(std_macro(name, "{") for name in _TEXTS),
    ]
    context.add_context_category("formulas", prepend=True, macros=known)
    return context


@cache
def _symbols() -> Any:
    return _library("latex2text").get_default_latex_context_db()


def _rendered(nodes: Sequence[Any] | None) -> str:
    """The nodes in a line, scripts raised and lowered."""
    parts: list[str] = []
    script = ""
    atoms = _atoms(nodes or ())
    for place, atom in enumerate(atoms):
        if script:
            if isinstance(atom, str) and not atom.strip():
                continue
            after = atoms[place + 1] if place + 1 < len(atoms) else ""
            said = _of(atom)
            braced = not isinstance(atom, str)
            beside = isinstance(after, str) and after[:1].isdigit()
            if not braced and said.isdigit() and beside:
                raise _Unknown  # 10^12 is set as 10¹2, and hardly meant so
            parts.append(_script(script, _tidy(said)))
            script = ""
        elif _raises(atom):
            script = str(atom)
        else:
            parts.append(_joined(parts, atom, atoms[place + 1 :]))
    if script:
        raise _Unknown
    return "".join(parts)


def _atoms(nodes: Sequence[Any]) -> list[Any]:
    """Nodes, and each character of a text for itself: scripts take one of them."""
    atoms: list[Any] = []
    for node in nodes:
        atoms += list(node.chars) if _kind(node) == "LatexCharsNode" else [node]
    return atoms


def _kind(node: Any) -> str:
    return type(node).__name__


def _joined(before: Sequence[str], atom: Any, after: Sequence[Any]) -> str:
    """`atom` as it stands between its neighbours."""
    said = _of(atom)
    line = "".join(before)
    if getattr(atom, "macroname", "") in _FRACTIONS:
        return _fraction_among(said, line, after)
    if said.strip() in _SPACED and len(said.strip()) == 1:
        is_sign = not line.strip() or line.rstrip()[-1] in _OPENING
        return said.strip() if said in f"+{MINUS}±" and is_sign else f" {said.strip()} "
    is_name = not isinstance(atom, str) and _NAMES.fullmatch(said)
    if is_name and getattr(atom, "macroname", "") not in _TEXTS:
        return f" {said}" if after and _stays_close(after[0]) else f" {said} "
    return said


def _stays_close(atom: Any) -> bool:
    """Whether it follows a function's name without a space."""
    return _raises(atom) or (isinstance(atom, str) and atom == "(")


def _raises(atom: Any) -> bool:
    """Whether what follows is raised or lowered."""
    return isinstance(atom, str) and atom in ("^", "_")


def _fraction_among(said: str, line: str, after: Sequence[Any]) -> str:
    """A fraction in brackets where its neighbours would be taken for parts of it."""
    before = line.rstrip()
    following = next((a for a in after if not (isinstance(a, str) and a.isspace())), "")
    if before[-1:].isdigit() and said[:1].isdigit():
        raise _Unknown  # 2½, or 2 times ½: the line cannot tell
    follows = following if isinstance(following, str) else _of(following).strip()
    apart = not follows or follows[0] in _SPACED or follows[0] in "),]-.;:\n"
    touches = bool(_BEFORE.search(before)) or before[-1:] in ("/", "÷", "^", "√")
    if apart and not touches:
        return said
    return f" ({said}) " if touches else f"({said}) "


def _of(atom: Any) -> str:
    """Text of one node."""
    match _kind(atom):
        case "str":
            return _sign(str(atom))
        case "LatexGroupNode":
            if atom.delimiters[0] != "{":
                raise _Unknown
            return _rendered(atom.nodelist)
        case "LatexMacroNode":
            return _macro(atom)
        case "LatexSpecialsNode":
            return _special(atom.specials_chars)
        case "LatexEnvironmentNode":
            return _rows(atom)
        case _:  # a comment, which would be left out, or a formula within one
            raise _Unknown


def _sign(sign: str) -> str:
    if sign == "&":
        raise _Unknown
    return MINUS if sign == "-" else " " if sign.isspace() else sign


def _special(signs: str) -> str:
    if signs == "~":
        return " "
    if signs == "&":
        return ""  # where rows are aligned
    if signs in ("--", "---", "''", "``"):
        return signs
    raise _Unknown


def _macro(node: Any) -> str:
    name: str = node.macroname
    arguments: list[Any] = list(node.nodeargd.argnlist) if node.nodeargd else []
    if name in _FRACTIONS:
        above, below = (_tidy(_of(argument)) for argument in arguments)
        return f"{_enclosed(above)}/{_enclosed(below)}"
    if name in _TEXTS:
        return _text(arguments[0])
    if name == "sqrt":
        index, inner = arguments
        root = _raised(_tidy(_rendered(index.nodelist))) if index else ""
        return f"{root}√({_tidy(_of(inner))})"
    if name in _OWN:
        return _OWN[name]
    known = _symbols().get_macro_spec(name)
    said = known.simplify_repl if known is not None else None
    if not isinstance(said, str) or "%" in said or not said.strip() or arguments:
        raise _Unknown
    return said


def _text(argument: Any) -> str:
    """Words: their spaces count, and a hyphen is none of a minus."""
    nodes = argument.nodelist if _kind(argument) == "LatexGroupNode" else [argument]
    words = [
        node.chars if _kind(node) == "LatexCharsNode" else _of(node) for node in nodes
    ]
    text = "".join(words)
    if "_" in text or "^" in text:
        return _rendered(nodes)
    return text


def _rows(node: Any) -> str:
    if node.environmentname not in _ROWS:
        raise _Unknown
    return _rendered(node.nodelist)


def _script(sign: str, said: str) -> str:
    if sign == "^":
        return "°" if said in ("°", "∘") else _raised(said)
    if said and (lowered := in_unicode(said, raised=False)):
        return lowered
    return f"_{said}" if re.fullmatch(r"\w+", said) else f"_({said})"


def in_unicode(said: str, raised: bool) -> str | None:
    """`said` in raised or lowered signs; `None` where there are none for it."""
    signs = _SUPER if raised else _SUB
    known = all(sign in signs for sign in said)
    return "".join(map(signs.__getitem__, said)) if known else None


def _raised(said: str) -> str:
    plain = said.replace(MINUS, "-").replace(" ", "")
    if plain and (signs := in_unicode(plain, raised=True)):
        return signs
    return f"^{said}" if re.fullmatch(r"\w", said) else f"^({said})"


def _enclosed(said: str) -> str:
    return said if _ATOM.fullmatch(said) else f"({said})"
