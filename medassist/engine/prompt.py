"""Builds a pane's prompt tokens from a conversation, and splits them into batches.

What a user types is text: where it happens to spell a control token of the model,
that is read as the letters it consists of. What the template writes is control.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from medassist.core.errors import QuestionRefused
from medassist.core.values import Message, Thinking
from medassist.engine.context import CHUNK, Chunk, chunks_of
from medassist.engine.template import ChatTemplate
from medassist.engine.vocabulary import NONE, Vocabulary
from medassist.text.thought_marks import CHANNEL, before_answer
from medassist.text.thought_marks import MARKS as MARKS_OF_THOUGHTS

# Two code points that Unicode keeps for a program's own use: they enclose what
# would be taken for control, on its way through the template.
OPEN, CLOSE = "\ufdd0", "\ufdd1"
ENCLOSED = re.compile(f"{OPEN}([^{OPEN}{CLOSE}]*){CLOSE}")
MARKS = str.maketrans("", "", OPEN + CLOSE)
LEAST_ROOM = 8


@dataclass(frozen=True)
class Prompts:
    """Renders and encodes the conversations of one pane.

    Attributes:
        vocabulary: the model's tokens.
        template: the model's chat template.
        adapted: whether the pane has an adapter.
        invocation: token ids from whose last occurrence on an activated LoRA is on.
            The base pane of such a pair has them too, so that both panes cut their
            prompts alike and can share what comes before.
    """

    vocabulary: Vocabulary
    template: ChatTemplate
    adapted: bool = False
    invocation: tuple[int, ...] = ()

    def tokens(
        self,
        messages: Sequence[Message],
        *,
        ask: bool = True,
        thinking: Thinking = "auto",
        begun: str = "",
    ) -> list[int]:
        """The token ids of a conversation, with BOS once where the model wants it.

        Args:
            messages: the conversation.
            ask: whether the prompt ends where the model's answer begins.
            thinking: whether the model shall think, where its template knows of it.
            begun: what the answer begins with, as `begun` gives it.

        Raises:
            TemplateError: the model's template refused it.
        """
        rendered = self.render(messages, ask=ask, thinking=thinking)
        return self.read(rendered + begun)

    def render(
        self,
        messages: Sequence[Message],
        *,
        ask: bool = True,
        thinking: Thinking = "auto",
    ) -> str:
        """The text of a conversation for `read`: what is no control is marked in it.

        Raises:
            TemplateError: the model's template refused it.
        """
        return self.template.render(
            [self._as_text(m) for m in messages], ask=ask, thinking=thinking
        )

    def read(self, rendered: str) -> list[int]:
        """The token ids of what `render` gave, perhaps with more text behind it."""
        tokens: list[int] = []
        for index, part in enumerate(ENCLOSED.split(rendered)):
            text = part.translate(MARKS)
            if index % 2 == 0:
                tokens += self.vocabulary.tokenize(text, special=True)
                continue
            # What the pattern captured, at the odd places, is the user's. In two
            # pieces, since some tokens are found even where control is not.
            for piece in (text[:1], text[1:]):
                tokens += self.vocabulary.tokenize(piece, special=False)
        return self._with_bos(tokens)

    def raw(self, text: str) -> list[int]:
        """The token ids of a text that is gone on with as it stands.

        Control tokens that are spelled in it are read as such: who writes a prompt
        without the template writes its marks.

        Raises:
            QuestionRefused: the adapter begins at an invocation, which is not there.
        """
        tokens = self._with_bos(self.vocabulary.tokenize(text, special=True))
        lacks = last_occurrence(tokens, self.invocation) is None
        if self.adapted and self.invocation and lacks:
            raise QuestionRefused(
                "The adapter of this model is on from its invocation on, which this "
                "text does not hold, so the base would answer. Ask with messages, or "
                "write the chat template's marks into the text."
            )
        return tokens

    def begun(self, written: str, thought: str, opened: str) -> str:
        """Tokens behind the prompt of an answer that is written on.

        Args:
            written: what is written of the answer.
            thought: what the model thought before it.
            opened: the mark of the thought that the prompt opens; empty: none.
        """
        known = self._known_marks
        before, behind = before_answer(opened, known, bool(thought.strip()))
        thought, written = map(self._literal, (thought, written))
        return f"{before}{thought}{behind}{written}"

    @property
    def speaks_harmony(self) -> bool:
        """Whether the model's messages name their channels."""
        return CHANNEL in self._known_marks

    @property
    def _known_marks(self) -> set[str]:
        source = self.template.source
        named = {mark for mark in MARKS_OF_THOUGHTS if mark in source}
        return named | set(self.vocabulary.thought_marks.values())

    def plan(self, tokens: Sequence[int]) -> list[Chunk]:
        """The chunks in which a prompt is read."""
        if not self.invocation:
            return chunks_of(tokens, self.adapted)
        start = last_occurrence(tokens, self.invocation)
        if start is None:
            return chunks_of(tokens, adapted=False)
        return [
            *chunks_of(tokens[:start], adapted=False),
            *chunks_of(tokens[start:], self.adapted),
        ]

    def settled(self, tokens: Sequence[int]) -> list[Chunk]:
        """The chunks of a finished conversation that a later prompt begins with."""
        whole = len(tokens) // CHUNK * CHUNK
        return chunks_of(tokens[:whole], self.adapted and not self.invocation)

    def droppable(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Tokens that leaving out each earlier turn would save, oldest first."""
        saved: list[int] = []
        # What a turn takes does not depend on the last question, which may be huge.
        rest = [*messages[:-1], Message(role=messages[-1].role, content="?")]
        before = len(self.tokens(rest))
        while (end := _end_of_first_turn(rest)) is not None:
            first = next(i for i, m in enumerate(rest) if m.role == "user")
            rest = rest[:first] + rest[end:]
            now = len(self.tokens(rest))
            saved.append(before - now)
            before = now
        return tuple(saved)

    def _as_text(self, message: Message) -> Message:
        return Message(role=message.role, content=self._literal(message.content))

    def _literal(self, text: str) -> str:
        """`text` with what in it would be taken for control enclosed."""
        content = text.translate(MARKS)
        # Some models write their roles as added tokens, which are no control.
        added = (t for t in self.vocabulary.added_texts if t in self.template.source)
        marks = (*self.vocabulary.control_texts, *added)
        controls = [mark for mark in marks if mark in content]
        if controls:
            pattern = "|".join(map(re.escape, controls))
            content = re.sub(pattern, lambda m: f"{OPEN}{m[0]}{CLOSE}", content)
        return content

    def _with_bos(self, tokens: list[int]) -> list[int]:
        bos = self.vocabulary.bos
        if bos == NONE:
            return tokens
        start = 0
        while start < len(tokens) and tokens[start] == bos:
            start += 1
        if start or self.vocabulary.adds_bos:
            return [bos, *tokens[start:]]
        return tokens


def longest_answer(context: int, max_tokens: int | None) -> int:
    """Tokens that an answer may have: `max_tokens`, at most half of the context."""
    return context if max_tokens is None else max(1, min(max_tokens, context // 2))


def longest_thought(room: int, answer: int, max_tokens: int | None) -> int:
    """Tokens that a thought may have, so that an answer of `answer` tokens has room.

    Args:
        room: what the prompt leaves of the context.
        answer: the longest answer; half of the room is always left to it if it can
            be that long.
        max_tokens: the most in any case.
    """
    left = room - min(answer, room // 2)
    return left if max_tokens is None else min(max_tokens, left)


def room_to_answer(context: int, max_tokens: int | None) -> int:
    """Tokens of a context of `context` that a prompt must leave for the answer."""
    most = max(LEAST_ROOM, context // 8)
    return most if max_tokens is None else min(max_tokens, most)


def last_occurrence(tokens: Sequence[int], wanted: Sequence[int]) -> int | None:
    """Index at which `wanted` stands last in `tokens`."""
    width = len(wanted)
    for start in range(len(tokens) - width, -1, -1):
        if tuple(tokens[start : start + width]) == tuple(wanted):
            return start
    return None


def _end_of_first_turn(messages: Sequence[Message]) -> int | None:
    """Index at which the second question begins, if there is one."""
    asked = [i for i, m in enumerate(messages) if m.role == "user"]
    return asked[1] if len(asked) > 1 else None
