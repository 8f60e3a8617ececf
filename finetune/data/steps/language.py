"""Takes out what is not in a language that is wanted."""

from __future__ import annotations

from collections.abc import Iterable

from finetune.data.sources.data_source import LANGUAGE
from finetune.data.steps.step_result import AnyRecord, Dropped, Kept, StepResult, whole
from medassist.safety.language import is_foreign

ENGLISH = "en"
LOOKED_AT = 4000  # characters by which English is told from other languages


class LanguageStep:
    """Keeps what is in one of the languages.

    A record says its language itself, as JATS does. Of one that says none only English
    can be told from all others; where other languages are wanted too, it stays.
    """

    name = "language"

    def __init__(self, wanted: Iterable[str]) -> None:
        self._wanted = {_primary(each) for each in wanted}

    def __call__(self, record: AnyRecord) -> StepResult:
        said = _primary(record.meta.get(LANGUAGE, ""))
        if said:
            fits = said in self._wanted
            return Kept(record) if fits else Dropped(f"is in the language {said[:8]}")
        if self._wanted == {ENGLISH} and is_foreign(whole(record)[:LOOKED_AT]):
            return Dropped("is not in English, by its words")
        return Kept(record)


def _primary(language: str) -> str:
    """`en` of `en-GB`."""
    return language.strip().replace("_", "-").partition("-")[0].casefold()
