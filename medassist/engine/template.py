"""Renders chat templates, which are untrusted programs, in a sandbox.

A template comes with the model file. It runs in Jinja's immutable sandbox, in the
child process, with bounds on time, memory and the size of what it may build.
The environment is the one that Hugging Face's tokenizers give a template, so that
the rendered text is theirs.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence, Sized
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from medassist.core.errors import EngineError, QuestionRefused
from medassist.core.plain_template import is_plain, plain_stops, plain_template
from medassist.core.system_turn import without_system
from medassist.core.values import Message, Thinking
from medassist.text.answer_end import AnswerEnd, Turn, answer_end
from medassist.text.thought_marks import opened_by, thinks

MAX_TEMPLATE_CHARACTERS = 1_000_000
MAX_BUILT = 10_000_000
TIME_LIMIT_S = 2.0
HARD_LIMIT_S = 20.0
THINKING_NAMES = ("enable_thinking", "thinking")
"""Names that templates give the choice whether a model thinks before it answers."""
MEMORY_LIMIT_BYTES = 512 * 1024 * 1024


class TemplateError(EngineError):
    """A chat template failed, or asked for more than it may have."""


class TemplateRefusal(TemplateError, QuestionRefused):
    """The chat template refuses this conversation."""


class ChatTemplate:
    """A compiled chat template.

    Args:
        source: the Jinja text; `None` or empty: the model has none, and is asked with
            the plain one.
        origin: the file that it came from, for messages.
        bos: text of the model's BOS token, as templates expect it.
        eos: text of the model's EOS token.
        adds_bos: whether the tokenizer puts BOS before a text, and so the plain
            template does.

    Raises:
        TemplateError: the source is no valid template.
    """

    def __init__(
        self,
        source: str | None,
        origin: str,
        bos: str,
        eos: str,
        *,
        adds_bos: bool = False,
    ) -> None:
        self.is_stand_in = not source
        self.is_plain = is_plain(source)
        self.source = source or plain_template(begins_with_bos=adds_bos)
        self.origin = origin
        self._tokens = {"bos_token": bos, "eos_token": eos}
        if len(self.source) > MAX_TEMPLATE_CHARACTERS:
            raise self._error(f"it has {len(self.source):,} characters")
        with self._bounded():
            self._template = _environment().from_string(self.source)

    def render(
        self,
        messages: Sequence[Message],
        *,
        ask: bool = True,
        fold: bool = True,
        thinking: Thinking = "auto",
    ) -> str:
        """The prompt for `messages`.

        Args:
            messages: the conversation.
            ask: whether the prompt ends where the model's answer begins.
            fold: where the template refuses a system turn, put its text before the
                first question.
            thinking: whether the model shall think, where the template knows of it.

        Raises:
            TemplateError: the template refused the conversation or broke its bounds.
        """
        try:
            return self._render(messages, ask, thinking)
        except TemplateRefusal:
            folded = _without_system(messages)
            if not fold or folded == list(messages):
                raise
            # Some models know no system turn and their templates refuse one: there
            # its text stands before the first question, as their makers advise.
            return self._render(folded, ask, thinking)

    def opened_thought(
        self, messages: Sequence[Message], thinking: Thinking = "auto"
    ) -> str:
        """The thought mark that the prompt leaves open; empty: none.

        Only what the template writes for the answer is looked at: a question may
        speak of thoughts as it likes.

        Raises:
            TemplateError: the template refused the conversation or broke its bounds.
        """
        if not thinks(self.source):
            return ""
        asked = self.render(messages, thinking=thinking)
        told = self.render(messages, ask=False, thinking=thinking)
        pairs = zip(asked, told, strict=False)
        alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        said = messages[-1].content.strip()
        # Some templates always ask for an answer: it stands behind the question.
        end = asked[alike:] or asked.rpartition(said)[2]
        return opened_by(end)

    @property
    def thinking_switch(self) -> bool:
        """Whether the template lets thinking be switched on or off."""
        if not any(name in self.source for name in THINKING_NAMES):
            return False
        probe = [Message(role="user", content="?")]
        try:
            on, off = (self.render(probe, thinking=way) for way in ("on", "off"))
        except TemplateError:
            return False
        return on != off

    @property
    def further_stops(self) -> tuple[str, ...]:
        """Further texts that end an answer, besides the template's own end."""
        return plain_stops(self.source)

    def answer_end(self, specials: Iterable[str]) -> AnswerEnd:
        """Text by which the template ends an answer; empty if it fails.

        Args:
            specials: the texts of the model's control and added tokens.
        """

        def render(turns: Sequence[Turn], ask: bool) -> str | None:
            messages = [Message(role=role, content=text) for role, text in turns]
            try:
                return self.render(messages, ask=ask)
            except TemplateError:
                return None

        return answer_end(render, specials)

    def _render(
        self, messages: Sequence[Message], ask: bool, thinking: Thinking = "auto"
    ) -> str:
        turns = [{"role": m.role, "content": m.content} for m in messages]
        chosen = thinking == "on"
        switch = {} if thinking == "auto" else dict.fromkeys(THINKING_NAMES, chosen)
        with self._bounded():
            return self._template.render(
                messages=turns, add_generation_prompt=ask, **switch, **self._tokens
            )

    @contextmanager
    def _bounded(self) -> Generator[None]:
        try:
            with time_limit(TIME_LIMIT_S, HARD_LIMIT_S), memory_limit():
                yield
        except TimeoutError:
            raise self._error(f"it took more than {TIME_LIMIT_S:.0f} s") from None
        except MemoryError:
            raise self._error("it asked for too much memory") from None
        except RecursionError:
            raise self._error("it is nested too deeply") from None
        except _Refused as refusal:
            raise self._error(str(refusal), TemplateRefusal) from None
        except Exception as error:
            # A template can raise whatever Python can: each is the template's fault.
            raise self._error(str(error) or type(error).__name__) from error

    def _error(
        self, what: str, kind: type[TemplateError] = TemplateError
    ) -> TemplateError:
        return kind(
            f"{self.origin}: the chat template in this model file does not work "
            f"({what[:300]}). Convert the model again with a corrected template."
        )


