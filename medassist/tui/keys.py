"""Table of all keys and commands.

The bindings, the command palette and the help all come from here, so that no key is
missing in one of them. `id` is the name under which settings.toml rebinds a key:

    [keys]
    send = "ctrl+s"
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from textual.binding import Binding, BindingType

from medassist.consult.verdict import REASONS

Place = Literal[
    "composer", "screen", "app", "search",
    "dialog", "text", "history", "models", "prompts", "verdict", "identifiers",
    "asked", "passphrase", "lock", "bench",
]  # fmt: skip


@dataclass(frozen=True)
class Command:
    """A command with its key.

    Attributes:
        id: Its name in settings.toml.
        key: Its key, unless the user has chosen another.
        action: The name of the method `action_...`, with `app.` or `screen.` before
            it where it is not that of `place`; or `part.method`, where a part of the
            screen does it (`screen_of_parts.py`).
        place: What has that method or part: the composer, the consult screen, the app,
            or one of the screens on top of it; "dialog" is most of those.
        group: The heading that the help lists it under.
        title: What the palette and the help call it.
        about: A sentence more. It names no key: any of them may have been changed.
        short: What the line at the bottom calls it; empty: it is not there.
        first: It goes before what the widget that has the focus does with the key.
    """

    id: str
    key: str
    action: str
    place: Place
    group: str
    title: str
    about: str
    short: str = ""
    first: bool = True

    @property
    def does(self) -> str:
        """The action as Textual is told of it."""
        part, dot, work = self.action.partition(".")
        own = not dot or part in ("app", "screen")
        return self.action if own else f"do('{part}', '{work}')"


_ASK = "Asking"
_READ = "Reading"
_COMPARE = "Comparing"
_MODELS = "Models"
_RECORDS = "Records"
_PROGRAM = "The program"
_SEARCHED = "While something is searched for"
_ON_TOP = "On every screen on top"
_HISTORY = "In the history"
_OF_MODELS = "On the screen of models"
_PROMPTS = "In the prompt library"
_VERDICT = "In the verdict"
_IDENTIFIERS = "Where identifiers were found"
_OF_PAIR = "In the settings of a pair"
_TYPED = "Where a passphrase is typed"
_BENCH = "While models are measured"

COMMANDS: Final = (
    Command(
        "send", "enter", "screen.send", "composer", _ASK,
        "Send the question",
        "Puts the question to both models.",
        "send",
    ),
    Command(
        "earlier_question", "up", "earlier_question", "composer", _ASK,
        "An earlier question",
        "Brings the questions of this consultation back into an empty composer, the "
        "last one first. In a text it goes a line up.",
    ),
    Command(
        "later_question", "down", "later_question", "composer", _ASK,
        "A later question",
        "After an earlier question was brought back, the one asked after it; behind "
        "the last one the composer is empty again. In a text it goes a line down.",
    ),
    Command(
        "newline", "ctrl+j", "newline", "composer", _ASK,
        "New line",
        "Goes to a new line within the question.",
    ),
    Command(
        "stop", "escape", "stop", "screen", _ASK,
        "Stop",
        "Stops the pane that has the focus, from the question both panes, and loading "
        "too. What was written stays.",
        "stop",
    ),
    Command(
        "regenerate", "f5", "regenerate", "screen", _ASK,
        "Answer again",
        "Has the last question answered again with another seed. The earlier answers "
        "are kept.",
        "again",
    ),
    Command(
        "write_on", "alt+c", "write_on", "screen", _ASK,
        "Go on writing",
        "An answer that its limit cut off is written on, in the pane that has the "
        "focus; from the question, in both. The same text, model, settings and seed "
        "give the same going-on, which is not what one longer answer would have been.",
    ),
    Command(
        "edit", "alt+n", "comparison.edit", "screen", _ASK,
        "Edit the question and ask again",
        "Brings the last question back, again the one before it. Sent, it begins a "
        "branch of its own: what was answered before is kept. Stop leaves it.",
    ),
    Command(
        "other_branch", "alt+o", "comparison.other_branch", "screen", _ASK,
        "Show another branch",
        "Goes through what came of a question before and after it was edited.",
    ),
    Command(
        "go_on", "alt+g", "comparison.go_on", "screen", _ASK,
        "Go on with this answer in both",
        "The other pane takes the last answer of the pane that has the focus over; the "
        "next question is asked with it in both.",
    ),
    Command(
        "new", "ctrl+n", "new", "screen", _ASK,
        "New consultation",
        "Begins anew, without what was said so far.",
        "new",
    ),
    Command(
        "prompts", "alt+y", "prompts", "screen", _ASK,
        "Prompt library",
        "Puts a question of the library into the composer: SOAP note, differential and "
        "others, which you can edit.",
    ),
    Command(
        "attach", "alt+a", "attachments.attach", "screen", _ASK,
        "Put a file into the question",
        "A text or a PDF: its text is shown, with what may tell who the patient is "
        "marked, before it goes into the question. @ and its path in a question do "
        "the same.",
    ),
    Command(
        "next_place", "alt+j", "next_place", "composer", _ASK,
        "Next place to fill in",
        "Goes to the next [[place]] of a prompt; what is typed takes its place.",
    ),
    Command(
        "next_pane", "tab", "next_pane", "screen", _READ,
        "Go to the next part",
        "Question, pane A, pane B. In a pane the arrow and page keys scroll.",
    ),
    Command(
        "maximise", "f2", "panes.maximise", "screen", _READ,
        "One pane or both",
        "Gives one pane the whole width; again: the other one, then both.",
    ),
    Command(
        "scroll_together", "f3", "scroll_together", "screen", _READ,
        "Scroll together or apart",
        "Whether both panes show the same place while one of them is scrolled.",
    ),
    Command(
        "earlier_answer", "alt+e", "answers.show_earlier", "screen", _READ,
        "Show an earlier answer",
        "Goes through what a pane answered to the last question. The next question is "
        "asked with the answer that is shown.",
    ),
    Command(
        "thoughts", "alt+t", "answers.show_thoughts", "screen", _READ,
        "Show what the models thought",
        "Unfolds what a model wrote before its answer, and folds it again. A thought "
        "is no answer: it is not copied, compared, judged or sent back.",
    ),
    Command(
        "copy", "f9", "answers.copy", "screen", _READ,
        "Copy the answer",
        "Copies the last answer of the pane that has the focus; from the question, "
        "both answers.",
    ),
    Command(
        "copy_part", "alt+x", "answers.copy_part", "screen", _READ,
        "Copy a table or code",
        "Copies the first table or block of code of the last answer; again: the next "
        "one. From the question, those of both answers.",
    ),
    Command(
        "search", "ctrl+f", "search.open", "screen", _READ,
        "Find in the answers",
        "Shows where a text stands in questions and answers of both panes. Stop leaves "
        "it.",
    ),
    Command(
        "details", "f10,alt+d", "answers.show_details", "screen", _READ,
        "Details of this answer",
        "Model and adapter files with their sha256, settings, seed and figures of the "
        "last answer; from the question, of both.",
    ),
    Command(
        "figures", "alt+l", "figures", "screen", _READ,
        "Figures in the heads",
        "Speed, time to the first token, context and quantization in the heads of the "
        "panes, threads and memory at the top; again: without them.",
    ),
    Command(
        "warnings", "alt+i", "answers.show_warnings", "screen", _READ,
        "All warnings",
        "Below an answer with more warnings than are said in full, shows every one; "
        "again: the first ones.",
    ),
    Command(
        "red_flags", "alt+r", "red_flags", "screen", _READ,
        "Red flags",
        "Why each one is shown: the rule, the words that raised it, the source. Marks "
        "them as read.",
    ),
    Command(
        "blind", "alt+h", "comparison.toggle_blind", "screen", _COMPARE,
        "Blind comparison",
        "Before the first question: the sides are drawn at random, and names, speed "
        "and length are hidden until the verdict.",
    ),
    Command(
        "verdict", "f8", "comparison.verdict", "screen", _COMPARE,
        "Give a verdict",
        "On the last question: A is better, or B, a tie, or both are poor; with a "
        "reason if you like. Then hidden names are shown.",
        "verdict",
    ),
    Command(
        "differences", "f4", "comparison.differences", "screen", _COMPARE,
        "Differences",
        "What one answer says and the other does not; doses, numbers and negations "
        "first.",
    ),
    Command(
        "verdicts", "alt+v", "comparison.verdicts", "screen", _COMPARE,
        "Verdicts so far",
        "Wins, ties and a test for each pair, of this session and of open records; and "
        "a CSV of them.",
    ),
    Command(
        "models", "ctrl+g", "loader.choose", "screen", _MODELS,
        "Models",
        "The pairs and models on this computer: choose, import, download, check; "
        "system prompt and sampling of each pane.",
    ),
    Command(
        "pane_model", "alt+w", "loader.choose_for_pane", "screen", _MODELS,
        "Another model in this pane",
        "A short list of the models on this computer for the pane that has the focus; "
        "the other pane keeps its own. Says how much memory both take.",
    ),
    Command(
        "mode", "ctrl+t", "mode", "screen", _MODELS,
        "Together or in turn",
        "Both panes write side by side, or one answer after the other.",
    ),
    Command(
        "thinking", "alt+m", "thinking", "screen", _MODELS,
        "Think first, or not",
        "Whether the models think before they answer, where their chat templates let "
        "one choose; from the next question on.",
    ),
    Command(
        "more_context", "alt+z", "loader.more_context", "screen", _MODELS,
        "Load with more context",
        "Where the models allow more than they are loaded with; says how much memory "
        "it takes, and asks first. The consultation stays.",
    ),
    Command(
        "restart", "ctrl+r", "loader.restart", "screen", _MODELS,
        "Start the models again",
        "After loading was stopped or failed, or the models' process has ended.",
    ),
    Command(
        "save", "alt+s", "records.save_from_now_on", "screen", _RECORDS,
        "Save from now on",
        "Opens the records, or begins them: this consultation and the next ones are "
        "saved on this computer, encrypted.",
    ),
    Command(
        "history", "ctrl+o", "records.history", "screen", _RECORDS,
        "History",
        "The saved consultations: search, open, rename, delete.",
        "history",
    ),
    Command(
        "export", "ctrl+s", "records.export", "screen", _RECORDS,
        "Export this consultation",
        "Writes it into a file: Markdown, JSON, HTML or PDF. Works unsaved too.",
    ),
    Command(
        "sign_off", "alt+u", "records.sign_off", "screen", _RECORDS,
        "Sign off as reviewed",
        "Says that you have read and checked this consultation; again: takes it back.",
    ),
    Command(
        "passphrase", "alt+p", "records.change_passphrase", "screen", _RECORDS,
        "Change the passphrase",
        "Of the records, with the one that they have now.",
    ),
    Command(
        "lock", "ctrl+l", "lock", "app", _RECORDS,
        "Lock",
        "Blanks the screen and forgets the key of the records until the passphrase is "
        "typed.",
    ),
    Command(
        "theme", "f12", "theme", "app", _PROGRAM,
        "Light or dark",
        "Changes the colours of the screen.",
    ),
    Command(
        "themes", "alt+k", "themes", "app", _PROGRAM,
        "All themes",
        "The colours of the program, one of strong contrast among them, and those of "
        "Textual.",
    ),
    Command(
        "palette", "ctrl+p", "command_palette", "app", _PROGRAM,
        "All commands",
        "A list of everything that can be done, with a search. / in an empty composer "
        "lists them too; / and a command's name does it.",
        "menu",
    ),
    Command(
        "help", "f1", "help", "app", _PROGRAM,
        "Help",
        "Every key, and how to change it.",
        "help",
    ),
    Command(
        "quit", "ctrl+q", "quit", "app", _PROGRAM,
        "Quit",
        "Ends the program and the models. What is not saved and would be lost is "
        "asked about, and the key again confirms.",
        "quit",
    ),
    Command(
        "search_next", "enter,down", "next", "search", _SEARCHED,
        "The next place", "After the last one the first.", "next place",
    ),
    Command(
        "search_previous", "up", "previous", "search", _SEARCHED,
        "The place before", "Before the first one the last.", "before",
    ),
    Command(
        "back", "escape", "back", "dialog", _ON_TOP,
        "Back",
        "Leaves it; nothing is changed by that.",
        "back",
        first=False,
    ),
    Command(
        "text_up", "up", "scroll(-1)", "text", _ON_TOP,
        "Up", "Scrolls a text below which the buttons have the focus.", first=False,
    ),
    Command(
        "text_down", "down", "scroll(1)", "text", _ON_TOP,
        "Down", "The same.", first=False,
    ),
    Command(
        "text_page_up", "pageup", "scroll(-{page})", "text", _ON_TOP,
        "A page up", "The same.", first=False,
    ),
    Command(
        "text_page_down", "pagedown", "scroll({page})", "text", _ON_TOP,
        "A page down", "The same.", first=False,
    ),
    Command(
        "history_open", "enter", "open", "history", _HISTORY,
        "Open", "Goes on with that consultation.", "open",
    ),
    Command(
        "history_filter", "f6", "filter", "history", _HISTORY,
        "By verdict", "Lists those with one kind of verdict; again: the next kind.",
        "verdict",
    ),
    Command(
        "history_rename", "f2", "rename", "history", _HISTORY,
        "Rename", "Gives it another title.", "rename",
    ),
    Command(
        "history_delete", "f8", "delete", "history", _HISTORY,
        "Delete", "Asks first.", "delete",
    ),
    Command(
        "history_list", "down", "to_list", "history", _HISTORY,
        "To the list", "From what is searched for.", first=False,
    ),
    Command(
        "models_files", "f", "files", "models", _OF_MODELS,
        "Name files", "Loads files that are not in the library.", "by file",
        first=False,
    ),
    Command(
        "models_import", "i", "library.import_", "models", _OF_MODELS,
        "Import", "Takes a file, a run folder or a model of Ollama into the library.",
        "import", first=False,
    ),
    Command(
        "models_asked", "s", "library.change_asked", "models", _OF_MODELS,
        "Settings of a pair", "System prompt and sampling of each pane.", "settings",
        first=False,
    ),
    Command(
        "models_check", "c", "library.check", "models", _OF_MODELS,
        "Check", "Template, tokens and sha256.", "check", first=False,
    ),
    Command(
        "models_default", "d", "library.make_default", "models", _OF_MODELS,
        "Make it the default", "The program opens with that pair.", "default",
        first=False,
    ),
    Command(
        "models_pull", "p", "library.pull", "models", _OF_MODELS,
        "Download", "Asks the Hub for a model, and you before anything is fetched.",
        "download", first=False,
    ),
    Command(
        "models_remove", "delete,x", "library.remove", "models", _OF_MODELS,
        "Forget", "Takes it off the list; asks first. Its file stays.", "forget",
        first=False,
    ),
    Command(
        "prompts_edit", "e", "edit", "prompts", _PROMPTS,
        "Edit", "Changes the prompt; a shipped one becomes yours.", first=False,
    ),
    Command(
        "prompts_keep", "ctrl+s", "keep", "prompts", _PROMPTS,
        "Keep", "Writes what was changed.",
    ),
    *(
        Command(
            f"verdict_{number}", str(number), f"choose({number})", "verdict", _VERDICT,
            title, "Chooses it.",
        )
        for number, title in enumerate(
            [
                "A is better", "B is better", "A tie", "Both are poor",
                *(f"For its {reason}" for reason in REASONS),
            ],
            start=1,
        )
    ),
    Command(
        "identifiers_replace", "r", "dismiss('replace')", "identifiers", _IDENTIFIERS,
        "Replace", "Puts a mark in place of each.", first=False,
    ),
    Command(
        "identifiers_keep", "k", "dismiss('keep')", "identifiers", _IDENTIFIERS,
        "Keep", "Leaves the text as it is.", first=False,
    ),
    Command(
        "asked_keep", "ctrl+s", "keep", "asked", _OF_PAIR,
        "Keep", "They hold from the next question on.", first=False,
    ),
    # At once: a password manager's next letter comes right behind, and would still go
    # into the field before.
    Command(
        "passphrase_next", "tab", "app.focus_next", "passphrase", _TYPED,
        "Next field", "Goes to it.",
    ),
    Command(
        "passphrase_before", "shift+tab", "app.focus_previous", "passphrase",
        _TYPED, "The field before", "Goes to it.",
    ),
    Command(
        "lock_go_on", "enter", "go_on", "lock", _TYPED,
        "Go on", "Unlocks the screen, where no passphrase guards it.", first=False,
    ),
    Command(
        "bench_begin", "enter", "begin", "bench", _BENCH,
        "Begin", "Where the measurement takes long and you are asked first.", "begin",
    ),
    Command(
        "bench_stop", "escape", "stop", "bench", _BENCH,
        "Stop",
        "Ends it in order: what was measured is kept, and --resume goes on with it.",
        "stop",
    ),
)  # fmt: skip

_BY_ID: Final = {command.id: command for command in COMMANDS}
NO_COMMAND: Final = (
    "settings.toml gives a key to {name!r}, which is no command; {help} lists them."
)
KEY_TWICE: Final = "The key {key} stands for {names}; only one of them can have it."
_NAMED: Final = re.compile(r"\{(\w+)\}")

BENCH: Final = ("bench_begin", "bench_stop", "theme", "help")
"""All that can be done while models are measured."""
CONSULT: Final[frozenset[Place]] = frozenset({"composer", "screen", "app"})
"""Places of the keys that are pressed on the consult screen."""


def bindings(place: Place, page: int = 10) -> list[BindingType]:
    """The bindings of `place`; `page` is by how many lines a text is scrolled there."""
    return [
        _binding(command, command.does.format(page=page))
        for command in COMMANDS
        if command.place == place
    ]


def _binding(command: Command, action: str, first: bool = False) -> Binding:
    return Binding(
        command.key,
        action,
        command.short or command.title,
        show=bool(command.short),
        priority=command.first or first,
        id=command.id,
        tooltip=command.about,
    )


def back(action: str, first: bool = False) -> BindingType:
    """The binding of Escape to `action`; before the focused widget if `first`."""
    return _binding(command("back"), action, first)


def same(id: str, action: str, *, show: bool = False) -> list[BindingType]:
    """The key of the command `id` doing `action`, for a screen on top of the others."""
    found = command(id)
    title = found.short or found.title
    return [Binding(found.key, action, title, show=show, priority=True, id=id)]


def interrupt(id: str, action: str) -> BindingType:
    """Binding of ctrl+c, which interrupts any program, to the command `id`."""
    return Binding("ctrl+c", action, show=False, priority=True, id=id)


def command(id: str) -> Command:
    """The command of that name.

    Raises:
        KeyError: There is none.
    """
    return _BY_ID[id]


def display(keys: str) -> str:
    """Keys as the help writes them: `ctrl+n` is `^n`, as at the bottom line."""
    names = {"enter": "Enter", "escape": "Esc", "tab": "Tab"}
    shown: list[str] = []
    for key in keys.split(","):
        key = key.strip()
        if key.startswith("ctrl+"):
            key = f"^{key.removeprefix('ctrl+')}"
        elif key.startswith("f") and key[1:].isdigit():
            key = key.upper()
        shown.append(names.get(key, key))
    return " ".join(shown)


class Keymap:
    """The keys as they are now: those of the table, but for what the user chose.

    Args:
        chosen: Keys by the names of commands, as settings.toml has them.
    """

    def __init__(self, chosen: Mapping[str, str]) -> None:
        self._chosen = chosen

    def of(self, command: Command) -> str:
        """The keys of `command`, as settings.toml writes them."""
        return self._chosen.get(command.id, command.key)

    def __getitem__(self, id: str) -> str:
        """The keys of the command `id`, as the user is told them."""
        return display(self.of(command(id)))

    def name(self, text: str) -> str:
        """One of our own sentences with its keys: `{verdict}` becomes `F8`.

        Raises:
            KeyError: It names something that is no command.
        """
        return _NAMED.sub(lambda found: self[found[1]], text)

    @property
    def problems(self) -> list[str]:
        """Errors in the keys that the user chose, in sentences."""
        known = {command.id for command in COMMANDS}
        found = [
            NO_COMMAND.format(name=name, help=self["help"])
            for name in self._chosen
            if name not in known
        ]
        twice: dict[str, None] = {}
        for together in _together():
            owners: dict[str, list[str]] = {}
            for command in together:
                for key in self.of(command).split(","):
                    owners.setdefault(key.strip(), []).append(command.id)
            for key, names in owners.items():
                if len(names) > 1:
                    twice[KEY_TWICE.format(key=key, names=" and ".join(names))] = None
        return [*found, *twice]


_BELOW: Final[dict[Place, Place]] = {"bench": "app", "search": "screen"}
"""Keys that hold beside those of a place that is no screen on top of others."""


def _together() -> Iterable[list[Command]]:
    """The commands whose keys hold at the same time."""
    yield [command for command in COMMANDS if command.place in CONSULT]
    places: dict[Place, None] = dict.fromkeys(command.place for command in COMMANDS)
    for place in places:
        if place not in CONSULT:
            # Where models are measured there is a program of its own, without dialogs.
            below: Place = _BELOW.get(place, "dialog")
            with_it: set[Place] = {place, below, "app"}
            yield [command for command in COMMANDS if command.place in with_it]


def groups(ids: Collection[str] = ()) -> Iterable[tuple[str, list[Command]]]:
    """The headings of the help, each with its commands; with `ids`, these alone."""
    listed = [command for command in COMMANDS if not ids or command.id in ids]
    names = dict.fromkeys(command.group for command in listed)
    return [(name, [c for c in listed if c.group == name]) for name in names]
