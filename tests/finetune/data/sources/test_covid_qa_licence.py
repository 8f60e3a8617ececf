"""The line on the licence at the head of an article is read to its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finetune.data.recipe import ALLOWED_LICENCES
from finetune.data.sources.covid_qa import CovidQa
from finetune.data.sources.data_source import Broken
from finetune.data.steps.licences import LicenceStep


@pytest.mark.parametrize(
    ("line", "used"),
    [
        ("License: cc-by", True),
        ("License:cc-by  \r", True),
        ("License: cc-by (non-commercial)", False),
        ("License: cc-by, research use only", False),
        ("License: CC BY for members", False),
    ],
)
def test_a_restriction_behind_the_licence_is_not_cut_away(
    tmp_path: Path, line: str, used: bool
) -> None:
    context = f"Title: Of a virus\n\n{line}\n\nText: It spread slowly in 3 towns."
    answer = {"text": "slowly", "answer_start": context.index("slowly")}
    question = {"id": 1, "question": "How did it spread?", "answers": [answer]}
    paragraph = {"context": context, "qas": [question]}
    file = tmp_path / "covid-qa.json"
    file.write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}), "utf-8")
    (record,) = CovidQa().read(file)
    assert not isinstance(record, Broken)
    assert LicenceStep(ALLOWED_LICENCES).decide(record).used is used
