"""Client of the scorer: a GGUF in a child process that gives logits for exams."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from medassist.core.errors import EngineDied, EngineError
from medassist.core.gguf import read_header
from medassist.core.processor import physical_cores
from medassist.core.values import Message
from medassist.engine.child import ChildEnded
from medassist.engine.gguf_client import GgufClient
from medassist.engine.scorer_wire import (
    REPLIES,
    Command,
    Describe,
    Described,
    Opened,
    OpenedVocabulary,
    OpenScorer,
    OpenVocabulary,
    ReadTokens,
    Render,
    Rendered,
    Reply,
    Rows,
    TokenIds,
    Tokenize,
    Write,
)
from medassist.exams.chunks import CONTEXT, LEAST_CHUNKS, ScoredChunk, chunks_of
from medassist.exams.log_probs import Logits

WORKER = "medassist.engine.scorer_worker"
BATCH = 512
TOKENS_AT_ONCE = 4096
BLANK = "\u2581"


class _ScorerClient(GgufClient[Reply]):
    """A scorer process."""

    def __init__(self, model: Path, adapter: Path | None = None) -> None:
        super().__init__(WORKER, REPLIES, model, adapter, when="while it read a text")

    def _tokens(self, command: Command) -> list[int]:
        reply = self._ask(command)
        if not isinstance(reply, TokenIds):
            raise self._out_of_turn(reply)
        return list(reply.tokens)


class GgufScorer(_ScorerClient):
    """A GGUF, perhaps with an adapter, in a scorer process; close it after use.

    Args:
        model: a GGUF file, the first one of a split model.
        adapter: a GGUF adapter of it.
        context: tokens of the longest text; less where the model was trained on less.
        batch: tokens that are computed at once. Of texts that begin alike whole batches
            are read once, so a smaller one suits many short texts; the last bits of
            the logits depend on it.
        exact: an F32 cache and no flash attention, to find what a conversion did; a
            damaged file's logits are given as they are.
        threads: that compute; by default one for each core.
        flash: whether llama.cpp may choose flash attention; llama-perplexity lets it.
            A processor reads a few tokens behind hundreds half as fast with it.

    Attributes:
        opened: what the file says of itself.
        vocabulary: its tokens and chat template, by the same child.

    Raises:
        EngineError: the file is no model, is damaged, or does not fit.
        EngineDied: the child ended on it.
    """

    def __init__(
        self,
        model: Path,
        adapter: Path | None = None,
        *,
        context: int = CONTEXT,
        batch: int = BATCH,
        exact: bool = False,
        threads: int | None = None,
        flash: bool = True,
    ) -> None:
        super().__init__(model, adapter)
        opened = self._open(
            OpenScorer(
                model=model.absolute(),
                adapter=adapter and adapter.absolute(),
                context=context,
                batch=batch,
                exact=exact,
                threads=threads or physical_cores(),
                flash=flash,
            )
        )
        if not isinstance(opened, Opened):
            raise self._out_of_turn(opened)
        self.opened = opened

    @cached_property
    def vocabulary(self) -> GgufVocabulary:
        return _ScorersVocabulary(self)

    def tokenize(self, text: str) -> list[int]:
        """The tokens of `text` as this model reads it, with its BOS where it has one.

        Raises:
            EngineDied: the child ended.
        """
        tokens = self._tokens(Tokenize(text=text))
        return tokens if self.opened.bos is None else [self.opened.bos, *tokens]

    def rendered(self, messages: Sequence[Message]) -> str:
        """A conversation by the chat template, up to where the answer begins.

        It is a text for `tokenize_rendered`: what only looks like control is marked.

        Raises:
            EngineError: the template is broken, or refuses it.
            EngineDied: the child ended.
        """
        reply = self._ask(Render(messages=tuple(messages)))
        if not isinstance(reply, Rendered):
            raise self._out_of_turn(reply)
        return reply.text

    def tokenize_rendered(self, text: str) -> list[int]:
        """The tokens of what `rendered` gave, perhaps with an answer's beginning.

        Raises:
            EngineDied: the child ended.
        """
        return self._tokens(Tokenize(text=text, rendered=True))

    def chunks(self, text: str) -> list[ScoredChunk]:
        """`text` cut into chunks for this model, as llama-perplexity cuts it.

        Raises:
            EngineError: it is too short to say anything.
            EngineDied: the child ended.
        """
        tokens = self.tokenize(text)
        found = chunks_of(tokens, self.opened.bos, self.opened.context)
        if len(found) < LEAST_CHUNKS:
            least = LEAST_CHUNKS * self.opened.context
            raise EngineError(
                f"the text has {len(tokens):,} tokens for {self.model.name}, and at "
                f"least {least:,} are needed. Give a longer one."
            )
        return found

    def logits(
        self,
        tokens: Sequence[int],
        first: int = 0,
        adapted_from: int | None = None,
        shared: int = 0,
    ) -> Logits:
        """The logits after each of `tokens` from position `first` on: (T, V).

        Args:
            tokens: what is read, from the start of a text.
            first: the first position whose logits are wanted.
            adapted_from: the position from which the adapter counts; by default it
                counts nowhere.
            shared: tokens at its start that other texts begin with, too; one after the
                other they are read once.

        Raises:
            EngineError: the text is too long, or a token is none of this model.
            EngineDied: the child ended.
        """
        reply = self._ask(
            ReadTokens(
                tokens=tuple(tokens),
                first=first,
                shared=shared,
                adapted_from=adapted_from,
            )
        )
        if not isinstance(reply, Rows):
            raise self._out_of_turn(reply)
        if reply.rows != len(tokens) - first or reply.columns != self.opened.size:
            raise self._out_of_turn(reply)
        rows = np.empty((reply.rows, reply.columns), np.float32)
        if rows.size:
            try:
                self._child.receive_into(rows.data.cast("B"))
            except ChildEnded as ended:
                raise self._death(ended) from None
        return rows

    def greedy(
        self, tokens: Sequence[int], count: int, adapted_from: int | None = None
    ) -> list[int]:
        """The `count` likeliest tokens after `tokens`; fewer where the context ends.

        Raises:
            EngineError: as `logits`.
            EngineDied: the child ended.
        """
        return self._tokens(
            Write(tokens=tuple(tokens), count=count, adapted_from=adapted_from)
        )


class GgufVocabulary(_ScorerClient):
    """Tokens and chat template of a GGUF, as llama.cpp reads them.

    Close it after use.

    Args:
        model: a GGUF with a vocabulary; it may hold nothing else.

    Attributes:
        size: its tokens.
        bos: the token that begins a text, or -1.
        eos: the token that ends a text, or -1.
        adds_bos: every text is read with `bos` in front.
        template: the chat template in the file.

    Raises:
        EngineError: llama.cpp cannot load it.
        EngineDied: the child ended on it, here or while it is asked.
    """

    def __init__(self, model: Path) -> None:
        read_header(model)  # what is wrong with the file it says best
        super().__init__(model)
        opened = self._open(OpenVocabulary(model=model.absolute()))
        if not isinstance(opened, OpenedVocabulary):
            raise self._out_of_turn(opened)
        self._take(opened)

    def _take(self, told: OpenedVocabulary) -> None:
        self.size = told.size
        self.bos, self.eos = told.bos, told.eos
        self.adds_bos = told.adds_bos
        self.template = told.template

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """The ids of `text`; `special`: the text of a control token stands for it."""
        return self._tokens(Tokenize(text=text, special=special))

    def whole(self, text: str) -> list[int]:
        """The ids of `text` with BOS and EOS where the GGUF says so."""
        return self._tokens(Tokenize(text=text, special=True, whole=True))

    def text(self, token: int) -> str:
        """The spelling of `token` in the vocabulary; empty if there is none."""
        return self._described.texts[token] if 0 <= token < self.size else ""

    def piece(self, token: int) -> bytes:
        """The bytes that `token` writes; control tokens write none."""
        return self._described.pieces[token]

    def is_control(self, token: int) -> bool:
        """Whether llama.cpp takes `token` for control, whatever the file says."""
        return self._described.control[token]

    def ends_answer(self, token: int) -> bool:
        """Whether `token` ends a generation."""
        return self._described.ends[token]

    @cached_property
    def adds_blank(self) -> bool:
        """Whether llama.cpp puts a blank before the text."""
        ids = self.tokenize("a", special=False)
        return bool(ids) and self.text(ids[0]).startswith(BLANK)

    @cached_property
    def pads(self) -> bool:
        """Whether a leading blank of a text gets a second one."""
        ids = self.tokenize(" a", special=False)
        return "".join(map(self.text, ids)).count(BLANK) > 1

    @cached_property
    def _described(self) -> Described:
        parts: list[Described] = []
        for first in range(0, self.size, TOKENS_AT_ONCE):
            reply = self._ask(Describe(first=first, count=TOKENS_AT_ONCE))
            asked = min(TOKENS_AT_ONCE, self.size - first)
            if not isinstance(reply, Described) or any(
                len(told) != asked
                for told in (reply.texts, reply.pieces, reply.control, reply.ends)
            ):
                raise self._out_of_turn(reply)
            parts.append(reply)
        return Described(
            texts=tuple(chain.from_iterable(part.texts for part in parts)),
            pieces=tuple(chain.from_iterable(part.pieces for part in parts)),
            control=tuple(chain.from_iterable(part.control for part in parts)),
            ends=tuple(chain.from_iterable(part.ends for part in parts)),
        )


class _ScorersVocabulary(GgufVocabulary):
    """The vocabulary of an open scorer, which closes it."""

    def __init__(self, scorer: GgufScorer) -> None:
        self._scorer = scorer
        self.model = scorer.model
        self._take(scorer.opened.vocabulary)

    def close(self) -> None:
        """The scorer does so."""

    def _ask(self, command: BaseModel) -> Reply:
        return self._scorer._ask(command)

    def _out_of_turn(self, reply: Reply) -> EngineDied:
        return self._scorer._out_of_turn(reply)
