"""Sentences of the consult screen beside its panes. No widgets in here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from medassist.consult.answer import Source
from medassist.consult.sides import Sides
from medassist.core.errors import CauseOfDeath
from medassist.core.values import PaneName, Thinking, TooLong
from medassist.core.words import plural, size
from medassist.session import wording as shared
from medassist.session.pair_engine import Wider
from medassist.session.wording import GIVEN_BLIND as GIVEN_BLIND
from medassist.session.wording import NOT_ENGLISH as NOT_ENGLISH
from medassist.session.wording import OFFLINE as OFFLINE
from medassist.session.wording import RED_FLAG as RED_FLAG
from medassist.session.wording import VERDICT_GIVEN as VERDICT_GIVEN
from medassist.tui.wording.pane import joined, model, name

STILL_WRITING = "The answers are still being written; {stop} stops them."
NO_QUESTION = "There is no question yet."
NOTHING_YET = "There is no consultation yet."
FROM_THE_NEXT = "This holds from the next question on."
TOO_SMALL = (
    "Please make the window larger: at least {width} by {height}. Nothing is lost."
)

# Asking
WRITE_FIRST = "Write a question first."
NO_PLACE = "There is no place to fill in."
TOO_LONG = "This does not fit"
NEW = (
    "New consultation",
    "This consultation is not saved. A new one takes its place.",
    "Begin anew",
    "Go on with this",
)
NO_FLAG = "No rule found a red flag in this consultation. Rules miss things."

# Reading
ONE_PANE = "There is one pane only."
NO_ROOM_TO_GO_ON = (
    "There is no room left in the context to go on with this answer. {more_context} "
    "loads the models with more context, where they allow it."
)
NO_OTHER_ANSWER = (
    "There is no other answer to the last question; {regenerate} makes one."
)
NO_PART_TO_COPY = "There is no table and no code in the last answer."
NOTHING_TO_COPY = "There is no answer to copy yet."
NO_ANSWER = "There is no answer yet."
NO_MORE_WARNINGS = "Every warning below the answers stands there in full."
DETAILS_HIDDEN = "The details are hidden until the verdict ({verdict})."

# The models
STARTED_AGAIN = "The models' process had ended; it is started again."
NOT_LOADED = "The models are not loaded; choose others or start them again."
NOT_LOADED_YET = "The models are not loaded yet."
NO_THINKING_SWITCH = (
    "The chat templates of these models do not let one choose whether they think first."
)
THINKING: dict[Thinking, str] = {
    "on": "The models think before they answer.",
    "off": "The models answer without thinking first.",
}
THINKING_SHORT: dict[Thinking, str] = {"on": "thinking", "off": "not thinking"}
NO_MORE_CONTEXT = "The models are loaded with all the context that they allow."
FOCUS_A_PANE = (
    "Go to the pane that is to have another model first: {next_pane} goes there."
)
NO_OTHER_MODEL = (
    "There is no other model on this computer for this pane; {models} imports one."
)
RUNNING = "The models are running."
ENDED: dict[CauseOfDeath, str] = {
    "memory": "The models have stopped, most likely because this computer ran out of "
    "memory. Close other programs or choose smaller models, then start them again.",
    "file": "The models have stopped, most likely because a file of theirs is damaged. "
    "Start them again; if they stop again, choose other models.",
    "program": "The models have stopped, since this program was changed on the disk "
    "while it ran. Quit it and start it again.",
    "unknown": "The models have stopped by themselves. Start them again; if they stop "
    "again, choose other models.",
}
"""What has happened to models that were answering, and what to do."""
KEPT = "What they wrote is kept."
MORE_OF_IT = "{key} says more."
MODELS_STAY = "While names are hidden the models stay: {verdict} or {new} first."
RESTART = "Start the models again"
CHOOSE = "Choose other models"

# Comparing
HAS_BEGUN = "This consultation has begun; with {new} another one can be blind."
NOTHING_TO_COMPARE = "There is one pane only: nothing to compare."
BLIND = (
    "Blind: names, speed and length are hidden until {verdict}. The sides are drawn at "
    "random."
)
NAMES_SHOWN = "Names are shown."
NOT_BOTH = "A verdict needs an answer of both models to the last question."
SAME = (
    "Both panes show the same answer, taken over from one of them; {earlier_answer} "
    "shows the other's own again."
)
BOTH_FIRST = "Both models have to answer before they can be compared."
COMPOSER_FULL = "There is something in the composer; send it or clear it first."
ONE_BRANCH = "There is one branch only; {edit} edits a question."
WHICH_PANE = "Go to the pane whose answer shall stand in both ({next_pane})."
NO_ANSWER_HERE = "There is no answer in this pane to go on with."
GOES_ON = "The next question is asked with the answer of {letter} in both."

# The records
SWITCHED_OFF = (
    'Records are switched off: settings.toml says records = "never". Nothing of a '
    "consultation is written to the disk."
)
IS_SAVED = "This consultation is being saved, encrypted."
SAVED_FROM_NOW = "Consultations are saved from now on, encrypted."
NO_RECORDS = "There are no records yet; saving begins them."
NO_FOLDER = (
    "The folder of the records cannot be made: {why}. The consultation goes on unsaved."
)
SEALED_ANEW = "The passphrase is changed."
SIGNED_OFF = "Signed off as reviewed."
SIGN_OFF_TAKEN_BACK = "The sign-off is taken back: it is a draft again."
SIGN_OFF = (
    "Sign off",
    "You say by this that you have read the whole consultation and checked what is in "
    "it. Exports then say when it was signed off, in place of DRAFT, UNREVIEWED. "
    "Whatever is added later takes the sign-off back.",
    "I have reviewed it",
    "Not yet",
)
OPEN_OTHER = (
    "Open the other one",
    "What is on the screen is not saved. The other one takes its place.",
    "Open it",
    "Stay here",
)

# What stands on the screen
READ_FLAGS = "{red_flags}: why this is shown, mark as read"
READ_FLAGS_SHORT = "{red_flags}: read"
BLIND_SHORT = "BLIND"
EDITING = "editing, {stop} leaves it"
ASKED = {"together": "asked together", "in-turn": "asked in turn"}
SCROLLS_APART = "scrolling apart"
FIND = "Find: "
NOTHING_FOUND = "not found"
THOUGHTS_HIDDEN = (
    "What the models thought is hidden with their names: whether one thinks tells "
    "which it is."
)


def copied(texts: Mapping[PaneName, str], headings: bool, sides: Sides) -> str:
    """Answers as they are copied; with `headings` each says whose it is."""
    parts = [
        f"{name(pane, sides)}\n{text.strip()}" if headings else text.strip()
        for pane, text in texts.items()
    ]
    return "\n\n".join(parts)


def part(kind: str, which: int, count: int) -> str:
    """Name of a copied part of an answer: the table 2 of 3."""
    return f"the {kind}" if count == 1 else f"the {kind}, {which} of {count} parts"


def load_again(wider: Wider) -> str:
    """The button that loads the models with more context."""
    if wider.more_bytes is None:
        return f"Load again with {wider.tokens:,}"
    return f"Load again with {wider.tokens:,} (about {size(wider.more_bytes)})"


def more_context(wider: Wider) -> tuple[str, str, str, str]:
    """Texts of the decision to load the models with more context."""
    memory = (
        f"It takes about {size(wider.more_bytes)} more memory than now. "
        if wider.more_bytes is not None
        else ""
    )
    text = f"{memory}The consultation stays; the models are loaded again."
    return f"{wider.tokens:,} tokens of context?", text, load_again(wider), "Leave it"


def back_to_former(trouble: str) -> str:
    """Notice that a new model could not be loaded and the former one is back."""
    return f"{trouble} The models from before are loaded again."


def no_command(name: str) -> str:
    """Notice that a slash and a word are no command."""
    return f"/{name[:40]} is no command; {{palette}} lists them."


def answers(count: int) -> str:
    """What was copied, in words."""
    return "both answers" if count > 1 else "the answer"


def too_long(excesses: Sequence[TooLong], surplus: int, sides: Sides) -> str:
    """Why a question cannot be asked as it is, and what would help."""
    lines = [
        shared.DOES_NOT_FIT.format(
            letter=sides.letter(excess.pane),
            tokens=f"{excess.tokens:,}",
            fits=f"{excess.fits:,}",
        )
        for excess in excesses
    ]
    if surplus:
        what = "the oldest turn" if surplus == 1 else f"the {surplus} oldest turns"
        lines.append(
            f"\nIt fits without {what}. The text stays on the screen; the models are "
            "no longer asked with it."
        )
    else:
        lines.append("\nThe question has to be shorter. It is back where you wrote it.")
    return "\n".join(lines)


def ways_out(surplus: int, again: bool) -> tuple[str | None, str]:
    """The two buttons that go with `too_long`; `None` where there is one way only."""
    no = "Leave it" if again else "Edit the question"
    if not surplus:
        return None, no
    what = "oldest turn" if surplus == 1 else f"{surplus} oldest turns"
    return f"Leave out the {what}", no


def red_flags(titles: Sequence[str]) -> str:
    """The flags in one line; empty: there is none."""
    return f"Red flag: {'; '.join(titles)}." if titles else ""


def branch(which: int, count: int) -> str:
    """Number of the branch that is shown, from 1; empty where there is one only."""
    return f"branch {which} of {count}" if count > 1 else ""


def threads(count: int) -> str:
    """Number of threads that compute, in words."""
    return f"{count} {plural(count, 'thread')}"


def write_for(panes: int) -> str:
    """Hint in an empty composer."""
    return f"Write a question for {'both models' if panes > 1 else 'the model'}"


def found(which: int, count: int, wanted: bool, hidden: int) -> str:
    """Outcome of a search.

    Args:
        which: The place that is shown, from 1.
        count: How many there are.
        wanted: Something is searched for.
        hidden: Earlier turns that are not laid out, and so not searched.
    """
    if not wanted:
        return ""
    said = f"{which} of {count}" if count else NOTHING_FOUND
    return joined(said, "earlier turns not searched" if hidden else "")


def who_is_who(pane: PaneName, sides: Sides, source: Source) -> str:
    """Sentence on which model was which, said after a blind verdict."""
    return f"{name(pane, sides)}: {model(source)}."


def broken_off(count: int) -> str:
    """Notice that the program ended while answers were being written."""
    what = "an answer was" if count == 1 else f"{count} answers were"
    return (
        f"The program ended last time while {what} being written. What had come is in "
        "the records, marked as broken off."
    )


OTHER_MODELS = (
    "Other models than those loaded now answered here. What you ask now goes to those "
    "loaded now."
)


def other_pair(before: Iterable[str], after: Iterable[str]) -> str:
    """Notice that another pair goes on with a consultation."""
    return (
        f"{_listed(before)} answered here. What you ask now goes to {_listed(after)}, "
        "with all that was said before; another pair can be chosen."
    )


def files_gone(paths: Iterable[str]) -> str:
    """Notice that files of the pair that answered are gone."""
    return f"{_listed(paths)}: not there any more, so it cannot be asked again."


def _listed(names: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(names))


def more_flags(hidden: int) -> str:
    """Line for the flags whose titles have no room."""
    return f"and {hidden} more; {{red_flags}}: read them all"
