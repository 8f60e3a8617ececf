"""Reasons and texts of the known sets, in words that a user reads."""

from __future__ import annotations

from tests.finetune.data.sources.test_sets import broken, read, write


def test_a_note_that_lacks_a_field_is_told_by_its_name(tmp_path):
    file = write(tmp_path / "a.json", [{"note_id": "1", "qa_pairs": []}, 7])
    lacks, other = broken(read("ehr-ds-qa", file))
    assert lacks.reason == "is no note of EHR-DS-QA: it has no `note`"
    assert "KeyError" not in other.reason and "its parts" in other.reason


def test_signs_of_a_trial_that_were_escaped_are_themselves(tmp_path):
    study = {
        "protocolSection": {
            "identificationModule": {"nctId": "NCT1", "briefTitle": "Rest \\& tea"},
            "descriptionModule": {"briefSummary": "Doses \\> 5 mg and C:\\new."},
            "eligibilityModule": {"eligibilityCriteria": "\\* Age \\>= 18 \\[years\\]"},
        }
    }
    (record,) = read("clinical-trials", write(tmp_path / "a.json", study))
    text = getattr(record, "text", "")
    assert text.startswith("Rest & tea\n\nDoses > 5 mg and C:\\new.")
    assert "* Age >= 18 [years]" in text
