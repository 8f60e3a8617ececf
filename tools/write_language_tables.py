"""Write the tables by which a text in another language than English is told.

    MEDASSIST_DATA=folder .venv/bin/python tools/write_language_tables.py

`english.txt`: the words of our own English texts, of the rules and of the table of
doses, and the commonest words of the open articles in `pretrain-corpus` (NOTICE names
them; only words are taken, counted by the texts they stand in). `trigrams.txt`: three
letters in a row that tell English words from those of words.toml.
"""

from __future__ import annotations

import argparse
import json
import lzma
import math
import os
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import fill

ROOT = Path(__file__).parents[1]
SAFETY = ROOT / "medassist" / "safety"
FOLDER = SAFETY / "language"
COMMONEST = 14_000
"""Words of the articles that are taken."""
SURELY_ENGLISH = 2_500
"""Of a word that another language has too: how common it is in the articles at least.
Rarer ones stand there in names and titles (der, von, los)."""
SELDOM = 4
"""How often three letters come in a row at least, in all words together."""
IN_CASES, IN_ARTICLES = 3, 8
"""In how many of them a word of our cases stands that is no slip."""
_CAPITALS = re.compile(r"\b[^\W\da-z_]{2,}\b")
TELLING = 5
"""Tenths of a natural logarithm from which three letters are kept."""


def main() -> int:
    """Write both files and print their sizes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from medassist.safety.language.words import foreign_words

    data = Path(os.environ.get("MEDASSIST_DATA", ROOT.parent / "shared" / "data"))
    foreign = set(foreign_words())
    articles = article_words(data)
    commonest = [word for word, _ in articles.most_common(COMMONEST)]
    english = own_words(articles) | {
        word
        for rank, word in enumerate(commonest)
        if word not in foreign or rank < SURELY_ENGLISH
    }
    tables = {
        "english.txt": fill(" ".join(sorted(english)), 100, break_long_words=False),
        "trigrams.txt": fill(
            " ".join(f"{three}{n}" for three, n in trigrams(english, foreign)),
            100,
            break_on_hyphens=False,
        ),
    }
    for name, text in tables.items():
        head = "# Written by tools/write_language_tables.py.\n"
        (FOLDER / name).write_text(f"{head}{text}\n", encoding="utf-8")
        print(f"{name}: {(FOLDER / name).stat().st_size:,} bytes")
    return 0


def own_words(articles: Counter[str]) -> set[str]:
    """The words of our own English texts, of the rules and of the drugs.

    The cases hold slips of the pen: of their words those that stand in several cases
    or in the articles are taken.
    """
    from medassist.safety.drug_names import drugs
    from medassist.safety.language.words import words

    found: set[str] = set()
    for drug in drugs():
        found.update(words(" ".join((drug.name, *drug.row.also))))
    for text in _own_texts():
        # MIT is a licence, and no English word.
        found.update(words(_CAPITALS.sub(" ", text)))
    cases: Counter[str] = Counter()
    for file in (ROOT / "tests" / "safety" / "cases").glob("*.jsonl"):
        for line in file.read_text(encoding="utf-8").splitlines():
            text = json.loads(line)["text"]
            cases.update(set(words(_CAPITALS.sub(" ", text))))
    found |= {
        word
        for word, count in cases.items()
        if count >= IN_CASES or articles[word] >= IN_ARTICLES
    }
    return found


def _own_texts() -> Iterator[str]:
    files = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    files += [*(ROOT / "docs").glob("*.md")]
    files += [*(ROOT / "medassist" / "library" / "prompts").glob("*.md")]
    files.append(ROOT / "convert" / "verify" / "texts" / "medicine.txt")
    for file in files:
        yield file.read_text(encoding="utf-8")
    for file in (SAFETY / "red_flags").glob("*.toml"):
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        yield from _strings(table)


def _strings(value: object) -> Iterator[str]:
    """The strings of a table, without what is only the beginning of a word."""
    match value:
        case str():
            pieces = value.replace("/", " ").split()
            yield " ".join(piece for piece in pieces if not piece.endswith("*"))
        case dict():
            for inner in value.values():
                yield from _strings(inner)
        case list():
            for inner in value:
                yield from _strings(inner)
        case _:
            pass


def article_words(data: Path) -> Counter[str]:
    """The words of the open articles, and in how many texts each stands."""
    from medassist.safety.language.words import words

    file = data / "pretrain-corpus" / "pretrain_corpus.jsonl.xz"
    if not file.is_file():
        raise SystemExit(f"{file} is not there. Name the data with MEDASSIST_DATA.")
    counts: Counter[str] = Counter()
    with lzma.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            counts.update(set(words(json.loads(line)["text"])))
    return counts


def trigrams(english: set[str], foreign: set[str]) -> Iterable[tuple[str, int]]:
    """Three letters and how much they speak for another language, in tenths."""
    from medassist.safety.language.english import threes

    theirs = Counter(three for word in foreign - english for three in threes(word))
    ours = Counter(three for word in english - foreign for three in threes(word))
    all_theirs, all_ours = theirs.total(), ours.total()
    for three in sorted(theirs.keys() | ours.keys()):
        if theirs[three] + ours[three] < SELDOM:
            continue
        for_theirs = math.log((theirs[three] + 0.5) / all_theirs)
        for_ours = math.log((ours[three] + 0.5) / all_ours)
        tenths = round(10 * (for_theirs - for_ours))
        if abs(tenths) >= TELLING:
            yield three, tenths


if __name__ == "__main__":
    raise SystemExit(main())