def _without_system(messages: Sequence[Message]) -> list[Message]:
    turns = without_system((each.role, each.content) for each in messages)
    return [Message(role=role, content=content) for role, content in turns]


class _Generation(Extension):
    """Hugging Face's `{% generation %}` block, which marks text for training."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Sandbox(ImmutableSandboxedEnvironment):
    """A sandbox that also refuses to build what is absurdly large."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "**":
            raise TemplateError("powers are not allowed")
        if operator == "%" and isinstance(left, str):
            raise TemplateError("formatting by % is not allowed")
        if operator == "*":
            for text, times in ((left, right), (right, left)):
                if _length(text) * (times if isinstance(times, int) else 0) > MAX_BUILT:
                    raise TemplateError("it repeats a text too often")
        return super().call_binop(context, operator, left, right)


def _length(value: object) -> int:
    return len(value) if isinstance(value, Sized) else 0


def _environment() -> Environment:
    environment = _Sandbox(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[_Generation, "jinja2.ext.loopcontrols"],
    )
    # Jinja leaves the types of these two tables open.
    filters = cast(dict[str, Callable[..., Any]], vars(environment)["filters"])
    filters["tojson"] = _to_json
    for name in ("center", "format", "wordwrap", "pprint", "xmlattr"):
        # No chat template needs these, and they build texts of any size.
        del filters[name]
    functions: dict[str, Callable[..., Any]] = {
        "raise_exception": _raise,
        "strftime_now": _now,
    }
    vars(environment)["globals"].update(functions)
    return environment


def _to_json(value: Any, indent: int | None = None, **_options: Any) -> str:
    # Jinja's own filter escapes for HTML, which a prompt is not.
    return json.dumps(value, ensure_ascii=False, indent=min(indent or 0, 8) or None)


class _Refused(Exception):
    """Error by `raise_exception` in a template."""


def _raise(message: str) -> None:
    raise _Refused(message)


def _now(form: str) -> str:
    return datetime.now().astimezone().strftime(form[:100])


@contextmanager
def time_limit(seconds: float, hard_seconds: float) -> Generator[None]:
    """Raise `TimeoutError` in this thread after `seconds` of its processor time.

    A busy machine takes nothing from a sound template by that, up to half of
    `hard_seconds` by the clock on the wall. Python code is interrupted. Should it hang
    inside a single native call, the process ends after `hard_seconds`; the app then
    says which pair it was.
    """
    thread = threading.get_ident()
    done = threading.Event()
    computed = _processor_time(thread)
    ends, latest = computed() + seconds, time.monotonic() + hard_seconds / 2

    def watch() -> None:
        while (left := min(ends - computed(), latest - time.monotonic())) > 0:
            if done.wait(left):
                return
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread), ctypes.py_object(TimeoutError)
        )

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    # The real one: whoever replaced `sys.stderr` may have no file behind it.
    errors = sys.__stderr__ or sys.stderr
    faulthandler.dump_traceback_later(hard_seconds, exit=True, file=errors)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        done.set()
        watcher.join()


def _processor_time(thread: int) -> Callable[[], float]:
    """The clock of what `thread` has computed; the usual one where there is none."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return time.monotonic
    return partial(time.clock_gettime, time.pthread_getcpuclockid(thread))


@contextmanager
def memory_limit(extra: int = MEMORY_LIMIT_BYTES) -> Generator[None]:
    """Allow this process `extra` bytes beyond what it has; Linux only."""
    if sys.platform != "linux":
        yield
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + extra
    if soft not in (resource.RLIM_INFINITY, -1):
        limit = min(limit, soft)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
