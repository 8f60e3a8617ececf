"""Addresses, towns and institutions, in English, German, French and Spanish."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from medassist.safety.identifiers import name_words
from medassist.safety.identifiers.text_page import Found, TextPage
from medassist.safety.letters import CAPITAL, SMALL, folded, shape

FOLDER: Final = Path(__file__).parent
_NAME: Final = (
    rf"[{CAPITAL}](?<!\w[{CAPITAL}])(?:[^\W\d_]|['\u2019-](?=[^\W\d_])){{1,25}}(?!\w)"
)
_TOWN: Final = (
    rf"(?:(?:Saint|St\.?|San|Santa|Bad|La|Le|Los|Las|El)[ -])?{_NAME}"
    rf"(?:[ -](?:(?:am|an der|ob der|im|de la|de los|de|del|sur|sous|en|la|le|upon"
    rf"|on|of) )?"
    rf"{_NAME}){{0,3}}"
)
_POSTCODE: Final = re.compile(r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}(?!\w)")
_BEFORE_POSTCODE: Final = re.compile(
    rf"(?:(?:Flat|Apt|Unit|Suite) \w{{1,5}}, )?(?:{_NAME}(?: {_NAME}){{0,2}}, ){{0,3}}"
    rf"(?:{_NAME}(?: {_NAME})?,? )?$"
)
_CITY_STATE: Final = re.compile(
    rf"(?P<city>{_NAME}(?: {_NAME}){{0,2}}), (?P<state>[A-Z]{{2}})(?!\w)"
)
# "Address: Behind the Yard 7, 24103 Kiel"
_ADDRESSED: Final = re.compile(
    r"(?<!\w)(?i:wohnhaft|wohnt|anschrift|adresse|address|domicile|demeurant|domicilio"
    r"|direcci\u00f3n)(?: (?:in|\u00e0|en))?[: ]{1,3}"
    rf"(?P<it>[^\n;:]{{4,60}}?(?<!\w)\d{{4,5}} {_TOWN})"
)
# "cc: Dr Keller, Port Ellery"
_COPY: Final = re.compile(
    rf"(?<!\w)[cC][cC]:? (?:[A-Z][a-z]{{1,8}}\.? )?{_NAME}(?: {_NAME}){{0,2}}, "
    rf"(?P<it>{_TOWN})"
)
_CANADIAN: Final = r"[A-CEGHJ-NPR-TVXY]\d[A-Z] ?\d[A-Z]\d"
_IN_NAMES: Final = (
    r"(?:de la|de los|de las|de l['\u2019]|des|du|del|de|d['\u2019]|la|le|los)"
)


@cache
def table() -> dict[str, Any]:
    """Contents of places.toml."""
    return tomllib.loads((FOLDER / "places.toml").read_text(encoding="utf-8"))


@cache
def towns() -> frozenset[str]:
    """Towns of the world, in small letters and without their marks."""
    rows = (FOLDER / "towns.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(row for row in rows if not row.startswith("#"))


def _words(name: str) -> str:
    words = sorted(map(shape, table()[name].split()), key=len, reverse=True)
    return "|".join(re.escape(word) for word in words)


@cache
def _forms() -> tuple[tuple[re.Pattern[str], bool], ...]:
    flat = r"(?:Flat|Apt|Apartment|Unit|Suite|Ste|No\.?|Apto\.?)"
    zips = (
        rf"(?:,? {_TOWN})?(?:,? [A-Z]{{2,3}}(?!\w))?"
        rf"(?:,? \d{{4,5}}(?:-\d{{4}})?(?![\w/]))?"
    )
    postcode = _POSTCODE.pattern
    english = (
        rf"(?:{flat} ?[\w/]{{1,6}}(?:, |/| ))?(?<![\w./])\d{{1,5}}"
        rf"(?:/\d{{1,4}})?[A-Za-z]?"
        rf"(?:st|nd|rd|th)? "
        rf"(?:(?:[NSEW]|North|South|East|West)\.? )?(?:{_NAME} ){{0,3}}"
        rf"(?:{_words('streets')})"
        rf"(?!\w)\.?(?: (?:NW|NE|SW|SE|[NSEW])(?!\w))?(?:,? {flat}\.? ?#?\w{{1,5}}"
        rf"|,? #\w{{1,5}})?"
        rf"(?:,? (?:{_words('states-australia')}) \d{{4}}|{zips})(?:,? {postcode})?"
    )
    german = (
        rf"(?:(?:(?:Am|An de[rn]|Im|In de[rn]|Zu[mr]|Auf de[rm]|Hinter de[rm]|Unter den"
        rf"|Vor dem|Alte|Neue)"
        rf" (?:(?:Alten|Neuen|Hohen|Gro\u00dfen|Kleinen|Oberen|Unteren) )?{_NAME}"
        rf"|(?:Stra\u00dfe|Strasse|Platz|Allee|Weg) (?:des|der|am|zum|zur|im)"
        rf" (?:\d{{1,2}}\. )?{_NAME}(?: {_NAME})?"
        rf"|(?:{_NAME}[ -]){{0,2}}[{CAPITAL}](?<!\w[{CAPITAL}])[{SMALL}]{{1,24}}"
        rf"(?:{_words('streets-german')})"
        rf"|{_NAME}(?:er|s)?[ -](?:Stra\u00dfe|Strasse|Str\.|Weg|Platz|Allee|Gasse"
        rf"|Ring)))"
        rf" \d{{1,4}}(?: ?[a-z](?!\w))?(?:/\d{{1,3}}){{0,3}}"
        rf"(?:, ?(?:[DAF]-|CH-)?\d{{4,5}} {_TOWN})?(?![\w/])"
    )
    french = (
        rf"(?<!\w)\d{{1,4}}(?: ?(?:bis|ter|quater))?,? (?:{_words('streets-french')}) "
        rf"(?:{_IN_NAMES} ?)?{_NAME}(?:[ -](?:{_IN_NAMES} ?)?{_NAME}){{0,3}}"
        rf"(?:,? (?:F-)?\d{{5}} {_TOWN}"
        rf"|,? {_TOWN}(?: \([^\W\d_]{{4,16}}\)|,? [A-Z]{{2}})?,? {_CANADIAN})?"
    )
    # Belgium, Switzerland and Luxembourg write the number after the street.
    french_after = (
        rf"(?<!\w)(?:{_words('streets-french')}) (?:{_IN_NAMES} ?)?{_NAME}"
        rf"(?:[ -](?:{_IN_NAMES} ?)?{_NAME}){{0,3}},? \d{{1,4}} ?[a-z]?(?!\w)"
    )
    numbered = (
        r"(?<!\w)(?:[Cc]alle|C/|Cll?\.?|[Cc]arrera|Cra\.?|Kra?\.?|Diagonal|Dg\.?"
        r"|Transversal|Tv\.?|Avenida|Av\.?) ?\d{1,3} ?[A-Z]?(?: (?:[Bb]is|[Ss]ur"
        r"|[Nn]orte))? ?(?:#|[Nn]o\.?|[Nn]\.?[\u00ba\u00b0]) ?\d{1,3} ?[A-Z]?"
        rf" ?- ?\d{{1,3}}(?:,? {_TOWN})?"
    )
    spanish = (
        rf"(?<!\w)(?:{_words('streets-spanish')}) ?(?:{_IN_NAMES} )?{_NAME}"
        rf"(?: (?:{_IN_NAMES} )?{_NAME}){{0,3}},? (?:n\.?[\u00bao\u00b0] ?)?\d{{1,4}}"
        rf"(?:, ?\d{{1,2}} ?[\u00ba\u00aa] ?(?:izq\.?|izda\.?|dcha\.?|int\.?"
        rf"|[A-Z]{{0,5}}))?(?:, ?\d{{5}} {_TOWN}"
        rf"|, {_TOWN})?"
    )
    return tuple(
        (re.compile(form), sure)
        for form, sure in (
            (english, True),
            (german, True),
            (french, True),
            (spanish, True),
            (rf"{french_after},? (?:[BFL]-|CH-)?\d{{4}} {_TOWN}", True),
            (french_after, False),
            (numbered, True),
            (rf"(?<!\w){_CANADIAN}(?!\w)", True),
            (
                rf"(?<!\w)(?:Col\.|Colonia|Fracc\.|Fraccionamiento|Urb\.|Urbanizaci\u00f3n)"
                rf" (?:{_IN_NAMES} )?{_NAME}(?: (?:{_IN_NAMES} )?{_NAME}){{0,2}}",
                False,
            ),
            (rf"(?<![\w-])(?:[DAF]-|CH-)?\d{{4,5}} {_TOWN}(?=[.,;\n]|$)", False),
            (rf"{_NAME}(?: {_NAME})?,? [A-Z]{{2}},? \d{{5}}(?:-\d{{4}})?(?!\w)", True),
            (
                rf"{_NAME}(?: {_NAME})?,? (?:{_words('states-australia')}),? \d{{4}}"
                rf"(?!\w)",
                True,
            ),
            (
                r"(?<!\w)(?:ZIP|zip|[Pp]ost ?code|PLZ|[Cc]ode postal|C\.?P\.?)"
                r"(?: code)?"
                r"[: ]{1,3}\d{4,5}(?:-\d{4})?(?!\w)",
                True,
            ),
            (rf"(?<!\w)(?:P\.?O\.? ?[Bb]ox|Box|Postfach) \d{{1,6}}(?!\w){zips}", True),
            (
                r"(?<!\w)(?:(?:Rural Route|Star Route|County Road) #?\d{1,4}"
                r"(?:,? [Bb]ox \d{1,6})?|(?:RR|R\.R\."
                r"|HC) ?#?\d{1,4},? [Bb]ox \d{1,6})(?!\w)",
                True,
            ),
        )
    )


def _after(phrases: list[str]) -> dict[str, list[re.Pattern[str]]]:
    """For the first word of each phrase: a pattern of the place after it."""
    by_first: dict[str, list[str]] = {}
    for phrase in phrases:
        by_first.setdefault(folded(phrase.split()[0]), []).append(shape(phrase))
    return {
        first: [
            re.compile(
                rf"(?i:{'|'.join(sorted(listed, key=len, reverse=True))})(?!\w):? "
                rf"(?:the |der |dem |den )?(?P<it>{_TOWN})"
            )
        ]
        for first, listed in by_first.items()
    }


@cache
def _named() -> tuple[
    dict[str, list[re.Pattern[str]]],
    dict[str, list[re.Pattern[str]]],
    re.Pattern[str],
    re.Pattern[str],
    re.Pattern[str],
]:
    last = f"{_words('institutions')}|{_words('institutions-known-by-name')}"
    return (
        _after(table()["before"]),
        _after(table()["before-unknown"]),
        re.compile(
            rf"(?:St\.? )?(?:{_NAME}(?:'s|\u2019s)? ){{1,3}}(?:{last})(?!\w)"
            rf"(?: (?:{last}|Center|Centre|Home)(?!\w)){{0,2}}"
        ),
        re.compile(
            rf"(?<!\w)(?:{_words('institutions-first')}) (?:{_IN_NAMES} ?|in |am )?"
            rf"(?:(?:{_NAME}|{_IN_NAMES})[ -]){{0,4}}{_NAME}"
        ),
        re.compile(rf"(?<!\w)(?:{_words('landmarks')}) (?:of )?(?P<it>{_NAME})"),
    )


@cache
def _never() -> frozenset[str]:
    return frozenset(table()["never"].split())


def find(page: TextPage) -> Iterator[Found]:
    """The places of `page`, but for towns that no word announces."""
    form = page.form
    for pattern, sure in _forms():
        for match in pattern.finditer(form):
            yield "PLACE", *match.span(), sure
    yield from _with_codes(form)
    announced, unknown, institution, institution_first, landmark = _named()
    for word in page.words:
        for pattern in announced.get(word.key, ()):
            match = pattern.match(form, word.start)
            if match is not None and match["it"].split()[0] not in _never():
                yield "PLACE", *match.span("it"), True
        for pattern in unknown.get(word.key, ()):
            match = pattern.match(form, word.start)
            if match is not None and not name_words.is_known(match["it"]):
                yield "PLACE", *match.span("it"), False
    for pattern in (_COPY, _ADDRESSED):
        for match in pattern.finditer(form):
            yield "PLACE", *match.span("it"), pattern is _ADDRESSED
    for match in institution.finditer(form):
        first = match.group().split()[0]
        words = match.group().split()
        soft = words[-1] in _known_by_name() and words[-2] not in _known_by_name()
        if soft and name_words.is_known(" ".join(words[:-1])):
            continue
        if first not in _never() and folded(first) not in name_words.never():
            whose = "'s " in match.group() or "\u2019s " in match.group()
            yield "PLACE", *match.span(), whose or match.group().count(" ") > 1
    for match in landmark.finditer(form):
        if not name_words.is_known(match["it"]):
            yield "PLACE", *match.span(), False
    for match in institution_first.finditer(form):
        if not name_words.is_known(match.group().rsplit(" ", 1)[-1]):
            yield "PLACE", *match.span(), False


@cache
def _known_by_name() -> frozenset[str]:
    return frozenset(table()["institutions-known-by-name"].split())


def _with_codes(form: str) -> Iterator[Found]:
    """Post codes of Britain with what stands before them, and a town with its state."""
    for match in _POSTCODE.finditer(form):
        start = match.start()
        if start and form[start - 1].isalnum():
            continue
        before = _BEFORE_POSTCODE.search(form, max(0, start - 70), start)
        yield "PLACE", before.start() if before else start, match.end(), True
    for match in _CITY_STATE.finditer(form):
        if match["state"] in _states() and is_town(match["city"]):
            yield "PLACE", *match.span(), False


@cache
def _states() -> frozenset[str]:
    return frozenset(table()["states"].split())


def is_town(name: str) -> bool:
    """Whether `name` is on the list of towns."""
    key = folded(name).replace("-", " ").replace("\u2019", "'")
    return key in towns() and key not in name_words.keys("things")


@cache
def loosely_before() -> frozenset[str]:
    """Small words after which a town may stand, and much else."""
    return frozenset(map(folded, table()["loosely-before"].split()))
