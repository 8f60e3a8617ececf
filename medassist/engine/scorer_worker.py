"""The scorer's child process: loads a GGUF and computes logits.

It gives up network and file system before it opens the file (`confined`). Started by
`scorer` alone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from medassist.core.errors import EngineError, file_of
from medassist.core.gguf import shards
from medassist.engine.frames import FrameTooLarge, Opening, Refused
from medassist.engine.scorer_wire import (
    COMMANDS,
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
    Rows,
    TokenIds,
    Tokenize,
    Write,
)

if TYPE_CHECKING:
    from medassist.engine.child_startup import Confined
    from medassist.engine.prompt import Prompts
    from medassist.engine.scorer_model import ScorerModel
    from medassist.engine.vocabulary import Vocabulary
    from medassist.engine.weights import Adapter, Weights

CPU_ONLY = 0


class _ScorerWorker:
    def __init__(self, process: Confined, stack: ExitStack) -> None:
        self._process = process
        self._channel = process.channel
        self._stack = stack
        self._vocabulary: Vocabulary | None = None
        self._reading: ScorerModel | None = None
        self._prompts: Callable[[], Prompts] | None = None

    def run(self) -> None:
        opened = False
        while (command := self._channel.receive(COMMANDS)) is not None:
            try:
                match command:
                    case OpenScorer() | OpenVocabulary() if opened:
                        raise EngineError("A model is loaded already.")
                    case OpenScorer():
                        self._open(command)
                        opened = True
                    case OpenVocabulary():
                        self._open_vocabulary(command)
                        opened = True
                    case _:
                        self._answer(command)
            except EngineError as error:
                self._send(Refused(message=str(error), file=file_of(error)))
                if not opened:
                    return

    def _open(self, command: OpenScorer) -> None:
        # Native libraries first: once files are out of reach they cannot be loaded.
        from medassist.engine.loaded_pair import template_of
        from medassist.engine.prompt import Prompts
        from medassist.engine.scorer_model import ScorerModel
        from medassist.engine.weights import Adapter, Weights, start_llama

        start_llama()
        named = [command.model, *([command.adapter] if command.adapter else [])]
        self._keep(named)
        self._send(Opening(file=command.model))
        enter = self._stack.enter_context
        weights = enter(Weights(command.model, CPU_ONLY, _go_on))
        adapter = None
        if command.adapter is not None:
            self._send(Opening(file=command.adapter))
            adapter = enter(Adapter(weights, command.adapter))
        self._send(Opening(file=command.model))
        self._reading = enter(
            ScorerModel(
                weights,
                adapter,
                context=min(command.context, weights.trained_context),
                batch=command.batch,
                exact=command.exact,
                threads=command.threads,
                flash=command.flash,
            )
        )
        self._vocabulary = weights.vocabulary
        # A broken template is the concern of those who ask by it.
        self._prompts = cache(
            lambda: Prompts(weights.vocabulary, template_of(weights, adapter))
        )
        self._send(_opened(weights, adapter, self._reading))

    def _open_vocabulary(self, command: OpenVocabulary) -> None:
        from medassist.engine.weights import VocabularyAlone, start_llama

        start_llama()
        self._keep([command.model])
        self._send(Opening(file=command.model))
        found = self._stack.enter_context(VocabularyAlone(command.model))
        self._vocabulary = found.vocabulary
        self._send(_told(found.vocabulary, found.template))

    def _keep(self, named: list[Path]) -> None:
        files = {file.resolve() for file in named}
        self._process.keep_files({part for file in files for part in shards(file)})

    def _answer(self, command: Command) -> None:
        vocabulary, reading = self._vocabulary, self._reading
        prompts = self._prompts
        match command:
            case Render() if prompts is not None:
                # An exam asks for the answer itself: a model that can think does not.
                text = prompts().render(command.messages, thinking="off")
                self._send(Rendered(text=text))
            case Tokenize(rendered=True) if prompts is not None:
                self._send(TokenIds(tokens=tuple(prompts().read(command.text))))
            case Tokenize() if vocabulary is not None:
                tokens = vocabulary.tokenize(
                    command.text, special=command.special, whole=command.whole
                )
                self._send(TokenIds(tokens=tuple(tokens)))
            case Describe() if vocabulary is not None:
                self._send(_described(vocabulary, command))
            case ReadTokens() if reading is not None:
                logits = reading.logits(
                    command.tokens,
                    command.first,
                    command.adapted_from,
                    command.shared,
                )
                rows, columns = logits.shape
                self._channel.send(Rows(rows=rows, columns=columns), logits.data)
            case Write() if reading is not None:
                written = reading.greedy(
                    command.tokens, command.count, command.adapted_from
                )
                self._send(TokenIds(tokens=tuple(written)))
            case _:
                raise EngineError("No weights are loaded.")

    def _send(self, reply: BaseModel) -> None:
        try:
            self._channel.send(reply)
        except FrameTooLarge as error:
            raise EngineError(f"The vocabulary is too large: {error}.") from None


def _told(vocabulary: Vocabulary, template: str | None) -> OpenedVocabulary:
    return OpenedVocabulary(
        size=vocabulary.size,
        bos=vocabulary.bos,
        eos=vocabulary.eos,
        adds_bos=vocabulary.adds_bos,
        template=template,
    )


def _opened(weights: Weights, adapter: Adapter | None, reading: ScorerModel) -> Opened:
    from medassist.engine.weights import template_in

    vocabulary = weights.vocabulary
    begins = vocabulary.adds_bos and vocabulary.bos >= 0
    return Opened(
        architecture=weights.header.architecture,
        quantization=weights.header.quantization,
        size=vocabulary.size,
        trained_context=weights.trained_context,
        context=reading.context,
        bos=vocabulary.bos if begins else None,
        vocabulary=_told(vocabulary, template_in(weights.model)),
        invocation=adapter.invocation if adapter else (),
    )


def _described(vocabulary: Vocabulary, asked: Describe) -> Described:
    tokens = range(max(0, asked.first), min(asked.first + asked.count, vocabulary.size))
    return Described(
        texts=tuple(vocabulary.text(token) for token in tokens),
        pieces=tuple(vocabulary.piece(token) for token in tokens),
        control=tuple(vocabulary.is_control(token) for token in tokens),
        ends=tuple(vocabulary.ends_answer(token) for token in tokens),
    )


def _go_on(_fraction: float) -> bool:
    return True


def serve(process: Confined) -> None:
    """Load the file that the app names, and answer until the app goes."""
    with ExitStack() as stack:
        _ScorerWorker(process, stack).run()
