"""Output of `medassist ask`: text or JSON, and a status line.

Standard output carries the answers alone. As text, two answers stand one below the
other: on a terminal the first is shown as it is written, and what the second writes
meanwhile waits until the first has ended. A pipe gets an answer as a whole, unless it
is long, for what looks like one can turn out to be a thought. What a model wrote is
cleaned before a terminal sees it; JSON escapes everything beyond ASCII, so it needs no
cleaning.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol, TextIO

from medassist.core.clean import Cleaner, clean
from medassist.core.values import Mode, PairFiles, PaneInfo, PaneName
from medassist.engine.wire import Answered, Loading, Reading, Written
from medassist.library.hashes import remembered_sha256
from medassist.session.checked_question import CheckedQuestion

LOOK_EVERY_S = 0.05
HELD_TOKENS = 1024
"""So long what looks like an answer is held back from a pipe."""


class AnswerOutput(Protocol):
    """Protocol: receives the events of one question."""

    def checked(self, checked: CheckedQuestion) -> None: ...
    def loading(self, event: Loading) -> None: ...
    def loaded(
        self,
        infos: Mapping[PaneName, PaneInfo],
        notices: Sequence[str],
        confined: str | None,
    ) -> None: ...
    def take(self, event: Reading | Written | Answered) -> None: ...
    async def finished(self, stopped: Callable[[], bool]) -> None: ...
    async def failed(self, message: str) -> None: ...


class StatusLine:
    """A status line that is redrawn in place; silent without a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shows = stream.isatty()
        self._drawn = ""

    def show(self, text: str) -> None:
        if not self._shows or text == self._drawn:
            return
        self._drawn = text
        width = shutil.get_terminal_size().columns - 1
        self._stream.write(f"\r\x1b[K{one_line(text)[:width]}")
        self._stream.flush()

    def clear(self) -> None:
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._drawn = ""

    def say(self, text: str, always: bool = True) -> None:
        """Print a line that stays; unless `always`, only on a terminal."""
        if always or self._shows:
            self.clear()
            self._stream.write(f"{clean(text)}\n")
            self._stream.flush()

    def checked(self, checked: CheckedQuestion) -> None:
        for line in checked.lines:
            self.say(f"medassist: {line}")

    def warned(self, pane: PaneName, warnings: Sequence[str]) -> None:
        """Say what of a finished answer is worth a second look."""
        for line in warnings:
            self.say(f"medassist: check the {pane} model's answer: {line}")

    def loading(self, event: Loading) -> None:
        self.show(f"loading {one_line(event.file.name)} {event.fraction:.0%}")

    def reading(self, event: Reading) -> None:
        self.show(f"{event.pane}: reading {event.done:,} of {event.total:,} tokens")


