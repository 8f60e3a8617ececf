# ruff: noqa: RUF001 (what a formula is drawn with looks like letters)
"""Formulas of LaTeX in a line: what is understood whole, and nothing else."""

from __future__ import annotations

import re

import pytest

from medassist.text.latex import as_unicode

FORMULAS = {
    r"CrCl = \frac{(140 - age) \times weight}{72 \times S_{Cr}}": (
        "CrCl = ((140 \N{MINUS SIGN} age) × weight)/(72 × S_Cr)"
    ),
    r"QT_c = \dfrac{QT}{\sqrt{RR}}": "QT_c = QT/√(RR)",
    r"QTc = QT / RR^{1/3}": "QTc = QT / RR^(1/3)",
    r"\text{BMI} = \frac{\text{weight (kg)}}{h^2}": "BMI = (weight (kg))/h²",
    r"Na^+ - (Cl^- + HCO_3^-)": "Na⁺ \N{MINUS SIGN} (Cl⁻ + HCO₃⁻)",
    r"MAP \approx \frac{1}{3} SBP + \frac{2}{3} DBP": "MAP ≈ (1/3) SBP + (2/3) DBP",
    r"a / \frac{b}{c}": "a / (b/c)",
    r"\frac{\frac{a}{b}}{c}": "(a/b)/c",
    r"\left( P_{atm} - 47 \right) \cdot FiO_2": ("(Pₐₜₘ \N{MINUS SIGN} 47) · FiO₂"),
    r"2 \cdot 5": "2 × 5",
    r"10^{-3}\,\mu\text{g} \geq 10^9/L": "10⁻³\u202fμg ≥ 10⁹/L",
    r"37.5^{\circ}\text{C}": "37.5°C",
    r"1{,}000 \text{ mg} = 0{,}5 \%": "1,000 mg = 0,5 %",
    r"-RT\ln K, \min(a, 1)^{\alpha}": "\N{MINUS SIGN}RT ln K, min(a, 1)^α",
    r"\log_{10} x": "log₁₀ x",
    r"\begin{aligned} a &= 3 \\ b &= 4 \end{aligned}": "a = 3\nb = 4",
    r"\boxed{38.7\ \text{mL/min}}": "38.7 mL/min",
}


@pytest.mark.parametrize("source", FORMULAS)
def test_a_formula_is_a_line(source: str) -> None:
    assert as_unicode(source) == FORMULAS[source]


@pytest.mark.parametrize(
    "source",
    [
        "10^12",  # set as 10¹2
        "x_12",
        r"2\frac{1}{2}",  # a mixed number, or a product
        r"\frac12",
        "50% of 5 mg",  # the rest would be a comment
        r"\begin{cases} 1 & x \end{cases}",
        r"\ce{H2O}",
        r"\unknown{3}",
        r"\frac{1}{",
        "a & b",
        "{" * 50 + "1" + "}" * 50,
        "x" * 3_000,
        r"\left. 5 \right|_0^{",
        "",
    ],
)
def test_what_is_not_understood_whole_stays_as_it_was_written(source: str) -> None:
    assert as_unicode(source) is None


def test_no_number_is_another_one_in_the_line() -> None:
    parts = [
        "12.5",
        r"\frac{7}{30}",
        r"x^{18}",
        r"_{90}",
        r"\text{ 4 mg}",
        r"\sqrt{26}",
    ]
    for first in parts:
        for second in parts:
            for between in ("", " ", r" \times ", "+"):
                source = first + between + second
                line = as_unicode(source)
                if line is None:
                    continue
                plain = line.translate(
                    {ord(s): f" {d} " for d, s in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
                    | {ord(s): f" {d} " for d, s in enumerate("₀₁₂₃₄₅₆₇₈₉")}
                )
                plain = plain.replace("  ", "")
                numbers = re.compile(r"\d+(?:\.\d+)*")
                assert numbers.findall(plain) == numbers.findall(source), (source, line)
