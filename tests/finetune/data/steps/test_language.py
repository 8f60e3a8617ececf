from __future__ import annotations

from finetune.data.prepared_records import Licence, TextRecord
from finetune.data.sources.data_source import CONCERN
from finetune.data.steps.language import LanguageStep
from finetune.data.steps.licences import LicenceStep
from finetune.data.steps.step_result import Dropped, Kept

ENGLISH = "The child coughs at night and has no fever, and nobody else is ill."
GERMAN = "Das Kind hustet in der Nacht und hat kein Fieber, und niemand ist krank."


def record(text: str, **meta: str) -> TextRecord:
    return TextRecord(
        id="1",
        source="pmc-oa",
        group="1",
        licence=Licence(name="CC BY 4.0", evidence="a link"),
        meta=meta,
        text=text,
    )


def test_only_the_languages_that_are_wanted_are_kept():
    english = LanguageStep(["en"])
    assert isinstance(english(record(ENGLISH, language="en-GB")), Kept)
    dropped = english(record(ENGLISH, language="pt-BR"))
    assert isinstance(dropped, Dropped) and dropped.reason == "is in the language pt"
    both = LanguageStep(["EN", "pt"])
    assert isinstance(both(record(ENGLISH, language="pt-BR")), Kept)


def test_of_what_says_no_language_english_is_told_from_the_rest():
    english = LanguageStep(["en"])
    assert isinstance(english(record(ENGLISH)), Kept)
    assert isinstance(english(record(GERMAN)), Dropped)
    assert isinstance(LanguageStep(["en", "de"])(record(GERMAN)), Kept)


def test_an_article_that_its_editors_doubt_is_left_out_unless_it_is_asked_for():
    doubted = record(ENGLISH, **{CONCERN: "related-article: expression-of-concern"})
    dropped = LicenceStep(["CC BY"])(doubted)
    assert isinstance(dropped, Dropped) and dropped.reason == CONCERN
    assert isinstance(LicenceStep(["CC BY", "Expression of Concern"])(doubted), Kept)
