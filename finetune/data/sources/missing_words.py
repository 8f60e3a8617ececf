"""Words that stand in a cell where nothing is known.

They are those that pandas reads as missing, and writes into files that it makes: a
column of answers exported by it says `nan` where there was none. A dash alone, which
people write for it, is one too. Known data sets are
not held against them: in a note, "None" can be all that is said of allergies.
https://pandas.pydata.org/docs/reference/api/pandas.read_csv.html (`na_values`)
"""

from __future__ import annotations

DASHES = ("-", "--", "\u2013", "\u2014")
WORDS = frozenset(
    (
        *("#N/A", "#N/A N/A", "#NA", "<NA>", "N/A", "NA", "n/a"),
        *("NULL", "null", "None"),
        *("NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
        *DASHES,
    )
)


def is_missing(cell: str) -> bool:
    """Whether the whole of a cell is such a word."""
    return len(cell) < 20 and cell.strip() in WORDS