def _print(text: str) -> None:
    """Write to standard output at once; an error names it."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from None


def one_line(text: str) -> str:
    """`text` from a file, fit for one line of a terminal."""
    return " ".join(clean(text).split())


def _warnings(
    question: str, pane: PaneName, answered: Mapping[PaneName, Answered]
) -> tuple[str, ...]:
    """What the screen says below the answer of `pane` too; rules are read only now."""
    from medassist.safety.review import review

    other = "".join(one.text for of, one in answered.items() if of != pane)
    return review(question, answered[pane].text, other).warnings


class AnswersAsText:
    """Prints answers as they are written, under headings where there are two."""

    def __init__(
        self,
        question: str,
        panes: Sequence[PaneName],
        notice: str | None,
        status: StatusLine,
    ) -> None:
        self._question = question
        self._panes = tuple(panes)
        self._notice = notice
        self._status = status
        self._info: Mapping[PaneName, PaneInfo] = {}
        self._cleaners = {pane: Cleaner() for pane in panes}
        self._waiting = dict.fromkeys(panes, "")
        self._answered: dict[PaneName, Answered] = {}
        self._live = 0
        self._started = False
        self._begun = False
        """Something of the live answer stands on the line."""

    def checked(self, checked: CheckedQuestion) -> None:
        self._status.checked(checked)

    @property
    def _live_pane(self) -> PaneName | None:
        return self._panes[self._live] if self._live < len(self._panes) else None

    def loading(self, event: Loading) -> None:
        self._status.loading(event)

    def loaded(
        self,
        infos: Mapping[PaneName, PaneInfo],
        notices: Sequence[str],
        confined: str | None,
    ) -> None:
        self._status.clear()
        self._info = infos
        for notice in notices:
            self._status.say(f"medassist: {one_line(notice)}")

    def _begin(self) -> None:
        """Print what stands above the first answer, once there is one."""
        if self._started:
            return
        self._started = True
        if self._notice and len(self._panes) == 1:
            # One answer alone is for a pipe, where it must stand alone.
            self._status.say(f"medassist: {self._notice}")
        elif self._notice:
            _print(f"{self._notice}\n\n")
        self._heading()

    def take(self, event: Reading | Written | Answered) -> None:
        match event:
            case Reading():
                self._reading(event)
            case Written():
                self._written(event)
            case Answered():
                self._finish(event)

    def _reading(self, event: Reading) -> None:
        self._begin()
        if event.pane == self._live_pane and not self._begun:
            self._status.reading(event)

    def _written(self, event: Written) -> None:
        self._begin()
        pane = event.pane
        if event.restart:
            self._restart(pane)
        text = self._cleaners[pane].push(event.text)
        if pane == self._live_pane and not self._may_be_thought(event):
            waited, self._waiting[pane] = self._waiting[pane], ""
            self._answer(waited + text)
        else:
            self._waiting[pane] += text
            if pane == self._live_pane:
                self._status.show(f"{pane}: thinking, {event.tokens:,} tokens")

    def _may_be_thought(self, event: Written) -> bool:
        """Whether what comes as the answer can still turn out to be a thought.

        A model may close a thought that nobody has seen it open. What is printed
        cannot be taken back: for a pipe it waits for a good while, for who reads
        along only where the model is known to think.
        """
        if not sys.stdout.isatty():
            return event.tokens <= HELD_TOKENS
        info = self._info.get(event.pane)
        told_apart = event.restart or event.thought_tokens > 0
        return bool(info and info.thinks) and not told_apart

    def _restart(self, pane: PaneName) -> None:
        self._cleaners[pane] = Cleaner()
        self._waiting[pane] = ""
        if pane == self._live_pane and self._begun:
            self._status.say(
                f"medassist: what stands above is what the {pane} model thought; its "
                "answer follows."
            )
            _print("\n\n")

    def _finish(self, event: Answered) -> None:
        self._begin()
        self._answered[event.pane] = event
        self._waiting[event.pane] += self._cleaners[event.pane].finish()
        if event.pane != self._live_pane:
            return
        # The answers after this one may be finished too.
        while (pane := self._live_pane) and (answer := self._answered.get(pane)):
            self._answer(self._waiting[pane])
            self._end(answer)
            self._live += 1
            self._begun = False
            if self._live_pane:
                _print("\n")
                self._heading()

    async def finished(self, stopped: Callable[[], bool]) -> None:
        """Do nothing: all has been printed already."""

    async def failed(self, message: str) -> None:
        if self._live_pane:
            self._answer(self._waiting[self._live_pane])
        if self._begun:
            _print("\n")

    def _heading(self) -> None:
        pane = self._live_pane
        if pane is None or len(self._panes) == 1:
            return
        info = self._info[pane]
        name = f"{one_line(info.name)} {one_line(info.quantization)}"
        if info.adapter:
            name += f" with {one_line(info.adapter.name)}"
        _print(f"## {pane}: {name}\n\n")

    def _answer(self, text: str) -> None:
        if not text:
            return
        self._status.clear()
        self._begun = True
        _print(text)

    def _end(self, answer: Answered) -> None:
        self._status.clear()
        _print("\n")
        figures = answer.figures
        if figures.ending == "length":
            most = answer.sampling.max_tokens
            reached = most is not None and figures.tokens_answered >= most
            more = "--max-tokens" if reached else "a larger --context"
            self._status.say(
                f"medassist: the {answer.pane} model's answer was cut off after "
                f"{figures.tokens_answered:,} tokens; {more} allows more."
            )
        elif figures.ending == "stopped":
            self._status.say(f"medassist: the {answer.pane} model was stopped.")
        if answer.thought and not answer.text.strip():
            self._status.say(
                f"medassist: the {answer.pane} model thought for "
                f"{figures.tokens_thought:,} tokens and gave no answer; --json shows "
                "the thought."
            )
        elif answer.thought:
            self._status.say(
                f"{answer.pane}: thought for {figures.tokens_thought:,} tokens, which "
                "--json shows",
                always=False,
            )
        if figures.ttft_s is not None and figures.tok_per_s is not None:
            self._status.say(
                f"{answer.pane}: {figures.tokens_written:,} tokens, "
                f"{figures.tok_per_s:.1f} tok/s, first after {figures.ttft_s:.2f} s",
                always=False,
            )
        self._status.warned(
            answer.pane, _warnings(self._question, answer.pane, self._answered)
        )


class AnswersAsJson:
    """Prints one JSON object when all is done.

    Of each answer it tells the sha256 of its files. They are hashed from the start,
    in a thread that does not hold up the end of the program.
    """

    def __init__(
        self,
        question: str,
        mode: Mode,
        files: PairFiles,
        notice: str | None,
        status: StatusLine,
    ) -> None:
        self._question = question
        self._mode = mode
        self._files = files
        self._notice = notice
        self._status = status
        self._confined: str | None = None
        self._checked = CheckedQuestion()
        self._notices: tuple[str, ...] = ()
        self._answered: dict[PaneName, Answered] = {}
        self._tokens: dict[PaneName, int] = {}
        every = (file for pane in files.panes for file in files.files(pane))
        self._hashes = _hashes(tuple(dict.fromkeys(every)))

    def checked(self, checked: CheckedQuestion) -> None:
        self._checked = checked
        self._status.checked(checked)

    def loading(self, event: Loading) -> None:
        self._status.loading(event)

    def loaded(
        self,
        infos: Mapping[PaneName, PaneInfo],
        notices: Sequence[str],
        confined: str | None,
    ) -> None:
        self._confined = confined
        self._notices = tuple(notices)
        for notice in notices:
            self._status.say(f"medassist: {one_line(notice)}")

    def take(self, event: Reading | Written | Answered) -> None:
        match event:
            case Reading():
                self._status.reading(event)
            case Written():
                self._tokens[event.pane] = event.tokens
                counts = ", ".join(f"{p} {n:,}" for p, n in self._tokens.items())
                self._status.show(f"writing, tokens: {counts}")
            case Answered():
                self._answered[event.pane] = event

    async def finished(self, stopped: Callable[[], bool]) -> None:
        await self._object(stopped, None)

    async def failed(self, message: str) -> None:
        """Print what was answered, with `error`."""
        await self._object(lambda: False, message)

    async def _object(self, stopped: Callable[[], bool], error: str | None) -> None:
        found: dict[str, Any] = {
            "question": self._question,
            "mode": self._mode,
            "confined": self._confined,
            "notice": self._notice,
            "notices": self._notices,
            "red_flags": self._checked.as_json,
            "language_notice": self._checked.language or None,
            "answers": {
                pane: await self._answer(self._answered[pane], stopped)
                for pane in self._files.panes
                if pane in self._answered
            },
        }
        if error is not None:
            found["error"] = error
        self._status.clear()
        _print(json.dumps(found, indent=2) + "\n")

    async def _answer(
        self, answer: Answered, stopped: Callable[[], bool]
    ) -> dict[str, Any]:
        weights, *adapter = self._files.files(answer.pane)
        figures = answer.figures
        found: dict[str, Any] = {
            "text": answer.text,
            "thought": answer.thought or None,
            "thought_tokens": figures.tokens_thought,
            "model": str(weights),
            "sha256": await self._sha256(weights, stopped),
            "tokens_read": figures.tokens_read,
            "tokens_reused": figures.tokens_reused,
            "tokens_written": figures.tokens_written,
            "ttft_s": figures.ttft_s,
            "tok_per_s": figures.tok_per_s,
            "stop_reason": figures.ending,
            "seed": answer.sampling.seed,
            "warnings": _warnings(self._question, answer.pane, self._answered),
        }
        for file in adapter:
            found["adapter"] = str(file)
            found["adapter_sha256"] = await self._sha256(file, stopped)
        return found

    async def _sha256(self, file: Path, stopped: Callable[[], bool]) -> str | None:
        """The hash of a file; `None` where the user does not want to wait for it."""
        hashing = self._hashes[file]
        while not hashing.done():
            if stopped():
                return None
            self._status.show(f"hashing {one_line(file.name)}")
            await asyncio.sleep(LOOK_EVERY_S)
        return hashing.result()


def _hashes(files: Sequence[Path]) -> dict[Path, Future[str]]:
    """Hash the files one after the other in a daemon thread."""
    found = {file: Future[str]() for file in files}

    def hash_all() -> None:
        for file, hashing in found.items():
            try:
                hashing.set_result(remembered_sha256(file))
            except Exception as error:
                hashing.set_exception(error)

    threading.Thread(target=hash_all, daemon=True).start()
    return found
