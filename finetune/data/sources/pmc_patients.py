"""PMC-Patients: summaries of patients out of case reports.

JSON (a list) or CSV: patient_id, patient_uid, PMID, file_path, title, patient, age,
gender, relevant_articles, similar_patients.
https://github.com/pmc-patients/pmc-patients
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.data.prepared_records import Licence, TextRecord
from finetune.data.sources.csv_rows import csv_rows
from finetune.data.sources.data_source import Broken, Read, SourceInfo
from finetune.data.sources.inputs import compressed, inputs
from finetune.data.sources.json_items import json_items

NAME = "pmc-patients"
WHAT = "PMC-Patients"
COLUMNS = ("patient_uid", "PMID", "patient")
LICENCE = Licence(
    name="CC BY-NC-SA 4.0", evidence="the set's page: CC BY-NC-SA 4.0 for the whole set"
)


@dataclass(frozen=True)
class PmcPatients:
    """The summaries as running text; the patients of an article stay together."""

    def files(self, root: Path) -> list[Path]:
        return inputs(root, compressed(".json", ".csv"), WHAT)

    def read(self, file: Path) -> Iterator[Read]:
        if ".csv" in file.name.lower():
            for row in csv_rows(file, COLUMNS, WHAT):
                yield row if isinstance(row, Broken) else _record(row.cells)
            return
        for number, row in json_items(file, WHAT):
            if isinstance(row, dict) and all(name in row for name in COLUMNS):
                yield _record(row)
            else:
                reason = f"has not the fields {', '.join(COLUMNS)}"
                yield Broken(f"item {number}", str(file), reason)


def _record(row: Mapping[str, Any]) -> TextRecord:
    uid, pmid = str(row["patient_uid"]), str(row["PMID"]).removesuffix(".0")
    every = {
        "pmid": pmid,
        "gender": str(row.get("gender") or ""),
        "age": _age(row.get("age")),
    }
    return TextRecord(
        id=uid,
        source=NAME,
        group=pmid or uid.partition("-")[0],
        licence=LICENCE,
        title=str(row.get("title") or ""),
        meta={name: value for name, value in every.items() if value},
        text=str(row["patient"] or ""),
    )


def _age(found: Any) -> str:
    """`[[3.0, "year"], [2.0, "month"]]`, in CSV as its text, as `3 year 2 month`."""
    if isinstance(found, str):
        try:
            found = ast.literal_eval(found)
        except (ValueError, SyntaxError):
            return ""
    try:
        return " ".join(f"{float(value):g} {unit}" for value, unit in found or ())
    except (TypeError, ValueError):
        return ""


INFO = SourceInfo(
    name=NAME,
    title=WHAT,
    about="167,000 summaries of patients out of case reports in PubMed Central; JSON "
    "or CSV.",
    licence=LICENCE.name,
    terms="Not for commercial use, so it is left out unless you allow CC BY-NC-SA. The "
    "articles that it quotes have licences of their own.",
    kind="text",
    open_source=PmcPatients,
    fetch="hub",
)
