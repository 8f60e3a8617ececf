"""`medassist ask`: one question to both models, without a screen.

Answers go to standard output, everything else to standard error, so that a pipe
carries answers alone. What is printed how is in `ask_print.py`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, BinaryIO

from medassist.commands.ask_print import (
    AnswerOutput,
    AnswersAsJson,
    AnswersAsText,
    StatusLine,
)
from medassist.core.errors import EngineError, LoadStopped, MedassistError
from medassist.core.files import without_line_end
from medassist.core.values import (
    EngineOptions,
    Mode,
    PairFiles,
    PaneName,
    Sampling,
    TooLong,
)
from medassist.library.registry import NamedPair, PaneSettings
from medassist.session.checked_question import CheckedQuestion
from medassist.session.choice import Choice
from medassist.session.pair import Pair
from medassist.session.pair_engine import MakeEngine
from medassist.session.session import Session
from medassist.settings import Settings
from medassist.starter import demonstration

if TYPE_CHECKING:
    from medassist.safety.red_flags.conversation import Raised

# Longer than any context there is; an endless pipe must not fill the memory.
MAX_QUESTION_BYTES = 16 * 1024 * 1024


class ExitCode(IntEnum):
    """Exit codes of `medassist ask`."""

    ANSWERED = 0
    FAILED = 1
    USAGE = 2
    TOO_LONG = 3
    STOPPED = 130
    PIPE_CLOSED = 141


class AskError(MedassistError):
    """The question cannot be asked as given; the message says what to change."""

    def __init__(self, message: str, code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(message)
        self.code = code
        self.exit_code = int(code)


@dataclass(frozen=True)
class AskRequest:
    """A question, the models to ask, and sampling."""

    question: str
    files: PairFiles
    panes: tuple[PaneName, ...]
    """Panes that answer: one or both of those of `files`."""
    mode: Mode
    sampling: Sampling
    options: EngineOptions = EngineOptions()
    system: str | None = None
    by_pane: Mapping[PaneName, tuple[str | None, Sampling]] = field(
        default_factory=dict[PaneName, tuple[str | None, Sampling]]
    )
    """System message and sampling of a pane that has its own in the library."""
    notice: str | None = None
    """A sentence that stands beside every answer of this pair."""
    lacking: str = ""
    """Why it is not the pair that it could be, where the user named none."""
    json: bool = False


def read_question(argument: str, stdin: BinaryIO) -> str:
    """The question: `argument` itself, or where that is `-`, all of `stdin`.

    The line end that closes the last line is no part of it, as in a shell's `$(...)`:
    typed on the screen, the question has none, and one more token is another prompt.

    Raises:
        AskError: it is empty, no UTF-8, or too large to be a question.
    """
    if argument != "-":
        # Bytes of the command line that are no UTF-8 arrive as lone surrogates.
        raw = os.fsencode(argument)
        source = "The question"
    else:
        raw = stdin.read(MAX_QUESTION_BYTES + 1)
        source = "The question on standard input"
        if len(raw) > MAX_QUESTION_BYTES:
            raise AskError(
                f"{source} is longer than {MAX_QUESTION_BYTES // 2**20} MiB, which "
                "no model can read. Shorten it.",
                ExitCode.TOO_LONG,
            )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AskError(
            f"{source} is not UTF-8: byte {raw[error.start]:#04x} at position "
            f"{error.start:,}. Convert it, for example with iconv -t UTF-8."
        ) from None
    if argument == "-":
        text = without_line_end(text)
    if not text.strip():
        raise AskError(f"{source} is empty. Write one, or - to read standard input.")
    return text


def choose_files(
    base: Path | None, tuned: Path | None, adapter: Path | None, only: PaneName | None
) -> tuple[PairFiles, str | None]:
    """The files to load and the sentence that goes with them.

    With `only`, nothing is loaded that this pane does not need.

    Raises:
        AskError: these files do not make a pair, or have no pane `only`.
    """
    files = _pair(base, tuned, adapter)
    if only and only not in files.panes:
        needs = "--base" if only == "base" else "--tuned or --adapter"
        raise AskError(f"--only {only} needs a {only} model: name it with {needs}.")
    if only == "base":
        files = PairFiles(base=files.base)
    elif only == "tuned" and files.tuned:
        files = PairFiles(tuned=files.tuned)
    return files, demonstration(files).notice or None


def _pair(base: Path | None, tuned: Path | None, adapter: Path | None) -> PairFiles:
    # What PairFiles refuses, said in the words of the command line.
    if adapter and not base:
        raise AskError("--adapter needs the model it was trained on: add --base FILE.")
    if adapter and tuned:
        raise AskError("Give --adapter or --tuned, not both.")
    return PairFiles(base=base, tuned=tuned, adapter=adapter)


def run(request: AskRequest, make_engine: MakeEngine) -> ExitCode:
    """Ask, print, and return the exit code.

    `make_engine` is `medassist.engine.client.Engine`.

    Raises:
        AskError: the question does not fit.
        EngineError: the pair cannot be loaded, or its process ended.
        OSError: standard output cannot be written.
    """
    status = StatusLine(sys.stderr)
    output: AnswerOutput = (
        AnswersAsJson(
            request.question, request.mode, request.files, request.notice, status
        )
        if request.json
        else AnswersAsText(request.question, request.panes, request.notice, status)
    )
    try:
        return asyncio.run(_run(request, make_engine, output))
    except BrokenPipeError:
        # Whoever read the answer has read enough. Python would complain once more
        # when it flushes standard output at its end.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.PIPE_CLOSED
    finally:
        status.clear()


async def _run(
    request: AskRequest, make_engine: MakeEngine, output: AnswerOutput
) -> ExitCode:
    pair = Pair(
        Choice(request.files.base, request.files.tuned, request.files.adapter),
        lambda files, _settings: make_engine(files, request.options),
        NamedPair(panes={pane: _asked(request, pane) for pane in request.panes}),
    )
    session = Session(pair, PrintingListener(), FlagsTold(output))
    interrupts = _Interrupts(session)
    try:
        with interrupts:
            await _ask(session, request, output)
            await output.finished(lambda: interrupts.count > 0)
    except (LoadStopped, asyncio.CancelledError):
        if not interrupts.count:
            raise
    except EngineError as error:
        await output.failed(str(error))
        raise
    finally:
        await session.close()
    return ExitCode.STOPPED if interrupts.count else ExitCode.ANSWERED


def _asked(request: AskRequest, pane: PaneName) -> PaneSettings:
    plain = (request.system, request.sampling)
    system, sampling = request.by_pane.get(pane, plain)
    return PaneSettings(system=system or "", sampling=sampling)


async def _ask(session: Session, request: AskRequest, output: AnswerOutput) -> None:
    settings = Settings()
    asked = session.begin(request.question, request.sampling.seed, request.panes)
    # Beside the loading, which takes longer, the question is checked; what is found
    # is told even if the models do not load.
    loading = asyncio.create_task(_load(session, request, settings, output))
    try:
        outcome = await session.answer(asked, settings, request.mode, output.take)
    finally:
        loading.cancel()
        await asyncio.wait([loading])
    if outcome.too_long:
        raise _does_not_fit(outcome.too_long)
    if session.pair.error is not None:
        raise session.pair.error


async def _load(
    session: Session, request: AskRequest, settings: Settings, output: AnswerOutput
) -> None:
    pair = session.pair
    await session.load(settings, output.loading)
    if pair.state == "ready":
        lacking = (request.lacking,) if request.lacking else ()
        output.loaded(pair.infos, (*lacking, *pair.notices), pair.confined)


def _does_not_fit(too_long: Sequence[TooLong]) -> AskError:
    worst = max(too_long, key=lambda t: t.tokens - t.fits)
    return AskError(
        f"The question does not fit: it takes {worst.tokens:,} tokens and the "
        f"{worst.pane} model has room for {worst.fits:,}. Nothing was run and "
        "nothing was cut. Shorten it, or give more room with --context if the "
        "model was trained for more.",
        ExitCode.TOO_LONG,
    )


class PrintingListener:
    """Prints what the session of one question has to say."""

    def say(self, sentence: str, warning: bool = False) -> None: ...
    def record_changed(self) -> None: ...


class FlagsTold:
    """Prints the red flags of the question before a model is asked."""

    def __init__(self, output: AnswerOutput) -> None:
        self._output = output

    def show(self, raised: Sequence[Raised], reason: str, foreign: bool) -> None:
        if not (raised or reason or foreign):
            return
        from medassist.safety.language import NOTICE

        problem = f"the question was not checked for red flags: {reason}"
        checked = CheckedQuestion(
            raised, problem if reason else "", NOTICE if foreign else ""
        )
        with suppress(OSError, ValueError):  # nobody reads standard error
            self._output.checked(checked)

    async def wait_for_refresh(self) -> bool:
        return True


class _Interrupts:
    """Ctrl-C while it is entered: the first stops the session, the second all.

    A stopped session still hands over what it wrote. Set by `signal.signal`, since
    Windows has no other way.
    """

    def __init__(self, session: Session) -> None:
        self.count = 0
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._before: object = None

    def __enter__(self) -> None:
        with suppress(ValueError):  # not in the main thread: there are none to catch
            self._before = signal.signal(signal.SIGINT, self._caught)

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)  # pyright: ignore[reportArgumentType]

    def _caught(self, number: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._interrupt)

    def _interrupt(self) -> None:
        self.count += 1
        if self.count == 1:
            self._session.stop()
        elif self._task is not None:
            self._task.cancel()
