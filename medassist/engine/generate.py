"""Answering: prefill, the shared prefill, decode in turns, stop.

An answer is a generator that does one unit of work at each step: a chunk of the
prompt or a token. Two panes are two generators, stepped in turn, so that every
core is on one token of one pane and then on one of the other. Two decodes at a
time would share the cores badly (OpenMP barriers).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from medassist.core.errors import ModelFileError
from medassist.core.values import Figures, Mode, PaneName, Sampling, StopReason, TooLong
from medassist.engine.context import CHUNK, Chunk, matching
from medassist.engine.loaded_pair import LoadedPane
from medassist.engine.prompt import longest_answer, longest_thought, room_to_answer
from medassist.engine.sampler import Sampler
from medassist.engine.wire import Answered, Ask, Reading, Written
from medassist.text.thought_marks import ENDS_MESSAGE
from medassist.text.written import Shown, WrittenText

SHOW_EVERY_S = 0.05
"""Pieces of text are sent at most this often: a process that wakes up for each
token takes the cores from the decode."""

Step = Reading | Written | Answered | None


@dataclass
class RunningAnswer:
    """One pane's answer, in the making.

    Attributes:
        id: the request's number.
        pane: the pane that answers.
        tokens: the prompt.
        sampling: how to go on from it.
        giver: another pane from which chunks of the same prompt can be taken over.
        asked_at: when the question came, by `time.perf_counter`.
        opened: the mark of the thought that the prompt has opened; empty: none.
        before: what is written of the answer, which ends the prompt then.
    """

    id: int
    pane: LoadedPane
    tokens: list[int]
    sampling: Sampling
    giver: LoadedPane | None = None
    asked_at: float = field(default_factory=time.perf_counter)
    opened: str = ""
    before: str = ""
    writing: bool = False
    _read: int = 0
    _reused: int = 0
    _written: int = 0
    _thought: int = 0
    _first_at: float | None = None
    _last_at: float | None = None

    @property
    def almost_writes(self) -> bool:
        """Whether at most one chunk is left to be read before the first token."""
        left = len(self.tokens) - self._reused - self._read
        return not self.writing and left <= CHUNK

    def steps(self) -> Iterator[Step]:
        """Answer: each step is a chunk or a token; the last one is `Answered`.

        Raises:
            ModelFileError: what the model computes shows that its file is damaged.
        EngineError: llama.cpp failed.
        """
        text = WrittenText(
            self.sampling.stop,
            self.pane.ends.stops,
            self.opened,
            before=self.before,
            harmony=self.pane.prompts.speaks_harmony,
        )
        whole = yield from self._prefill()
        reason: StopReason = "stopped"
        if whole:
            self.writing = True
            reason = yield from self._decode(text)
        if rest := text.finish(reason == "end"):
            yield self._piece(rest)
        yield Answered(
            id=self.id,
            pane=self.pane.name,
            text=text.text,
            thought=text.thought,
            figures=self._figures(reason),
            sampling=self.sampling,
        )

    def _figures(self, reason: StopReason) -> Figures:
        return Figures(
            ending=reason,
            tokens_read=self._read,
            tokens_reused=self._reused,
            tokens_written=self._written,
            tokens_thought=self._thought,
            ttft_s=None if self._first_at is None else self._first_at - self.asked_at,
            tok_per_s=self._speed(),
            context_used=self.pane.context.length,
        )

    def _prefill(self) -> Generator[Step, None, bool]:
        context = self.pane.context
        plan = self.pane.prompts.plan(self.tokens)
        kept = context.reuse(plan)
        if self.giver is not None:
            kept = take_over(self.giver, self.pane, plan, kept)
        self._reused = sum(len(c.tokens) for c in plan[:kept])
        yield self._reading()
        for chunk in plan[kept:]:
            if context.aborted or not context.read(chunk):
                return False
            self._read += len(chunk.tokens)
            yield self._reading()
        context.require_sound()
        return True

    def _decode(self, text: WrittenText) -> Generator[Step, None, StopReason]:
        context = self.pane.context
        vocabulary = self.pane.prompts.vocabulary
        room = context.size - context.length
        most = longest_answer(context.size, self.sampling.max_tokens)
        most_thought = longest_thought(room, most, self.sampling.max_thought_tokens)
        pending = Shown()
        shown_at = 0.0
        written = vocabulary.tokenize(self.before, special=False)
        with Sampler(self.sampling, vocabulary.size, written) as sampler:
            while not context.aborted:
                token = sampler.sample(context)
                now = time.perf_counter()
                if self._ends(token, text):
                    reason: StopReason = "end"
                    break
                self._written += 1
                self._first_at = self._first_at or now
                self._last_at = now
                pending = pending.then(self._take(token, text))
                if text.stopped:
                    reason = "end"
                    break
                answered = self._written - self._thought
                if answered >= most or context.length == context.size:
                    reason = "length"
                    break
                if pending and now - shown_at >= SHOW_EVERY_S:
                    yield self._piece(pending)
                    pending, shown_at = Shown(), now
                else:
                    yield None
                if not context.write(token):
                    reason = "stopped"
                    break
                if text.thinking and self._thought >= most_thought:
                    closed = self._close_thought(text)
                    if closed is None:
                        reason = "stopped" if context.aborted else "length"
                        break
                    pending = pending.then(closed)
            else:
                reason = "stopped"
        if pending:
            yield self._piece(pending)
        return reason

    def _ends(self, token: int, text: WrittenText) -> bool:
        """Whether `token` ends all that the model writes."""
        vocabulary = self.pane.prompts.vocabulary
        if text.thinking and vocabulary.thought_marks.get(token) == ENDS_MESSAGE:
            return False  # of the thought: the answer comes in a message of its own
        return vocabulary.ends_answer(token) or token in self.pane.ends.tokens

    def _take(self, token: int, text: WrittenText) -> Shown:
        """Put a token to what was written; what can be shown of it."""
        vocabulary = self.pane.prompts.vocabulary
        piece = vocabulary.piece(token)
        mark = vocabulary.thought_marks.get(token)
        thinking = text.thinking
        shown = text.push_mark(mark, piece) if mark else text.push(piece)
        if shown.restart:
            self._thought = self._written
        elif thinking or text.thinking:
            self._thought += 1
        return shown

    def _close_thought(self, text: WrittenText) -> Shown | None:
        """End a thought in the model's place, so that the answer has room.

        Returns:
            What can be shown of it; `None` where the context is full, or reading was
            stopped.
        """
        context = self.pane.context
        closing = self.pane.prompts.vocabulary.tokenize(text.closing, special=True)
        shown = Shown()
        for token in closing:
            if context.length == context.size or not context.write(token):
                return None
            self._written += 1
            shown = shown.then(self._take(token, text))
        return shown

    def _reading(self) -> Reading:
        return Reading(
            id=self.id,
            pane=self.pane.name,
            done=self._reused + self._read,
            total=len(self.tokens),
            reused=self._reused,
        )

    def _piece(self, shown: Shown) -> Written:
        return Written(
            id=self.id,
            pane=self.pane.name,
            text=shown.text,
            tokens=self._written,
            thought=shown.thought,
            thought_tokens=self._thought,
            restart=shown.restart,
        )

    def _speed(self) -> float | None:
        if self._first_at is None or self._last_at is None or self._written < 2:
            return None
        return (self._written - 1) / max(self._last_at - self._first_at, 1e-9)


def take_over(
    giver: LoadedPane, taker: LoadedPane, plan: list[Chunk], kept: int
) -> int:
    """Let `taker` have what `giver` read of the same `plan`.

    Returns:
        How many chunks of the plan it has then; fewer than `kept` is left alone.
    """
    common = matching(giver.context.chunks, plan[:-1])
    common = next((i for i, c in enumerate(plan[:common]) if c.adapted), common)
    if common <= kept:
        return kept
    taker.context.take_over(giver.context, common)
    return len(taker.context.chunks)


def check_length(
    ask: Ask, panes: Mapping[PaneName, LoadedPane]
) -> list[RunningAnswer] | list[TooLong]:
    """The answers to be made, or, where a prompt does not fit, what does not and why.

    Raises:
        TemplateError: a model's template refused the conversation.
        QuestionRefused: a raw text does not hold what turns the adapter on.
    """
    answers: list[RunningAnswer] = []
    refused: list[TooLong] = []
    asked_at = time.perf_counter()
    for name, question in ask.panes.items():
        pane = panes[name]
        thinking = question.sampling.thinking
        prompts = pane.prompts
        opened = begun = ""
        if not question.raw:
            opened = prompts.template.opened_thought(question.messages, thinking)
        if question.written:
            begun = prompts.begun(question.written, question.thought, opened)
        tokens = (
            prompts.raw(question.raw)
            if question.raw
            else prompts.tokens(question.messages, thinking=thinking, begun=begun)
        )
        size = pane.info.context
        fits = size - room_to_answer(size, question.sampling.max_tokens)
        if len(tokens) > fits:
            refused.append(
                TooLong(
                    pane=name,
                    tokens=len(tokens),
                    fits=fits,
                    droppable=pane.prompts.droppable(question.messages),
                )
            )
        giver = panes.get("base") if pane.info.shares_prefill else None
        answers.append(
            RunningAnswer(
                ask.id,
                pane,
                tokens,
                question.sampling,
                giver,
                asked_at=asked_at,
                opened=opened,
                before=question.written,
            )
        )
    return refused or answers


def take_turns(answers: Iterable[RunningAnswer], mode: Mode) -> Iterator[Step]:
    """The steps of several answers.

    `in-turn`: one answer after the other. `together`: the second pane begins when
    the first one has its first token, so that neither waits for two prompts; from
    then on token by token. A pane that has next to nothing to read, as one that takes
    the prompt over, goes first until it writes too.

    Raises:
        ModelFileError: at the end, that a file was found to be damaged.
        EngineError: llama.cpp failed.
    """
    waiting = deque((answer, answer.steps()) for answer in answers)
    running: deque[tuple[RunningAnswer, Iterator[Step]]] = deque()
    broken: ModelFileError | None = None
    while waiting or running:
        if not running or (mode == "together" and waiting and running[-1][0].writing):
            running.appendleft(waiting.popleft())
        answer, steps = running.popleft()
        try:
            step = next(steps)
        except ModelFileError as error:
            # The other pane's answer is as good as ever, and is written first.
            broken = broken or error
            continue
        if not isinstance(step, Answered):
            place = running.appendleft if answer.almost_writes else running.append
            place((answer, steps))
        yield step
    if broken is not None:
        raise broken


def prepare(pane: LoadedPane, tokens: list[int]) -> None:
    """Read a finished conversation into the pane's cache, until that is aborted.

    Raises:
        EngineError: llama.cpp failed.
    """
    plan = pane.prompts.settled(tokens)
    if matching(pane.context.chunks, plan) == len(plan):
        return
    # A preparation wants no logits, so unlike a prompt's its last chunk may be kept:
    # the plan handed over has one more.
    kept = pane.context.reuse([*plan, plan[-1]])
    for chunk in plan[kept:]:
        if pane.context.aborted or not pane.context.read(chunk):
            return
