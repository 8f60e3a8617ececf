"""Tells what a model thinks from what it answers, while it writes both.

A thought stands between marks (`thought_marks`). It may be opened by the prompt, be
closed without having been opened, or never be closed. A mark counts where a thought
can begin or end, not in the middle of a sentence and not in code, where an answer
speaks of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from medassist.text import thought_marks as marks
from medassist.text.thought_marks import ThoughtForm

LONGEST_HEADER = 200
SENTENCE_ENDS = ".!?:;)]*\"'”…\u3002\uff01\uff1f"
"""The last three: full stop, exclamation and question mark of Chinese."""
FENCE = re.compile(r"^[ \t>]*(`{3,}|~{3,})", re.MULTILINE)


@dataclass(frozen=True)
class WrittenPart:
    """A further piece of what a model writes."""

    kind: Literal["answer", "thought", "restart"]
    """`restart`: what was given as the answer so far is none; `text` is empty."""
    text: str = ""


class Thoughts:
    """Tells thoughts from the answer.

    Args:
        opened: the mark of the thought that the prompt has opened; empty: none.
    """

    def __init__(self, opened: str = "") -> None:
        self.thinking = bool(opened)
        """Whether what comes now is thought, or the header of a message."""
        self.over = False
        """The answer was closed by a mark: what comes is none of it."""
        self._form: ThoughtForm | None = marks.OPENS.get(opened)
        self._label = _label(self._form)
        """Label with which the open thought may still begin, which is none of it."""
        self._harmony = opened == marks.CHANNEL
        self._header: str | None = None
        self._held = ""
        self._parts: list[WrittenPart] = []
        self._answer = ""
        self._lead = ""
        """White space before the answer, which is shown once that follows."""
        self._thoughts: list[str] = [""] if opened else []
        self._in_passing = ""
        """The mark in the middle of an answer that opened the last thought."""
        self._taken = ""
        """Text that was shown as the answer until a mark closed it as a thought."""

    def go_on(self, answer: str, harmony: bool) -> None:
        """Lets what comes now go on from `answer`.

        Args:
            answer: what is written of it.
            harmony: it stands in a message of harmony.
        """
        self._answer, self._harmony = answer, harmony

    @property
    def answer(self) -> str:
        """The answer so far."""
        return self._answer

    @property
    def thought(self) -> str:
        """All thoughts so far."""
        return "\n\n".join(t.strip() for t in self._thoughts if t.strip())

    @property
    def closing(self) -> str:
        """Text that ends the open thought, so that the answer can begin."""
        if self._harmony:
            return marks.HARMONY_CLOSES
        return f"\n{self._form.closes}\n\n" if self._form else ""

    def push(self, text: str) -> list[WrittenPart]:
        """A further piece of what the model writes as ordinary text."""
        self._held += text
        while self._held and not self.over:
            found = marks.PATTERN.search(self._held)
            if found is None:
                break
            self._take(self._held[: found.start()])
            self._held = self._held[found.end() :]
            if not self._mark(found[0], certain=False):
                self._take(found[0])
        if not self.over:
            keep = _begun_mark(self._held)
            sure = self._held[: len(self._held) - keep]
            self._take(sure)
            self._held = self._held[len(sure) :]
        return self._given()

    def push_mark(self, mark: str, text: str) -> list[WrittenPart]:
        """The model has written a token that is nothing but the mark `mark`.

        Args:
            mark: the mark.
            text: what the token writes where it is none: control tokens write nothing.
        """
        self._flush()
        if not self.over and not self._mark(mark, certain=True):
            self._take(text)
        return self._given()

    def finish(self, ended: bool = True) -> list[WrittenPart]:
        """The model has written all.

        Args:
            ended: it came to its own end, and was not cut off or stopped.
        """
        self._flush()
        if self._lead and not self.thinking and not self._thoughts:
            lead, self._lead, self._answer = self._lead, "", self._lead
            self._parts.append(WrittenPart("answer", lead))
        if ended and self._in_passing and self.thinking:
            # Never closed: the answer spoke of the mark, and went on.
            self._give(self._in_passing + self._thoughts.pop())
            self.thinking = False
        elif ended and self._taken and not self._answer.strip():
            # A mark at the end of an answer closes nothing.
            self._thoughts.pop()
            self._give(self._taken)
        return self._given()

    def _flush(self) -> None:
        held, self._held = self._held, ""
        if not self.over:
            self._take(held)

    def _given(self) -> list[WrittenPart]:
        parts, self._parts = self._parts, []
        return parts

    def _take(self, text: str) -> None:
        """`text` without marks, to what is being written now."""
        if not text:
            return
        if self._header is not None:
            self._header += text
            if len(self._header) > LONGEST_HEADER:
                text, self._header, self.thinking = self._header, None, False
                self._give(text)
        elif self.thinking:
            self._think(text)
        else:
            self._give(text)

    def _think(self, text: str) -> None:
        so_far = self._thoughts[-1]
        self._thoughts[-1] = so_far + text
        if self._label:
            start = self._thoughts[-1].lstrip()
            if self._label.startswith(start):
                return  # the label, or a thought that begins as it does
            self._thoughts[-1] = start.removeprefix(self._label)
            self._label, so_far = "", ""
        if not so_far.strip():
            text = self._thoughts[-1].lstrip()
            if text and any(t.strip() for t in self._thoughts[:-1]):
                text = f"\n\n{text}"
        if text:
            self._parts.append(WrittenPart("thought", text))

    def _give(self, text: str) -> None:
        text = self._lead + text
        self._lead = ""
        if not self._answer and self._thoughts:
            text = text.lstrip()
        if not self._answer and not text.strip():
            self._lead = text
        elif text:
            self._answer += text
            self._parts.append(WrittenPart("answer", text))

    def _mark(self, mark: str, certain: bool) -> bool:
        """Whether `mark` is one here; then it has had its effect."""
        if self._header is not None or self._harmony:
            return self._harmony_mark(mark, certain)
        if self.thinking:
            return self._close(mark, certain)
        if mark in marks.HARMONY_MARKS:
            begins = mark in (marks.CHANNEL, marks.START)
            if begins and (certain or not self._answer.strip()):
                self._open_header(mark)
                return True
            return False
        if _in_code(self._answer):
            return False
        before = self._answer.rstrip(" \t")
        at_line_start = not before or before.endswith("\n")
        if not (certain or at_line_start or before[-1] in SENTENCE_ENDS):
            return False
        if mark in marks.CLOSES:
            self._close_unopened()
            return True
        self._form = marks.OPENS[mark]
        self._in_passing = "" if certain or at_line_start else mark
        self._open()
        return True

    def _open(self) -> None:
        self.thinking = True
        self._label = _label(self._form)
        self._thoughts.append("")

    def _close(self, mark: str, certain: bool) -> bool:
        line = self._thoughts[-1].rpartition("\n")[2]
        spoken_of = not certain and _odd_backticks(line)
        if self._form is None or mark != self._form.closes or spoken_of:
            return False
        if self._label and self._thoughts[-1].strip() == self._form.label:
            self._thoughts[-1] = ""
        self.thinking, self._form, self._in_passing = False, None, ""
        return True

    def _close_unopened(self) -> None:
        if self._answer.strip():
            self._taken = self._answer
            self._thoughts.append(self._answer)
        self._parts.append(WrittenPart("restart"))
        if self._answer.strip():
            self._parts.append(WrittenPart("thought", self._answer.strip()))
        self._answer = ""
        # What follows begins an answer, whether or not there was a thought.
        self._thoughts = self._thoughts or [""]

    # Harmony

    def _open_header(self, mark: str) -> None:
        self._harmony = self.thinking = True
        self._header = mark

    def _harmony_mark(self, mark: str, certain: bool) -> bool:
        if mark not in marks.HARMONY_MARKS:
            return False
        if not self.thinking:
            if not certain and _in_code(self._answer):
                return False
            if self._answer.strip() and mark in (marks.ENDS_MESSAGE, *marks.ENDS_ALL):
                self.over = True
                return True
        if self._header is None:
            self._open_header(mark)
        elif mark == marks.MESSAGE:
            _, has_channel, channel = self._header.rpartition(marks.CHANNEL)
            self._header = None
            if has_channel and not channel.strip().startswith(marks.ANSWERS):
                self._open()
            else:
                self.thinking = False
                self._thoughts = self._thoughts or [""]
        else:
            self._header += mark
        return True


def _label(form: ThoughtForm | None) -> str:
    return f"{form.label}\n" if form and form.label else ""


def _begun_mark(text: str) -> int:
    """Counts the last characters of `text` that could begin a mark."""
    longest = min(len(text), max(map(len, marks.MARKS)) - 1)
    for length in range(longest, 0, -1):
        if any(mark.startswith(text[-length:]) for mark in marks.MARKS):
            return length
    return 0


def _in_code(text: str) -> bool:
    """Whether what follows `text` stands in code, fenced or within a line."""
    fence = ""
    for found in FENCE.finditer(text):
        if not fence:
            fence = found[1]
        elif found[1][0] == fence[0] and len(found[1]) >= len(fence):
            fence = ""
    return bool(fence) or _odd_backticks(text.rpartition("\n")[2])


def _odd_backticks(line: str) -> bool:
    return len(re.findall(r"`+", line)) % 2 == 1
