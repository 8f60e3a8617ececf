"""Texts of the screens on top of the consult screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from medassist.session.wording import BY_SENTENCE as BY_SENTENCE
from medassist.session.wording import DIFFERENCES as DIFFERENCES
from medassist.session.wording import HEADS as HEADS
from medassist.session.wording import NONE_DIFFERS as NONE_DIFFERS
from medassist.session.wording import NOTHING_LIKE_IT as NOTHING_LIKE_IT
from medassist.session.wording import differences as differences
from medassist.tui.wording.dialogs import BACK as BACK
from medassist.tui.wording.dialogs import KEEP as KEEP
from medassist.tui.wording.dialogs import LOAD as LOAD

# Details
COPY = "Copy"
THE_DETAILS = "the details"
COMPUTING = "computing ..."
COMPUTED_LATER = "computed when the answers are written"
OWN_TEMPLATE = "the model's own"
PLAIN_TEMPLATE = "plain (the model file has none)"

# Differences
COMPARING = "comparing ..."

# Help
KEYS = "Keys"
CTRL = "^ before a letter stands for Ctrl."
OWN_KEYS = "Keys of your own"
HOW_TO_CHANGE = (
    "The word at the end of each line is the command's name. To give it another key, "
    "write it with that key (several with commas between them) into\n"
)
AN_EXAMPLE = '\n[keys]\ncopy = "f7"'
HOW_BACK = "{back}  back"

# History
HISTORY = "History"
SEARCH = "Search in titles, questions and answers"
LOCKED = "The records are locked."
NOTHING_FOUND = "nothing found"
NOTHING_SAVED = "nothing is saved yet"
NONE = "none"
SHOW_MORE = "Show {count} more"
RENAME = "Rename"
THE_TITLE = "The title, in the list only"
STILL_WRITING_HERE = "Answers are still being written in this consultation."
GOES_TOO = "It is the one on the screen; it goes from there too."
NO_TITLE = "without a title"
ON_THE_SCREEN = "on the screen"
BRANCHES = "{count} branches"
QUESTIONS = "{count} questions"
SIGNED_OFF = "signed off"
MODELS_HIDDEN = "models hidden"
Wanted = Literal["A", "B", "tie", "both poor", "none"] | None
VERDICTS: dict[Wanted, str] = {
    None: "all",
    "A": "A is better",
    "B": "B is better",
    "tie": "a tie",
    "both poor": "both are poor",
    "none": "no verdict",
}

# The lock
IS_LOCKED = "Locked"
GUARDED = "The key of the records is forgotten. Type the passphrase and press Enter."
UNGUARDED = (
    "Press {lock_go_on} to go on. No passphrase guards this screen: the records are "
    "not open, so anybody here can press {lock_go_on}."
)
STILL_WRITTEN = (
    "Answers are still being written. They are kept in memory, and saved when you "
    "unlock."
)
QUITS = "{quit} quits."

# Models
MODELS = "Models on this computer"
LOOKING = "looking ..."
MEMORY_FREE = "{size} of memory are free.  * is the pair that the program opens with."
STARTER = "The starter pair"
NAME_FILES = "Name files"
BACK_TO = "Back to {name}"
COLUMNS = (
    *("Name", "Kind", "Memory", "Arch.", "Size", "Quant.", "Context"),
    *("Templ.", "Verified", "Licence", "sha256"),
)
VERIFIED = {
    "verified": "yes",
    "failed": "FAILED",
    "not verified": "no",
    "not known yet": "?",
    "verified (tensors)": "tensors",
}
TEMPLATE = {"own": "own", "none": "NONE", "of the base": "base's"}
IN_PART = "in part"
SHIPPED = "shipped"
PAIR = "pair"
NOT_SAID = "not said"
UNUSABLE = "unusable"
NEEDS_BASE = (
    "An adapter needs its base: {models_files} names files, or import both and pair "
    "them."
)
TOO_LARGE = (
    "{name} takes about {need} and {free} are free: this computer may become very "
    "slow, or end the models' process. Enter again loads it all the same; a smaller "
    "context or another quantization takes less."
)
IMPORT = (
    "Import a model",
    "Path of a .gguf file, of a run folder, or ollama:NAME. The file stays where it "
    "is.",
)
LOOKING_AT_FILE = "looking at the file ..."
NEEDS_PAIR = (
    "Settings are kept with a pair: choose one. `medassist models pair` and "
    "{models_files} make pairs."
)
KEPT_WITH = "Kept with {name}; it holds from the next question on."
PAIR_ONLY = "Only a pair can be what the program opens with."
OPENS_WITH = "The program opens with {name} from now on."
FORGOTTEN = "{name} is forgotten."
CHECKING = "checking {name}: template, tokens, sha256 ..."
CHECKED = "checked"
NOTHING_WRONG = "nothing is wrong"
DOWNLOAD = "Download a model"
WHICH_DOWNLOAD = (
    "OWNER/NAME on {host}, and the file if there are several. {host} is asked{way} "
    "which files there are; nothing of a consultation is sent."
)
ASKING = "asking {host} ..."
DOWNLOAD_THIS = "Download this?"
DOWNLOAD_IT = "Download"
FILE_FROM = "{name}  {size}  from {host}"
KNOWN_TO_HOST = "Your token goes to {host} alone."
NOTHING_FETCHED = "Nothing was downloaded."
FETCHED = "{name} is there, and its sha256 is the Hub's."
STOPS = "{back} stops, what is there is kept"
SHARE = " {percent} % of {total}"
BUSY = "Something else is being done; wait for it."

# Prompts
PROMPTS = "Prompt library"
INSERT = "Insert"
EDIT = "Edit"
YOURS = "yours"
SHIPPED_PROMPT = "shipped; edited, it becomes yours"
PLACES = "Places to be filled in are written as [[what goes here]]."
KEPT_IN = "Kept in {file}."

# Verdicts
VERDICTS_TITLE = "Verdicts"
COUNTING = "counting ..."
WRITE_CSV = "Write as CSV"
CSV = (
    "Write the verdicts as CSV",
    "Into which file? It holds no question and no answer, but the sha256 of each "
    "question: who guesses one can tell that it was asked.",
)
CSV_NAME = "verdicts-{when}.csv"
CSV_IS_THERE = "{file} is there already, and is left as it is. Choose another name."
CSV_FAILED = "{file} cannot be written ({why}). Choose another place."
CSV_WRITTEN = "Written to {file}, readable by you alone."


def details(count: int) -> str:
    """The title of the details."""
    return f"Details of the answer{'s' if count > 1 else ''}"


def listed(shown: int, total: int, wanted: bool) -> str:
    """Number of the saved consultations in the list; `wanted`: those of one verdict."""
    if not total:
        return NONE if wanted else NOTHING_SAVED
    return f"{shown} of {total:,}" if shown < total else f"{total:,}"


def found(shown: int, more: bool) -> str:
    """Number of hits of a search."""
    return f"{shown}{' or more' if more else ''} found" if shown else NOTHING_FOUND


def of_verdict(said: str, wanted: Wanted) -> str:
    """The same, where only one verdict is listed."""
    return said if wanted is None else f"{said}   verdict: {VERDICTS[wanted]}"


def delete(title: str, meaning: str, here: bool) -> tuple[str, str, str, str]:
    """A decision; `here`: it is the consultation on the screen."""
    text = "\n\n".join([title, meaning, *([GOES_TOO] if here else [])])
    return "Delete this consultation?", text, "Delete", "Keep it"


def imported(names: Sequence[str], notes: Sequence[str]) -> str:
    """Sentence on what has come into the library."""
    return " ".join([f"In the library: {', '.join(names)}.", *notes])


def forget(name: str) -> tuple[str, str, str, str]:
    """A decision: a model off the list."""
    text = (
        "It is taken off this list. Its file stays on the disk; `medassist models "
        f"remove --delete {name}` deletes one that was copied or downloaded."
    )
    return f"Forget {name}?", text, "Forget it", BACK


def findings(name: str, count: int) -> str:
    """Findings of a check."""
    if not count:
        return f"{name}: {NOTHING_WRONG}."
    return f"{name}: {count} finding{'s' * (count != 1)}, below."


def planned(
    repo: str, licence: str, files: Sequence[str], total: str, hosts: Sequence[str]
) -> str:
    """Files that would be fetched, and their host."""
    lines = "\n".join(files)
    return (
        f"{repo}, licence: {licence or NOT_SAID}\n\n{lines}\n\n"
        f"In all {total}. Hosts: {', '.join(hosts)}."
    )


def gone_on(at: Sequence[int]) -> str:
    """Place at which an answer was cut off and gone on with; empty: nowhere."""
    if not at:
        return ""
    places = ", ".join(f"{tokens:,}" for tokens in at)
    return f"at {places} tokens; the seed began anew there"


def prompt_place(file: object, own: bool) -> str:
    """Place of a prompt, and its owner."""
    return f"{file} ({YOURS if own else SHIPPED_PROMPT})"
