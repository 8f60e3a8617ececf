"""Red flags above the answers: fixed words, the most urgent first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from textual.content import Content
from textual.reactive import var
from textual.widgets import Static

from medassist.session.red_flags import not_checked
from medassist.tui.consult.tied import wrapped
from medassist.tui.face import face
from medassist.tui.wording import consult as wording

if TYPE_CHECKING:
    from medassist.safety.red_flags.conversation import Raised

LOW: Final = 20
"""Rows of a screen on which the answers need what the texts of the flags would take."""
AROUND: Final = 3
"""Cells beside the text: the bar at the left and a space on each side."""


class FlagPanel(Static):
    """Panel of the red flags that have not been marked as read; else not there.

    It takes at most two fifths of the screen, and on a low one the titles alone. Where
    the fixed texts do not all fit, the most urgent one goes first, and the last line
    says with which key the rest is read.
    """

    DEFAULT_CSS = """
    FlagPanel {
        height: auto;
        padding: 0 1;
        background: $surface;
        color: $foreground;
        border-left: outer $error;
    }
    """

    titles: var[str] = var("")
    """Titles that are shown, in one line; empty: none."""

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._raised: tuple[Raised, ...] = ()
        self._problem = ""
        self._foreign = False

    def on_mount(self) -> None:
        self.display = bool(self._raised or self._problem or self._foreign)

    def show(
        self, raised: tuple[Raised, ...], reason: str = "", foreign: bool = False
    ) -> None:
        """Show `raised`, the most urgent first; and why something cannot be checked."""
        self._raised, self._foreign = raised, foreign
        self._problem = not_checked(reason)
        self.display = bool(raised or reason or foreign)
        self.titles = self._titles()
        self.fit()

    def _titles(self) -> str:
        said = [wording.red_flags([raised.flag.title for raised in self._raised])]
        if self._foreign:
            said.append(self._short_notice)
        return " ".join(filter(None, said))

    @property
    def _short_notice(self) -> str:
        from medassist.safety.language import BELOW_FLAGS, SHORT_NOTICE

        return BELOW_FLAGS if self._raised else SHORT_NOTICE

    def on_resize(self) -> None:
        self.fit()

    def fit(self) -> None:
        """Say as much as the screen has room for now."""
        if not self.is_attached or not self.display:
            return
        width, height = self.screen.size
        low = min(3, len(self._raised) + 1) + self._foreign
        rows = height * 2 // 5 if height >= LOW else low
        self.update(Content("\n").join(self._lines(max(10, width - AROUND), rows)))

    def _lines(self, width: int, rows: int) -> list[Content]:
        lines: list[Content] = []
        if self._problem:
            lines += Content.styled(self._problem, "bold").wrap(width)
        language = self._language(width, rows)
        if self._raised:
            flags = [(raised.flag.title, raised.flag.text) for raised in self._raised]
            left = rows - len(lines) - len(language)
            lines += panel_lines(flags, width, left, face(self).keymap.name)
        return [*lines, *language]

    def _language(self, width: int, rows: int) -> list[Content]:
        """Notice that the rules cannot read the question.

        It is one line where room lacks, and below flags: the long one says what it
        means that nothing is flagged.
        """
        if not self._foreign:
            return []
        from medassist.safety.language import NOTICE

        said = Content.assemble((f"{wording.NOT_ENGLISH}  ", "bold $warning"), NOTICE)
        wrapped = said.wrap(width)
        if self._raised or len(wrapped) > rows:
            short = Content.styled(self._short_notice, "bold $warning")
            return [short.truncate(width, ellipsis=True)]
        return wrapped


def panel_lines(
    flags: Sequence[tuple[str, str]], width: int, rows: int, named: Callable[[str], str]
) -> list[Content]:
    """Titles and texts in at most `rows` lines of `width` cells, and a hint.

    Every title comes in, shortened if it must be; where even that is too much, the last
    line counts what is missing.
    """
    hint = Content.styled(named(wording.READ_FLAGS), "$quiet")
    short = Content.styled(named(wording.READ_FLAGS_SHORT), "$quiet")
    hint = hint if hint.cell_length <= width else short
    room = max(1, rows - 1)
    heads = [_head(title).wrap(width) for title, _ in flags]
    if sum(map(len, heads)) > room:
        heads = [[_head(title).truncate(width, ellipsis=True)] for title, _ in flags]
    if len(heads) > room:
        hidden = len(heads) - room
        more = Content.styled(named(wording.more_flags(hidden)), "bold")
        return [*(line for head in heads[:room] for line in head), more]
    left = room - sum(map(len, heads))
    lines: list[Content] = []
    for head, (_, text) in zip(heads, flags, strict=True):
        lines += head
        if left <= 0:
            continue
        said = wrapped(Content(text), width)
        if len(said) > left:
            last = said[left - 1].rstrip().truncate(width - 2)
            said = [*said[: left - 1], Content.assemble(last, " …")]
            left = 0
        left -= len(said)
        lines += said
    return [*lines, hint]


def _head(title: str) -> Content:
    return Content.assemble((f"{wording.RED_FLAG}  ", "bold $error"), (title, "bold"))
