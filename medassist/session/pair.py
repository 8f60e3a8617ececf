"""The pair that a session asks: its files, engine and settings.

The engine writes into the consultation; a screen looks at both when it draws. So a
token costs the screen nothing, and it draws as often as it can afford.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from medassist.consult.answer import Answer, Conditions, ModelFile, Source
from medassist.consult.consultation import Consultation
from medassist.core.clean import clean, clean_line
from medassist.core.errors import EngineDied, EngineError, LoadStopped
from medassist.core.values import PaneName, TooLong
from medassist.session.choice import Choice
from medassist.session.pair_engine import (
    MakeEngine,
    PairEngine,
    Wider,
    make_pair_engine,
)
from medassist.starter import STARTER, name_of

if TYPE_CHECKING:
    from medassist.core.values import (
        Message,
        Mode,
        PairFiles,
        PaneInfo,
        Sampling,
        Thinking,
        TooLong,
    )
    from medassist.engine.wire import Answered, Loading, Question, Reading, Written
    from medassist.library.registry import NamedPair, PaneSettings
    from medassist.settings import Settings

PairState = Literal["starting", "loading", "ready", "stopped", "failed", "dead"]
CLOSE_S = 2.0
"""The longest that quitting waits for the models' process to end."""
Watch = Callable[["Reading | Written | Answered"], None]
"""Is told of each event of an answer as it comes."""


