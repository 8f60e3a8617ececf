"""Sentences of every face of a consultation, whatever draws it. No keys in here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from medassist.consult.differences import Fact
    from medassist.consult.verdict import Choice

# The intended use
BEFORE_YOU_BEGIN: Final = "Before you begin"
UNDERSTOOD: Final = "I understand"

# Red flags
RED_FLAG: Final = "RED FLAG"
RED_FLAGS: Final = "Red flags"
NOT_ENGLISH: Final = "NOT ENGLISH"
ABOUT_FLAGS: Final = (
    "Fixed rules found this in what you wrote, before any model was asked. They remind "
    "and do not decide, and they miss things."
)
MARK_AS_READ: Final = "Mark as read"
MARKED_AS_READ: Final = "(marked as read)"
RAISED_BY: Final = "Raised by {words}"
RULE: Final = "Rule {id}, {field}. Source: {source}"

# Answers
OFFLINE: Final = "OFFLINE"
WHOLE: Final = "whole answer"
NOT_WHOLE: Final = "not whole"
NAME_HIDDEN: Final = "name hidden"
LEFT_OUT: Final = "no longer sent"
DOES_NOT_FIT: Final = "Pane {letter} would be asked with {tokens} tokens; {fits} fit."
CHECK: Final = "Check: "
ENDED_THINKING: Final = "the model thought, and gave no answer"
ENDED_SILENT: Final = "the model ended without a word"
BROKE_OFF: Final = "the models stopped here by themselves"
BROKE_OFF_EARLY: Final = "the models stopped by themselves, before the first word"
STOPPED: Final = "stopped"
STOPPED_EARLY: Final = "stopped before the first word"

# Verdicts
WHICH_IS_BETTER: Final = "Which answer is better?"
WHY: Final = "Why, if you like:"
CHOICES: Final[dict[Choice, str]] = {
    "A": "A is better",
    "B": "B is better",
    "tie": "a tie",
    "both poor": "both are poor",
}
VERDICT_GIVEN: Final = "Verdict given."
GIVEN_BLIND: Final = (
    "The verdict on this question was given before the names were seen, and stays."
)

# Differences
APART: Final[dict[str, str]] = {
    "dose": "doses",
    "number": "numbers",
    "negation": "negations",
}
"""Subjects in which two answers contradict each other."""
DIFFERENCES: Final = "Differences"
BY_WORDING: Final = "By wording, not by meaning."
HEADS: Final[dict[Fact, str]] = {
    "dose": "Doses that differ",
    "number": "Numbers that differ",
    "negation": "Negations that differ",
}
NONE_DIFFERS: Final = (
    "No dose, number or negation was found to differ. That says nothing of whether "
    "they are right."
)
BY_SENTENCE: Final = "Sentence by sentence"
NOTHING_LIKE_IT: Final = "says nothing like it"

# Identifiers
LOOKS_LIKE_ONE: Final = "looks like one"
CANNOT_READ: Final = "The rules cannot read this"
MAY_TELL: Final = "This may tell who the patient is ({count})"

# Export
EXPORT: Final = "Export this consultation"
WHAT_IS_IN_IT: Final = (
    "Questions, red flags that were shown, the answers of both models with their files "
    "and settings, and verdicts. The file is not encrypted"
)
DRAFT: Final = "It will say DRAFT, UNREVIEWED."
WITH_THOUGHTS: Final = "With what the models thought before they answered"


def differences(summary: str) -> str:
    """The title, once the answers are compared."""
    return f"{DIFFERENCES}: {summary}. {BY_WORDING}"


def about_identifiers(done: str, found: bool) -> str:
    """Sentences on what the list of identifiers is, and is not.

    Args:
        done: what happens to the text: saved, exported, sent.
        found: the rules found something.
    """
    if found:
        return (
            f"Rules found this in what is to be {done}. They miss things: with these "
            "replaced a text is not de-identified."
        )
    return (
        f"Rules found nothing in what is to be {done}. Read it yourself before you let "
        "it out."
    )
