"""ClinicalTrials.gov: what each trial is for, and who can take part.

JSON of the API, version 2: one study, a page of them ({studies: [...]}), a list, JSON
lines, or the zip with a file a study. https://clinicaltrials.gov/data-api/api
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.data.prepared_records import Licence, TextRecord
from finetune.data.sources.archive import documents
from finetune.data.sources.data_source import Broken, Read, SourceInfo
from finetune.data.sources.inputs import compressed, inputs
from finetune.data.sources.json_items import json_items
from finetune.data.sources.packed import TARS, is_archive
from finetune.data.sources.text_lines import lines

NAME = "clinical-trials"
WHAT = "ClinicalTrials.gov"
PARTS = ("summary", "description", "eligibility")
# The registry's texts are Markdown, in which a sign that means itself has a backslash:
# "age \>= 18".
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
LICENCE = Licence(
    name="public domain",
    evidence="registry of the U.S. National Library of Medicine, free to all by its "
    "terms; texts by the trials' sponsors",
)


@dataclass(frozen=True)
class ClinicalTrials:
    """The trials as running text.

    Attributes:
        parts: what is taken: summary, description, eligibility.
    """

    parts: tuple[str, ...] = PARTS

    def files(self, root: Path) -> list[Path]:
        return inputs(root, (*compressed(".json", ".jsonl"), ".zip", *TARS), WHAT)

    def read(self, file: Path) -> Iterator[Read]:
        for place, study in _studies(file):
            yield (
                study if isinstance(study, Broken) else self._record(place, study, file)
            )

    def _record(self, place: str, study: Any, file: Path) -> TextRecord | Broken:
        try:
            protocol = study["protocolSection"]
            names = protocol["identificationModule"]
            key = str(names["nctId"])
        except (KeyError, TypeError):
            reason = "is no study: no protocolSection.identificationModule.nctId"
            return Broken(place, str(file), reason)
        description = _part(protocol, "descriptionModule")
        design = _part(protocol, "designModule")
        eligibility = _part(protocol, "eligibilityModule")
        conditions = _part(protocol, "conditionsModule").get("conditions") or []
        named = str(names.get("officialTitle") or names.get("briefTitle") or "")
        title = _ESCAPE.sub(r"\1", named)
        texts = {
            "summary": str(description.get("briefSummary") or ""),
            "description": str(description.get("detailedDescription") or ""),
            "eligibility": _eligibility(eligibility),
        }
        wanted = [
            _ESCAPE.sub(r"\1", texts[part]).strip()
            for part in PARTS
            if part in self.parts
        ]
        every = {
            "conditions": ", ".join(map(str, conditions)),
            "phases": ", ".join(map(str, design.get("phases") or [])),
            "has_results": "yes" if study.get("hasResults") else "no",
        }
        text = "\n\n".join(each for each in wanted if each)
        return TextRecord(
            id=key,
            source=NAME,
            group=key,
            licence=LICENCE,
            title=title,
            meta={name: value for name, value in every.items() if value},
            text=f"{title}\n\n{text}".strip() if text else "",
        )


def _studies(file: Path) -> Iterator[tuple[str, Any]]:
    if is_archive(file):
        for member in documents(file, (".json",)):
            if isinstance(member, Broken):
                yield member.id, member
                continue
            try:
                yield member.name, json.loads(member.content)
            except (ValueError, RecursionError) as error:
                reason = f"is no JSON: {error}"
                yield member.name, Broken(member.name, str(file), reason)
        return
    if ".jsonl" in file.name.lower():
        for line in lines(file):
            place = f"line {line.number}"
            if line.problem:
                yield place, Broken(place, str(file), line.problem)
            elif line.text.strip():
                try:
                    yield place, json.loads(line.text)
                except (ValueError, RecursionError):
                    yield place, Broken(place, str(file), "is no JSON")
        return
    protocol: dict[str, Any] = {}
    for key, value in json_items(file, WHAT):
        if key == "studies" and isinstance(value, list):
            yield from ((f"study {n}", study) for n, study in enumerate(value))
        elif key.isdigit():
            yield f"study {key}", value
        elif key in ("protocolSection", "hasResults"):
            protocol[key] = value
    if "protocolSection" in protocol:
        yield file.stem, protocol


def _part(protocol: Any, name: str) -> dict[str, Any]:
    found = protocol.get(name)
    return found if isinstance(found, dict) else {}


def _eligibility(module: dict[str, Any]) -> str:
    criteria = str(module.get("eligibilityCriteria") or "").strip()
    if not criteria:
        return ""
    who = {
        "Ages": " to ".join(
            str(module[name])
            for name in ("minimumAge", "maximumAge")
            if module.get(name)
        ),
        "Sex": str(module.get("sex") or "").capitalize(),
    }
    said = "; ".join(f"{name}: {value}" for name, value in who.items() if value)
    return f"Who can take part\n\n{criteria}\n\n{said}".strip()


INFO = SourceInfo(
    name=NAME,
    title=WHAT,
    about="Registered trials: summary, description, who can take part; JSON of the API "
    "(v2) or the zip of all studies.",
    licence=LICENCE.name,
    terms="",
    kind="text",
    reads_archives=True,
    open_source=ClinicalTrials,
    options=("parts",),
    fetch="ctgov",
)