class Pair:
    """One pair of models, from the choice of files to the end of its process.

    Args:
        choice: its files.
        make: makes its engine; by default the one in a process of its own.
        asked: how its panes are asked, in place of what the library says.
    """

    def __init__(
        self,
        choice: Choice,
        make: MakeEngine | None = None,
        asked: NamedPair | None = None,
    ) -> None:
        self.choice = choice
        self.panes = choice.panes
        self.sources: dict[PaneName, Source] = {p: Source("") for p in self.panes}
        """Origins of each pane's answers; names only once it is loaded."""
        self.state: PairState = "starting"
        self.fraction = 0.0
        self.trouble = ""
        """Why it is not ready, in a sentence for the user."""
        self.notices: tuple[str, ...] = ()
        self.infos: dict[PaneName, PaneInfo] = {}
        asked = asked or choice.asked
        self.asked = asked
        """How the panes are asked: as given, or as the library has it by the pair's
        name."""
        self._asks_as_given = asked is not None
        self.thinking: Thinking | None = None
        """Whether models think before they answer, where their templates let one
        choose; `None`: as the settings have it."""
        self.error: EngineError | None = None
        """Last error, in loading or in answering."""
        self.demonstration: frozenset[PaneName] = frozenset()
        self.notice = ""
        """Notice to be shown wherever a pane of `demonstration` answers."""
        self.confined = ""
        """Confinement of the models' process; empty where it has not said so."""
        self.closed = False
        self.settled = asyncio.Event()
        """Set while no loading is under way, however the last one went."""
        self.context: int | None = None
        """Tokens of context that it is loaded with, in place of the settings."""
        self._make = make
        self._made: PairEngine | None = None
        self._stamps: dict[PaneName, tuple[ModelFile, ...]] = {}
        self._stop_wanted = False
        self._under_way = False
        self._stop_first: set[PaneName | None] = set()
        """Panes to stop as soon as the engine has taken the question."""
        self._preparing: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._watch_loading: Callable[[Loading], None] | None = None

    @property
    def memory(self) -> int | None:
        """Bytes that the models' process holds."""
        return self._made.engine.memory() if self._made and self._alive else None

    @property
    def freed(self) -> int:
        """Bytes freed by closing it; pages of its files count as free already."""
        files = {file for stamps in self._stamps.values() for file in stamps}
        return max(0, (self.memory or 0) - sum(file.size for file in files))

    @property
    def _alive(self) -> bool:
        return self.state in ("loading", "ready")

    async def load(
        self, settings: Settings, watch: Callable[[Loading], None] | None = None
    ) -> None:
        """Load the pair, or load it again. How it went is in `state` and `trouble`.

        Args:
            settings: how it is loaded.
            watch: is told of each step.
        """
        self.state, self.trouble, self.fraction = "loading", "", 0.0
        self.error = None
        self.notices = ()
        self._stop_wanted = False
        self.settled.clear()
        try:
            made = self._made = self._made or await self._make_engine(settings)
            if self._stop_wanted:
                raise LoadStopped("")
            self._stamps = await asyncio.to_thread(made.stamps)
            await self.read_asked()
            self._watch_loading = watch
            loaded = await made.engine.start(self._progress)
        except EngineError as error:
            self.error, self.trouble = error, clean(str(error))
            self.state = "dead" if isinstance(error, EngineDied) else "failed"
            if isinstance(error, LoadStopped):
                self.state, self.trouble = "stopped", "Loading was stopped."
        else:
            self.infos = {
                pane: replace(info, name=name_of(info.file) or info.name)
                for pane, info in loaded.panes.items()
            }
            self.sources = {pane: self._source(pane) for pane in self.panes}
            said = (*self.notices, *loaded.notices)
            self.notices = tuple(dict.fromkeys(clean(notice) for notice in said))
            self.confined = made.engine.confined or ""
            self.state = "ready"
        finally:
            self.settled.set()

    async def read_asked(self) -> None:
        """Read from the library how this pair's panes are asked, from now on."""
        if self._asks_as_given:
            return
        name = self.choice.pair or (STARTER if self.choice.is_starter else "")
        self.asked, problem = await asyncio.to_thread(_asked, name)
        if problem:
            self.notices = (*self.notices, problem)

    def sampling(self, pane: PaneName, settings: Settings) -> Sampling:
        """Sampling of `pane`: the pair's own settings, else the user's."""
        own = self.asked.asked(pane).sampling if self.asked else None
        if own is None and self._made and self._made.default:
            own = self._made.default.sampling_for(settings.sampling)
        own = own or settings.sampling
        return replace(own, thinking=self.thinking) if self.thinking else own

    def asks(self, pane: PaneName, settings: Settings) -> PaneSettings:
        """Settings of `pane`, said so that they hold in another pair too."""
        from medassist.library.registry import PaneSettings

        asked = self.asked.asked(pane) if self.asked else PaneSettings()
        if asked.sampling is None and self._made and self._made.default:
            own = self._made.default.sampling_for(settings.sampling)
            return asked.model_copy(update={"sampling": own})
        return asked

    @property
    def files(self) -> PairFiles | None:
        """Its files; `None` as long as they are not known."""
        return self._made.files if self._made else None

    @property
    def has_thinking_switch(self) -> bool:
        """The template of one of its models lets one choose whether it thinks."""
        return any(info.thinking_switch for info in self.infos.values())

    def switch_thinking(self, settings: Settings) -> Thinking:
        """Have the models think, or not, from the next question on; which it is.

        The first switch is away from what the settings say: from what a template does
        by itself it goes to not thinking.
        """
        now = {self.sampling(pane, settings).thinking for pane in self.panes}
        self.thinking = "on" if now == {"off"} else "off"
        return self.thinking

    def system(self, pane: PaneName) -> str:
        """The system prompt of `pane`; empty: none."""
        return self.asked.asked(pane).system if self.asked else ""

    async def _make_engine(self, settings: Settings) -> PairEngine:
        options = settings.engine_options
        if self.context is not None:
            options = replace(options, context=self.context)
        made = await make_pair_engine(self.choice, options, self._make)
        if made.default and made.default.lacking:
            self.notices = (*self.notices, made.default.lacking)
        shown = made.demonstration
        self.demonstration, self.notice = shown.panes, shown.notice
        return made

    def wider(self) -> Wider | None:
        """More context that its models allow; `None`: there is no more.

        Looks at files: for a thread.
        """
        return self._made.wider(self.infos.values()) if self._made else None

    def _progress(self, loading: Loading) -> None:
        self.fraction = loading.fraction
        if self._watch_loading is not None:
            self._watch_loading(loading)

    def stop(self, pane: PaneName | None = None) -> None:
        """Stop loading, or what `pane` (or every pane) is writing. Returns at once."""
        if self.state == "loading":
            self._stop_wanted = True
        elif not self._under_way:
            self._stop_first.add(pane)
        if self._made and self._alive:
            self._made.engine.stop(pane)

    @property
    def runs(self) -> bool:
        """It is loaded, and its process has not ended since."""
        made = self._made
        return (
            self.state == "ready" and made is not None and made.engine.state != "dead"
        )

    def notice_death(self) -> bool:
        """Whether the models' process ended while idle; it is dead from now on."""
        died = self.state == "ready" and not self.runs
        if died:
            self.state = "dead"
        return died

    async def ask(
        self,
        consultation: Consultation,
        asked: Mapping[PaneName, Answer],
        settings: Settings,
        mode: Mode,
        watch: Watch | None = None,
    ) -> tuple[TooLong, ...]:
        """Have the last question answered; `asked` are the answers to be written.

        Whoever asks while another session is being answered waits for its turn.

        Returns:
            Where the prompt does not fit. Then nothing has run in any pane.
        """
        excesses: list[TooLong] = []
        async with self._one_at_a_time:
            try:
                questions: dict[PaneName, Question] = {
                    pane: self._question(consultation, pane, answer, settings)
                    for pane, answer in asked.items()
                }
                async for event in self.answers(questions, mode):
                    if isinstance(event, TooLong):
                        excesses.append(event)
                        continue
                    if watch is not None:
                        watch(event)
                    answer = asked[event.pane]
                    match event.kind:
                        case "reading":
                            answer.read(event.done, event.total)
                        case "written":
                            thought = event.thought, event.thought_tokens
                            answer.think(*thought, event.restart)
                            answer.write(event.text, event.tokens)
                        case "answered":
                            answer.finish(event.text, event.figures, event.thought)
            except EngineError as error:
                died = isinstance(error, EngineDied)
                for answer in asked.values():
                    answer.fail(clean(str(error)), died)
        return tuple(excesses)

    async def answers(
        self, questions: Mapping[PaneName, Question], mode: Mode, asker: str = ""
    ) -> AsyncGenerator[Reading | Written | Answered | TooLong]:
        """The events of `questions`, one after the other, until all are answered.

        `stop` ends them early; one question at a time.

        Args:
            questions: what each pane is asked.
            mode: how they share the processor.
            asker: who asks, where that are several.

        Raises:
            EngineError: it went wrong; `state` says whether the models' process lives.
        """
        assert self._made is not None
        engine = self._made.engine
        self.error = None
        try:
            async for event in engine.ask(questions, mode, asker):
                self._under_way = True
                while self._stop_first:
                    engine.stop(self._stop_first.pop())
                yield event
        except EngineError as error:
            self.error = error
            if isinstance(error, EngineDied) or engine.state == "dead":
                self.state, self.trouble = "dead", clean(str(error))
            raise
        finally:
            self._under_way = False
            self._stop_first.clear()

    def prepare(self, consultation: Consultation) -> None:
        """Have the models read the finished conversation while the user reads it."""
        if self.state == "ready" and self._made:
            self._preparing = asyncio.create_task(self._prepare(consultation))

    async def _prepare(self, consultation: Consultation) -> None:
        assert self._made is not None
        histories: dict[PaneName, list[Message]] = {
            pane: [*self._before(pane), *history]
            for pane in self.panes
            if (history := consultation.history(pane))
        }
        # Best effort: what goes wrong here is said when the next question is asked.
        with suppress(EngineError):
            await self._made.engine.prepare(histories)

    async def prepared(self) -> None:
        """Wait until the models have read what `prepare` gave them."""
        if self._preparing:
            await asyncio.wait([self._preparing])

    async def close(self) -> None:
        """End the models' process, waiting no longer than `CLOSE_S`."""
        self.closed = True
        if self._preparing:
            self._preparing.cancel()
        if self._made is not None:
            with suppress(TimeoutError, EngineError, OSError):
                await asyncio.wait_for(self._made.engine.close(), CLOSE_S)

    def _question(
        self,
        consultation: Consultation,
        pane: PaneName,
        answer: Answer,
        settings: Settings,
    ) -> Question:
        from medassist.engine.wire import Question

        # What is gone on with stays under the conditions that it was begun under.
        begun = answer.conditions if answer.goes_on else None
        sampling = begun.sampling if begun else self.sampling(pane, settings)
        question = Question(
            messages=(*self._before(pane), *consultation.messages(pane)),
            sampling=replace(sampling, seed=answer.seed),
            written=answer.text if answer.goes_on else "",
            thought=answer.thought if answer.goes_on else "",
        )
        if not answer.goes_on:
            answer.conditions = Conditions(
                self.infos[pane],
                question.sampling,
                self.confined,
                self.system(pane),
            )
        return question

    def _before(self, pane: PaneName) -> tuple[Message, ...]:
        """The system prompt of `pane`, if it has one."""
        from medassist.core.values import Message

        text = self.system(pane)
        return (Message(role="system", content=text),) if text else ()

    def _source(self, pane: PaneName) -> Source:
        info = self.infos[pane]
        return Source(
            clean_line(info.name) or info.file.name,
            clean_line(info.quantization),
            pane in self.demonstration,
            clean_line(info.adapter.name) if info.adapter else "",
            self._stamps.get(pane, ()),
        )


def _asked(name: str) -> tuple[NamedPair | None, str]:
    """Settings of the pair `name`, and why they cannot be known."""
    if not name:
        return None, ""
    from medassist.library.errors import LibraryError
    from medassist.library.registry import load_registry

    try:
        return load_registry().pair(name), ""
    except LibraryError as error:
        return None, f"{error} The settings of the panes are not used."
