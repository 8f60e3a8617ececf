"""EHR-DS-QA: questions about discharge summaries of MIMIC-IV, with answers.

A list in JSON: original_id, note, qa_pairs [{question, answer}], extended_context,
note_id, subject_id, hadm_id, note_type, note_seq, charttime, storetime. The verified
file has `correct` and `human_verified` beside each question.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.data.prepared_records import Licence
from finetune.data.sources.data_source import Broken, Read, SourceInfo, unlike
from finetune.data.sources.dialogue import dialogue
from finetune.data.sources.inputs import compressed, inputs
from finetune.data.sources.json_items import json_items

NAME = "ehr-ds-qa"
WHAT = "EHR-DS-QA"
LICENCE = Licence(
    name="PhysioNet Credentialed Health Data License 1.5.0",
    evidence="derived from MIMIC-IV, which PhysioNet gives to credentialed users",
)
_YES, _NO = ("true", "yes", "1", "correct"), ("false", "no", "0", "incorrect")


@dataclass(frozen=True)
class EhrDsQa:
    """Each question under its note; a patient's notes stay together.

    Attributes:
        verified: only answers that were checked and found correct.
        context: what stands before the question: `note`, or `extended` for the
            note with what the set adds to it.
    """

    verified: bool = False
    context: str = "note"

    def files(self, root: Path) -> list[Path]:
        return inputs(root, compressed(".json"), WHAT)

    def read(self, file: Path) -> Iterator[Read]:
        for number, row in json_items(file, WHAT):
            yield from self._questions(f"item {number}", row, file)

    def _questions(self, place: str, row: Any, file: Path) -> Iterator[Read]:
        try:
            key = str(row.get("note_id") or row.get("original_id") or place)
            pairs = row["qa_pairs"]
            note = str(row["note"] or "")
            if self.context == "extended" and row.get("extended_context"):
                note = str(row["extended_context"])
            patient = str(row.get("subject_id") or "")
        except (KeyError, TypeError, AttributeError) as error:
            yield Broken(place, str(file), unlike(f"note of {WHAT}", error))
            return
        meta = {
            name: str(row[name])
            for name in ("hadm_id", "note_type", "charttime")
            if row.get(name)
        }
        for number, pair in enumerate(pairs or ()):
            name = f"{key}-{number}"
            if not isinstance(pair, dict) or "question" not in pair:
                yield Broken(name, str(file), "is no question with an answer")
                continue
            correct = _flag(pair.get("correct", row.get("correct")))
            if correct is False:
                yield Broken(name, str(file), "its answer was checked and is wrong")
                continue
            if self.verified and not correct:
                yield Broken(name, str(file), "its answer was not checked")
                continue
            question = str(pair["question"] or "")
            yield dialogue(
                NAME,
                name,
                f"{note}\n\n{question}" if note and question else "",
                str(pair.get("answer") or ""),
                LICENCE,
                group=patient or key,
                meta=meta,
            )


def _flag(found: Any) -> bool | None:
    said = str(found).strip().lower()
    return True if said in _YES else False if said in _NO else None


INFO = SourceInfo(
    name=NAME,
    title=WHAT,
    about="156,599 questions about discharge summaries of MIMIC-IV with answers; JSON.",
    licence=LICENCE.name,
    terms="Credentialed: it is read from your own copy from PhysioNet only. Its data "
    "use agreement forbids sharing it, sending it to services of others, and seeking "
    "who the patients are; a model trained on it falls under the same agreement.",
    kind="dialogue",
    open_source=EhrDsQa,
    options=("verified", "context"),
)
