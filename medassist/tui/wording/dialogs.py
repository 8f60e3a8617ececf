"""Texts of the dialogs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medassist.core.words import size
from medassist.session import wording as shared
from medassist.session.wording import ABOUT_FLAGS as ABOUT_FLAGS
from medassist.session.wording import BEFORE_YOU_BEGIN as BEFORE_YOU_BEGIN
from medassist.session.wording import CANNOT_READ as CANNOT_READ
from medassist.session.wording import CHOICES as CHOICES
from medassist.session.wording import DRAFT as DRAFT
from medassist.session.wording import EXPORT as EXPORT
from medassist.session.wording import LOOKS_LIKE_ONE as LOOKS_LIKE_ONE
from medassist.session.wording import MARK_AS_READ as MARK_AS_READ
from medassist.session.wording import MARKED_AS_READ as MARKED_AS_READ
from medassist.session.wording import MAY_TELL as MAY_TELL
from medassist.session.wording import RED_FLAGS as RED_FLAGS
from medassist.session.wording import RULE as RULE
from medassist.session.wording import UNDERSTOOD as UNDERSTOOD
from medassist.session.wording import WHAT_IS_IN_IT
from medassist.session.wording import WHICH_IS_BETTER as WHICH_IS_BETTER
from medassist.session.wording import WHY as WHY
from medassist.session.wording import WITH_THOUGHTS as WITH_THOUGHTS
from medassist.session.wording import about_identifiers as about_identifiers

if TYPE_CHECKING:
    from medassist.records.export import Form
    from medassist.session.pane_models import PaneModel

BACK = "Back"
CANCEL = "Cancel"
KEEP = "Keep"
LOAD = "Load"
QUIT = "Quit"
TAKE_IT = "Take it"

# How a pair is asked
FIELDS = {
    "temperature": "temperature",
    "top_k": "top-k",
    "top_p": "top-p",
    "min_p": "min-p",
    "repeat_penalty": "repeat penalty",
    "seed": "seed",
    "max_tokens": "longest answer",
    "max_thought_tokens": "longest thought",
    "thinking": "thinks: auto, on, off",
}
SYSTEM_PROMPT = "system prompt"
EMPTY_FIELD = (
    "An empty field means: as in the settings, whose value is shown. A longest answer "
    "of 0 ends by itself. A model thinks or not as you say where its template lets you "
    "choose."
)
HOW_ASKED = "How the panes of {pair} are asked"
STOPS = "texts that end an answer, with {divider} between them"

# Naming files
NAME_FILES = "Name the files"
FILES_HERE = "Files on this computer"
MODELS = {
    "base": "A  base model",
    "tuned": "B  tuned model (merged)",
    "adapter": "B  or an adapter on the base model",
}
PATH = "path of a .gguf file, or nothing"
KEEP_AS_PAIR = "Keep as a pair called (or nothing)"
A_NAME = "a name"
HOW_TO_NAME = (
    "Clear a field to leave that model out. A file that is chosen in the list goes "
    "into the field that was last in use; the right arrow takes the rest of a path "
    "that is offered."
)
ONE_AT_LEAST = "Name at least one model."

# Leaving
LEAVE = "Quit?"
GO_ON = "Go on"

# Export
FORMAT = "Format"
FILE = "File"
WRITE = "Write"
FORMS: tuple[tuple[Form, str], ...] = (
    ("markdown", "Markdown  to read and to edit"),
    ("html", "HTML      to read and to print"),
    ("pdf", "PDF       to print"),
    ("json", "JSON      for programs"),
)
WHAT_IS_EXPORTED = f"{WHAT_IS_IN_IT}; only you can read it on this computer."
SIGNED_OFF = "Signed off {time}."
SIGN_OFF = "Sign off"
TAKE_SIGN_OFF_BACK = "Take the sign-off back"
NAME_A_FILE = "Name a file."
IS_FOLDER = "{file} is a folder. Name a file in it."
WRITTEN = "Written: {file}"

# A file in a question
CHARACTERS_A_TOKEN = 4
"""About, of English; other languages take more tokens."""
ATTACH = "Put the text of a file into the question"
ATTACH_LABEL = "A text or a PDF, with its folder"
PUT_IN = "Put it in ({identifiers_keep})"
PUT_IN_REPLACED = "Replace them and put it in ({identifiers_replace})"
END_OF = "end of {name}"

# Identifiers
REPLACE_ALL = "Replace all ({identifiers_replace})"
KEEP_ALL = "Keep ({identifiers_keep})"
OF_KIND = ", {count} found, becomes [{kind}]"
MORE = "and {count} more"

# The key of the records
MAKING_KEY = "One moment: the passphrase is made into a key."
DIFFERENT = "The two are not the same. Type the new passphrase twice."
RECORDS_TITLES = {
    "new": "Choose a passphrase for the records",
    "open": "Open the records",
    "change": "Change the passphrase",
}
RECORDS_TEXTS = {
    "new": (
        "From now on consultations are saved on this computer, encrypted. Without "
        "this passphrase nobody can read them who gets hold of the computer, its disk "
        "or a backup. It does not protect from somebody at this screen while it is "
        "unlocked.\n\n"
        "Nobody can recover it: there is no second key. Write it down and keep it in "
        "a safe place. At least 8 characters; four or five words that do not belong "
        "together are better."
    ),
    "open": "What is on the screen is saved too, once the records are open.",
    "change": (
        "The records stay as they are; only their key is sealed anew. An older copy "
        "of key.json, in a backup for example, still opens with the older passphrase."
    ),
}
RECORDS_FIELDS = {
    "new": (("new", "Passphrase"), ("again", "The same again")),
    "open": (("old", "Passphrase"),),
    "change": (
        ("old", "The passphrase until now"),
        ("new", "The new one"),
        ("again", "The new one again"),
    ),
}
RECORDS_DO = {"new": "Begin the records", "open": "Open", "change": "Change"}
NOT_NOW = "Not now"
IN_KEYRING = (
    "Keep the key in this computer's keyring: whoever is logged in as you can open the "
    "records without the passphrase"
)

# The verdict
GIVE_IT = "Give it"
CHOOSE = (
    "{verdict_1} to {verdict_4} choose, {verdict_5} to {verdict_8} say why, {back} "
    "goes back to the answers."
)
CHOOSE_FIRST = "Choose first: {verdict_1}, {verdict_2}, {verdict_3} or {verdict_4}."
GIVE_BLIND = "Enter gives it and shows the names; then it cannot be changed."
GIVE = "Enter gives it. A later verdict on this question takes its place."


def replace_file(file: object) -> tuple[str, str, str, str]:
    """A decision: a file of that name is there."""
    text = f"{file} is there already. What stands in it is lost."
    return "Replace the file?", text, "Replace it", "Leave it"


def raised_by(words: list[str], alone: bool) -> str:
    """Words that raised a flag; not `alone`: with words of an earlier question."""
    where = "" if alone else ", with what you asked before"
    quoted = ", ".join(f"“{word}”" for word in words)
    return shared.RAISED_BY.format(words=quoted) + where


def leave(loss: str) -> str:
    """Sentences on what is lost by leaving, and how to leave all the same."""
    return f"{loss}\n\nPress {{quit}} again to quit."


def reading(name: str) -> str:
    """Said while a file is read."""
    return f"Reading {name} …"


def pages(count: int, empty: int) -> str:
    """Length of a document in pages; empty for a text."""
    if not count:
        return ""
    said = "1 page" if count == 1 else f"{count} pages"
    return f"{said}, {empty} of them without text" if empty else said


def attached(name: str, length: str, characters: int, context: int | None) -> str:
    """Description of a file: its name, and its size beside what a model can take in.

    Args:
        name: The file's name.
        length: Its pages, or nothing.
        characters: Of its text.
        context: Tokens that a pane can hold, where known.
    """
    tokens = max(1, characters // CHARACTERS_A_TOKEN)
    room = f" of the {context:,} that a pane can hold" if context else ""
    size = f"{characters:,} characters, about {tokens:,} tokens{room}"
    return f"{name}: {length}, {size}" if length else f"{name}: {size}"


def marked_identifiers(count: int, below: int = 0) -> str:
    """Line above the text of a file.

    Args:
        count: places that were found in it.
        below: those of them that stand beyond what is shown.
    """
    if not count:
        return "Nothing was found that tells who the patient is. Rules miss things."
    what = "1 place may tell" if count == 1 else f"{count:,} places may tell"
    where = "each is marked below"
    if below:
        where = f"{below:,} of them beyond what is shown, the others are marked below"
    return f"{what} who the patient is; {where}. Rules miss things."


def more_characters(count: int) -> str:
    """Line behind a text that is not shown whole."""
    return f"… and {count:,} more characters, which go in too"


def other_model(letter: str) -> str:
    """The title of the list of models for one pane."""
    return f"Another model in pane {letter}"


def keeps(letter: str, name: str) -> str:
    """Sentence on what stays; without a second pane, only the consultation does."""
    other = f"Pane {letter} keeps {name}. " if letter else ""
    return f"{other}The consultation goes on with the new model."


def pane_model(model: PaneModel) -> str:
    """Text behind a model's name in the list."""
    if model.problem:
        return "cannot be used"
    memory = f"about {size(model.need)}, {model.fits}" if model.need else ""
    return f"pair, {memory}" if model.of_pair else memory


def loads(model: PaneModel, now: int | None, available: int | None) -> str:
    """Sentence on what is loaded if `model` is chosen, and on the memory that it takes.

    Args:
        model: The model under the cursor.
        now: Bytes of memory that the models take at present.
        available: Bytes that are free for both panes.
    """
    if model.problem:
        return model.problem
    files = " + ".join(file.name for file in model.files)
    before = f"; now they take about {size(now)}" if now else ""
    free = f" of {size(available)} free" if available is not None else ""
    panes = "both panes take" if len(model.choice.panes) > 1 else "it takes"
    memory = f"Then {panes} about {size(model.need)}{free}{before}."
    shares = " Both stand on the same weights, which are loaded once."
    return f"Loads {files}.\n{memory}{shares * model.shares}"


def too_large(key: str) -> str:
    """Said before a model is loaded that does not fit."""
    return (
        "That is more than is free: this computer may become very slow, or end the "
        f"program. {key} again loads it all the same."
    )
