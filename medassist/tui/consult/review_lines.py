"""The lines below an answer that is over, and the doses marked in its text.

Of which model they are they say nothing: they come from the texts alone, and only from
what the reader can see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from textual.content import Content
from textual.widgets import Static

from medassist.consult.turn import Turn
from medassist.core.values import PaneName

if TYPE_CHECKING:
    from medassist.safety.review import Mark, Review
    from medassist.tui.consult.answer_text import AnswerText

MOST: Final = 4
"""Warnings that are said in full; the others are counted."""
AMOUNT: Final = "bold underline $accent"
"""Seen without colours too."""
PART: Final = "underline"


class ReviewLines(Static):
    """What `medassist.safety.review` says of an answer.

    It is computed in a thread once the answer is over, and kept until something that
    it depends on has changed.
    """

    DEFAULT_CSS = """
    ReviewLines { height: auto; color: $quiet; }
    """

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self.display = False
        self._key = ("", "", "")
        self.review: Review | None = None
        """What is said now; `None` while nothing is."""

    def draw(self, turn: Turn, pane: PaneName, text: AnswerText, story: str) -> None:
        """Bring the lines up to date. Returns at once.

        Args:
            turn: The turn.
            pane: The pane whose answer stands in `text`.
            text: The answer as it is drawn. What it does not show, names hidden or
                an answer held back, is not looked at.
            story: The question, with those before it.
        """
        answer = turn.shown(pane)
        seen = answer is not None and answer.over and text.display
        shown = text.shown if seen else ""
        # Whether the panes are apart is told once both are over.
        others = [turn.shown(name) for name in turn.panes if name != pane]
        other = "\n".join(a.text for a in others if a is not None and a.over)
        key = (shown, other, story)
        if key == self._key:
            return
        self._key = key
        if not shown.strip():
            self.review, self.display = None, False
            return
        self.run_worker(self._look(key, text), group="review", exclusive=True)

    async def _look(self, key: tuple[str, str, str], text: AnswerText) -> None:
        shown, other, story = key
        drawn = [(part, _plain(part)) for part in text.query(Static)]
        drawn = [(part, plain) for part, plain in drawn if plain]
        plains = [plain for _, plain in drawn]
        review, marks = await asyncio.to_thread(_look, story, shown, other, plains)
        if self._key != key:
            return
        for (part, plain), found in zip(drawn, marks, strict=True):
            if found and part.is_attached and _plain(part) == plain:
                part.update(_marked(part, found), layout=False)
        self.review, self.display = review, True
        self.update(lines(review))


def lines(review: Review) -> Content:
    """The lines as they are drawn."""
    said = [
        Content.assemble(("Check: ", "bold $warning"), (warning, ""))
        for warning in review.warnings[:MOST]
    ]
    more = len(review.warnings) - MOST
    if more > 0:
        plural = "s" if more > 1 else ""
        said.append(Content.styled(f"and {more} more warning{plural}", "bold $warning"))
    said.append(Content.styled(review.sources, "italic $quiet"))
    return Content("\n").join(said)


def _look(
    story: str, shown: str, other: str, plains: Sequence[str]
) -> tuple[Review, list[tuple[Mark, ...]]]:
    from medassist.safety.review import dose_marks, review

    return review(story, shown, other), [dose_marks(plain) for plain in plains]


def _plain(part: Static) -> str:
    content = part.content
    if isinstance(content, Content):
        return content.plain
    return content if isinstance(content, str) else ""


def _marked(part: Static, marks: Sequence[Mark]) -> Content:
    content = part.content
    marked = content if isinstance(content, Content) else Content(str(content))
    for mark in marks:
        marked = marked.stylize(AMOUNT if mark.amount else PART, *mark.span)
    return marked
