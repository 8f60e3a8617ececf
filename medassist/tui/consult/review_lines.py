"""The lines below an answer that is over, and the doses marked in its text.

Of which model they are they say nothing: they come from the texts alone, and only from
what the reader can see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from medassist.consult.turn import Turn
from medassist.core.values import PaneName
from medassist.tui.consult.tied import TiedStatic
from medassist.tui.face import face
from medassist.tui.wording import pane as wording

if TYPE_CHECKING:
    from medassist.safety.review import DosePart, Review

MOST: Final = 4
"""Warnings that are said in full at first; the others are counted."""
AMOUNT: Final = "bold underline $accent"
"""Seen without colours too."""
PART: Final = "underline"
_Style = tuple[int, int, str]


@dataclass
class Reviewed(Message):
    """An answer has been looked through, or what was said of it holds no longer.

    Attributes:
        turn: whose answer it is.
        warnings: how many there are.
        cites: it names a source, or nothing is known of it.
    """

    turn: Turn
    warnings: int = 0
    cites: bool = True


class ReviewLines(TiedStatic):
    """Lines below an answer on what `medassist.safety.review` found.

    It is computed in a thread once the answer is over, and kept until something that
    it depends on has changed.
    """

    DEFAULT_CSS = """
    ReviewLines { height: auto; color: $quiet; }
    """

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self.display = False
        self._earlier: tuple[str, ...] = ()
        self._key = ("", "", "")
        self._unfolded = self._told = False
        self.review: Review | None = None
        """Review that is shown; `None` while there is none."""

    @property
    def has_more(self) -> bool:
        """There are more warnings than are said in full at first."""
        return self.review is not None and len(self.review.warnings) > MOST

    def unfold(self, unfolded: bool) -> None:
        """Say every warning in full from now on, or only the first ones."""
        if unfolded != self._unfolded:
            self._unfolded = unfolded
            self._say()

    def _say(self) -> None:
        if self.review is None:
            return
        most = len(self.review.warnings) if self._unfolded else MOST
        said = lines(self.review, self._told, most, face(self).keymap.name)
        self.display = bool(said.plain)
        self.update(said)

    def draw(
        self,
        turn: Turn,
        pane: PaneName,
        shown: str,
        text: Widget,
        before: Sequence[Turn],
    ) -> None:
        """Bring the lines up to date. Returns at once.

        Args:
            turn: The turn.
            pane: The pane whose answer it is.
            shown: The answer as the reader has it, names hidden; empty where it is
                held back. Nothing else is looked at.
            text: Draws it.
            before: The turns above it. That an answer cites nothing is said once in
                a consultation; from then on a sign in the pane's head is enough.
        """
        story = "\n".join(one.question for one in (*before, turn))
        self._earlier = tuple(
            said.text
            for one in before
            if (said := one.shown(pane)) is not None and said.counts
        )
        answer = turn.shown(pane)
        if answer is None or not answer.over:
            shown = ""
        # Whether the panes are apart is told once both are over.
        others = [turn.shown(name) for name in turn.panes if name != pane]
        other = "\n".join(a.text for a in others if a is not None and a.over)
        key = (shown, other, story)
        if key == self._key:
            return
        self._key = key
        if not shown.strip():
            if self.review is not None:
                self.review, self.display = None, False
                self.post_message(Reviewed(turn))
            return
        self.run_worker(self._look(key, turn, text), group="review", exclusive=True)

    async def _look(self, key: tuple[str, str, str], turn: Turn, text: Widget) -> None:
        shown, other, story = key
        drawn = [(part, texts) for part in _parts(text) if (texts := _texts(part))]
        every = [texts for _, texts in drawn]
        review, marks, told = await asyncio.to_thread(
            _look, story, shown, other, every, self._earlier
        )
        if self._key != key:
            return
        for (part, texts), found in zip(drawn, marks, strict=True):
            if any(found) and part.is_attached and _texts(part) == texts:
                _style(part, [_styles(of) for of in found])
        self.review, self._told = review, told
        self._say()
        self.post_message(Reviewed(turn, len(review.warnings), review.cites))


def lines(
    review: Review, told: bool, most: int, named: Callable[[str], str]
) -> Content:
    """The lines as they are drawn, with an empty one before them.

    Args:
        review: What was found.
        told: The reader was told before that an answer cites nothing.
        most: Warnings that are said in full.
        named: Puts the keys into a sentence of ours.
    """
    said = [
        Content.assemble((wording.CHECK, "bold $warning"), (warning, ""))
        for warning in review.warnings[:most]
    ]
    more = len(review.warnings) - most
    if more > 0:
        hint = named(wording.more_warnings(more))
        said.append(Content.styled(hint, "bold $warning"))
    if review.cites or not told:
        said.append(Content.styled(review.sources, "italic $quiet"))
    # What stands here is none of the model's words.
    return Content("\n").join([Content(), *said] if said else said)


def _look(
    story: str,
    shown: str,
    other: str,
    drawn: Sequence[Sequence[str]],
    earlier: Sequence[str],
) -> tuple[Review, list[list[tuple[DosePart, ...]]], bool]:
    from medassist.safety.review import cites, dose_marks, review

    marks = [[dose_marks(text) for text in texts] for texts in drawn]
    told = not all(map(cites, earlier))
    return review(story, shown, other), marks, told


def _parts(text: Widget) -> list[Static]:
    """Widgets that draw a text, each part of it once."""
    own = {part for part in text.query(Static) if hasattr(part, "texts")}
    return [part for part in text.query(Static) if part.parent not in own]


def _texts(part: Static) -> list[str]:
    own: list[str] | None = getattr(part, "texts", None)
    if own is not None:
        return own
    content = part.content
    plain = content.plain if isinstance(content, Content) else content
    return [plain] if plain and isinstance(plain, str) else []


def _style(part: Static, styles: Sequence[Sequence[_Style]]) -> None:
    of_its_own = getattr(part, "style", None)
    if hasattr(part, "texts") and of_its_own is not None:
        of_its_own(styles)
        return
    content = part.content
    styled = content if isinstance(content, Content) else Content(str(content))
    for start, end, style in styles[0]:
        styled = styled.stylize(style, start, end)
    part.update(styled, layout=False)


def _styles(marks: Sequence[DosePart]) -> list[_Style]:
    return [(*mark.span, AMOUNT if mark.amount else PART) for mark in marks]
