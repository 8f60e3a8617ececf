"""An engine that plays back events, so that what is printed can be tested alone."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from medassist.core.errors import EngineError
from medassist.core.values import (
    EngineOptions,
    Figures,
    Message,
    Mode,
    PairFiles,
    PaneInfo,
    PaneName,
    Sampling,
    StopReason,
    TooLong,
)
from medassist.engine.wire import Answered, Loaded, Loading, Question, Reading, Written

Event = Reading | Written | Answered | TooLong


def answered(
    pane: PaneName, text: str, stop_reason: StopReason = "end", tokens: int = 3
) -> Answered:
    return Answered(
        id=1,
        pane=pane,
        text=text,
        figures=Figures(
            ending=stop_reason,
            tokens_read=5,
            tokens_reused=0,
            tokens_written=tokens,
            ttft_s=0.25,
            tok_per_s=12.5,
            context_used=8,
        ),
        sampling=Sampling(),
    )


def written(pane: PaneName, text: str) -> Written:
    return Written(id=1, pane=pane, text=text, tokens=1)


class FakeEngine:
    """Plays `events`; an exception among them is raised in its place."""

    def __init__(
        self,
        events: Sequence[Event | EngineError],
        notices: tuple[str, ...] = (),
        name: str = "Tiny",
    ) -> None:
        self.events = events
        self.notices = notices
        self.name = name
        self.confined: str | None = None
        self.asked: dict[PaneName, Question] = {}
        self.mode: Mode | None = None
        self.files = PairFiles(base=Path("unset"))
        self.options = EngineOptions()
        self.state: Literal["new", "loading", "ready", "dead", "closed"] = "new"
        self.closed = False

    def __call__(self, files: PairFiles, options: EngineOptions) -> "FakeEngine":
        self.files, self.options = files, options
        return self

    async def start(self, progress: Callable[[Loading], None] | None = None) -> Loaded:
        self.confined = "a fake"
        if progress is not None:
            progress(Loading(file=Path("model.gguf"), fraction=0.43))
        panes: dict[PaneName, PaneInfo] = {
            pane: self._info(pane) for pane in self.files.panes
        }
        return Loaded(panes=panes, notices=self.notices)

    async def ask(
        self,
        panes: Mapping[PaneName, Question],
        mode: Mode = "together",
        asker: str = "",
    ) -> AsyncIterator[Event]:
        self.asked, self.mode = dict(panes), mode
        for event in self.events:
            if isinstance(event, EngineError):
                raise event
            yield event

    def stop(self, pane: PaneName | None = None) -> None:
        raise AssertionError("nothing stops it")

    async def prepare(self, panes: Mapping[PaneName, Sequence[Message]]) -> None:
        raise AssertionError("nobody asks a second question")

    def memory(self) -> int | None:
        return None

    async def close(self) -> None:
        self.closed = True

    def _info(self, pane: PaneName) -> PaneInfo:
        files = self.files.files(pane)
        return PaneInfo(
            file=files[0],
            adapter=files[1] if len(files) > 1 else None,
            name=self.name,
            architecture="llama",
            quantization="Q8_0",
            parameters=1,
            context=512,
            trained_context=512,
            template="model",
            shares_prefill=False,
            threads=1,
            flash_attention=False,
            kv="f16",
        )
