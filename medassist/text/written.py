"""Tells thought from answer in the tokens that a model writes, as they are shown."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medassist.text.detokenizer import Detokenizer
from medassist.text.thought_marks import HARMONY_MARKS
from medassist.text.thoughts import Thoughts, WrittenPart


@dataclass(frozen=True)
class Shown:
    """Text that can be shown of a further token."""

    text: str = ""
    thought: str = ""
    restart: bool = False
    """Whether what was shown as the answer was none: `text` begins it anew."""

    def then(self, later: Shown) -> Shown:
        """This and what came after it, in one."""
        return Shown(
            later.text if later.restart else self.text + later.text,
            self.thought + later.thought,
            self.restart or later.restart,
        )

    def __bool__(self) -> bool:
        return bool(self.text or self.thought or self.restart)


class WrittenText:
    """Text that a model has written, its thoughts told from its answer.

    Args:
        stops: texts that end the answer and are never shown.
        ends: the same, where the model's template ends answers with them. They end a
            thought that was never closed, too.
        opened: the mark of the thought that the prompt has opened; empty: none.
        before: what of the answer is there already; then no thought is open.
        harmony: that stands in a message of harmony.
    """

    def __init__(
        self,
        stops: Sequence[str] = (),
        ends: Sequence[str] = (),
        opened: str = "",
        *,
        before: str = "",
        harmony: bool = False,
    ) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")
        self._thoughts = Thoughts("" if before else opened)
        if before:
            self._thoughts.go_on(before, harmony)
        self._stops = (*stops, *ends)
        self._answer = Detokenizer(self._stops, before)
        # Where such a mark ends a message, the next one may be the answer.
        self._ends = tuple(end for end in ends if end.strip() not in HARMONY_MARKS)
        self._in_thought = Detokenizer(self._ends)

    @property
    def text(self) -> str:
        """All of the answer that was shown."""
        return self._answer.text

    @property
    def thought(self) -> str:
        """All thoughts, without their marks."""
        return Detokenizer(self._ends).push_text(self._thoughts.thought).strip()

    @property
    def thinking(self) -> bool:
        """Whether what comes now is no answer."""
        return self._thoughts.thinking

    @property
    def closing(self) -> str:
        """Text that ends the open thought, so that the answer can begin."""
        return self._thoughts.closing

    @property
    def stopped(self) -> bool:
        """Whether a text was met that ends all; nothing more is shown then."""
        stopped = self._answer.stopped or self._in_thought.stopped
        return stopped or self._thoughts.over

    def push(self, piece: bytes) -> Shown:
        """Take the bytes of a token; returns what can be shown now."""
        return self._show(self._thoughts.push(self._decode.decode(piece)))

    def push_mark(self, mark: str, piece: bytes) -> Shown:
        """Take a token that is the mark `mark`, and writes `piece` where it is none."""
        return self._show(
            self._thoughts.push_mark(mark, piece.decode(errors="replace"))
        )

    def finish(self, ended: bool) -> Shown:
        """All is written; returns what was held back.

        Args:
            ended: the model came to its own end.
        """
        shown = self._show(self._thoughts.finish(ended and not self.stopped))
        return shown.then(Shown(self._answer.finish(), self._in_thought.finish()))

    def _show(self, parts: Iterable[WrittenPart]) -> Shown:
        shown = Shown()
        for part in parts:
            match part.kind:
                case "restart":
                    self._answer = Detokenizer(self._stops)
                    shown = shown.then(Shown(restart=True))
                case "thought":
                    text = self._in_thought.push_text(part.text)
                    shown = shown.then(Shown(thought=text))
                case "answer":
                    text = self._answer.push_text(part.text)
                    shown = shown.then(Shown(text=text))
        return shown
