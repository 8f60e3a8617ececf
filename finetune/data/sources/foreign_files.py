"""Files of other programs, told from their names, and what to make of them first."""

from __future__ import annotations

from pathlib import Path

from finetune.errors import FinetuneError

_FORMS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "a spreadsheet in a form that is not read here",
        "save it as .xlsx or as CSV",
        (".xls", ".xlsb", ".ods", ".numbers"),
    ),
    (
        "a table of a program for statistics",
        "export it as CSV or Parquet",
        (".sav", ".dta", ".sas7bdat", ".xpt", ".rds", ".rda", ".rdata", ".mat"),
    ),
    (
        "Python's own form of objects, which can run code when it is read",
        "save it as JSON lines or Parquet where it was made",
        (".pkl", ".pickle", ".joblib", ".pt", ".npy", ".npz"),
    ),
    (
        "an archive of a kind that is not read here",
        "unpack it, and give the folder",
        (".7z", ".rar"),
    ),
    (
        "a document with its layout",
        "save its text as .txt, or its table as CSV",
        (".pdf", ".doc", ".docx", ".odt", ".rtf", ".epub", ".html", ".htm"),
    ),
    (
        "a data base",
        "export the table as CSV",
        (".db", ".sqlite", ".sqlite3", ".mdb", ".accdb", ".sql"),
    ),
)


def refuse_foreign(file: Path) -> None:
    """See to it that a file is none of another program's.

    Raises:
        FinetuneError: it is; what it is, and what to make of it.
    """
    for what, to_do, endings in _FORMS:
        if file.name.lower().endswith(endings):
            raise FinetuneError(f"{file} is {what}; {to_do}")
