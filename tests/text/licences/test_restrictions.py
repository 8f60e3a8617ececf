"""What a statement forbids or narrows is seen in the languages of its publishers."""

from __future__ import annotations

import pytest

from medassist.text.licences.named_licences import (
    RESTRICTED,
    NamedLicence,
    from_address,
    from_sentence,
)
from medassist.text.licences.restrictions import Restrictions, limits_of

NARROWING = [
    "Nur für den privaten Gebrauch.",
    "Die kommerzielle Nutzung ist untersagt.",
    "Namensnennung - Keine Bearbeitungen 4.0 International",
    "Alle Rechte vorbehalten.",
    "Nutzung zu Lehrzwecken erlaubt.",
    "Die Weiterverwendung bedarf der Zustimmung des Verlages.",
    "Toute reproduction est interdite.",
    "Usage strictement personnel.",
    "Attribution - Pas de Modification 4.0",
    "Reproduction soumise à l\u2019accord de l\u2019éditeur.",
    "Reconocimiento-NoComercial-SinObraDerivada",
    "Todos los derechos reservados.",
    "Uso permitido para la docencia.",
    "Vietato l\u2019uso commerciale.",
    "Solo per uso personale e di studio.",
    "È richiesta l\u2019autorizzazione dell\u2019editore.",
    "Proibida a reprodução para fins comerciais.",
    "Apenas para uso pessoal.",
    "Alleen voor onderzoek.",
    "Endast för personligt bruk.",
    "Tylko do użytku własnego.",
    "Nekomerční použití",
    "不得用于商业目的。",
    "Некоммерческое использование",
    "For research use only.",
    "For academic and research purposes.",
    "Educational use.",
    "All rights reserved.",
    "Commercial use requires written consent.",
    "This licence does not permit commercial use.",
    "Free to read; reuse requires permission of the publisher.",
    "Under exclusive licence to The Publisher.",
    "It may not be used to train models.",
    "Companies need a licence.",
    "Reuse is limited to abstracts.",
    "NC ND",
    "Text under CC BY; the abstracts belong to the publisher.",
    "CC BY (charities)",
    "NonCommercial-NoDerivs",
    "Not-for-profit use is free.",
]
GRANTS = [
    "Some rights reserved. No claim to original U.S. Government Works.",
    "Under CC BY 4.0, for any purpose, even commercially, if the source is named.",
    "Reuse is free for commercial and non-commercial purposes.",
    "Commercial use is permitted.",
    "Reproduction is permitted without further permission from the authors.",
    "Except where otherwise noted, under a Creative Commons Attribution license.",
    "Published on behalf of the Society for Research and Education.",
    "Licensee Publisher Ltd, Basel, Switzerland.",
    "Dieser Artikel steht unter der Creative Commons Lizenz CC BY und darf ohne "
    "Einschränkung verbreitet werden, auch für kommerzielle Zwecke.",
    "Cet article est publié sous licence Creative Commons Attribution, sans "
    "restriction, y compris à des fins commerciales.",
    "Este artículo se distribuye bajo la licencia Creative Commons CC BY, sin "
    "restricciones, incluso con fines comerciales.",
    "Questo articolo è distribuito con licenza Creative Commons Attribuzione, senza "
    "restrizioni, anche a fini commerciali.",
    "Este artigo está sob uma licença Creative Commons CC BY, sem restrições, "
    "inclusive para fins comerciais.",
]


@pytest.mark.parametrize("statement", NARROWING)
def test_a_statement_that_narrows_the_use_is_seen(statement):
    assert limits_of(statement) != Restrictions()


@pytest.mark.parametrize("statement", GRANTS)
def test_a_grant_narrows_nothing(statement):
    assert limits_of(statement) == Restrictions()


def test_the_words_that_narrow_are_quoted():
    (said,) = from_sentence("The text is here. For research use only, dear reader.")
    assert said == NamedLicence(RESTRICTED, said.words)
    assert "research use only" in said.words


def test_a_copyright_line_may_hold_names_that_are_words_elsewhere():
    line = "© 2016 Nur A, Sin B, No C, 李 D and Pas E"
    assert limits_of(line, "copyright") == Restrictions()
    assert limits_of(f"{line}. Reuse only by agreement.", "copyright").doubt
    assert limits_of(f"{line}. All rights reserved.", "copyright").other
    assert limits_of(f"{line}. No commercial use.", "copyright").commerce


def test_a_label_of_unknown_words_says_nothing_unless_it_denies():
    assert limits_of("gold-hybrid", "label") == Restrictions()
    assert limits_of("non-commercial", "label").commerce
    assert limits_of("restricted", "label").doubt


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("http://creativecommons.org/licenses/by-nc-sa/3.0/", "CC BY-NC-SA 3.0"),
        ("https://creativecommons.org/licenses/bync/4.0/", "CC BY-NC 4.0"),
        ("https://creativecommons.org/licenses/BY/4.0", "CC BY 4.0"),
        ("https://creativecommons.org/licenses/by/3.0/igo/", "CC BY 3.0"),
        ("https://creativecommons.org/licenses/nc-sampling+/1.0/", RESTRICTED),
        ("https://creativecommons.org/licenses/", None),
        ("https://example.org/licenses/by/4.0", None),
    ],
)
def test_an_address_is_read_to_its_end(address, name):
    assert from_address(address) == name
