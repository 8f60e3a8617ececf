"""Shared state of a measurement: what is wanted, what is done, where results go."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from medassist.bench.disturbance import Observer
from medassist.bench.events import Began, Event, Measured, Said
from medassist.bench.machine import Machine
from medassist.bench.results import (
    FLASH_AUTO,
    ROUND,
    Disturbance,
    ExamItem,
    Figure,
    FileFacts,
    Kind,
    Parameters,
    ResultLine,
    ResultsFile,
    SettingsFacts,
    key_of,
    now,
)
from medassist.bench.targets import Target
from medassist.core.values import CHUNK, DEFAULT_CONTEXT, KvType
from medassist.engine.timing import TimedSettings
from medassist.exams.margins import MARGIN

Test = Literal["speed", "app", "load", "memory", "sustained", "quality", "exams"]
TESTS: tuple[Test, ...] = (
    *("load", "speed", "app", "memory", "sustained", "quality", "exams"),
)


@dataclass(frozen=True)
class Wishes:
    """Everything that the user wants measured.

    Attributes:
        tests: which measurements.
        prompts: numbers of tokens to read.
        written: numbers of tokens to write.
        depths: numbers of tokens that are in the cache before.
        threads: that compute; each is a row.
        kv: types of the cache; each is a row.
        flash: flash attention off or on; each is a row.
        gpu_layers: layers on the GPU.
        repetitions: of each speed.
        ttft: questions of which the time to the first token is taken.
        sustained_s: how long the sustained speed is measured.
        text: a file whose text both models read for the quality.
        chunks: of it that are read, at most.
        reference: the model that quality and exams are compared with.
        exams: a folder with the files of exams.
        shots: solved questions before each question, at most.
        exam_chat: questions are put by the chat template; `None`: only where an
            activated adapter is a row.
        questions: of each exam, at most; `None`: all.
        margin: by how much the share of right answers may fall.
        threshold: by how much a speed may differ and be called the same.
        context: of the app's panes.
    """

    tests: frozenset[Test] = frozenset(("load", "speed", "app", "memory"))
    prompts: tuple[int, ...] = (512,)
    written: tuple[int, ...] = (128,)
    depths: tuple[int, ...] = (0,)
    threads: tuple[int, ...] = (1,)
    kv: tuple[KvType, ...] = ("f16",)
    flash: tuple[bool, ...] = (False,)
    gpu_layers: int = 0
    repetitions: int = 5
    ttft: int = 5
    sustained_s: float = 0.0
    text: Path | None = None
    chunks: int = 40
    reference: Target | None = None
    exams: Path | None = None
    shots: int = 0
    exam_chat: bool | None = None
    questions: int | None = None
    margin: float = MARGIN
    threshold: float = 0.05
    context: int = DEFAULT_CONTEXT

    @property
    def longest(self) -> int:
        """The most tokens that a raw speed test needs."""
        return max(self.depths) + max((*self.prompts, *self.written))


@dataclass(frozen=True)
class Setting:
    """One way of loading a model, of several that are compared."""

    threads: int
    kv: KvType
    flash: bool
    gpu_layers: int = 0

    def facts(self, context: int) -> SettingsFacts:
        """The settings as a line holds them, with a cache of `context` tokens."""
        # The chunk is never tuned, since an answer's last bits depend on it.
        return SettingsFacts(
            n_batch=CHUNK,
            n_ubatch=CHUNK,
            n_threads=self.threads,
            type_k=self.kv,
            type_v=self.kv,
            flash_attn=int(self.flash),
            n_ctx=context,
            n_gpu_layers=self.gpu_layers,
        )

    def timed(self, context: int) -> TimedSettings:
        """The settings for a raw speed, with a cache of `context` tokens."""
        return TimedSettings(
            context, self.threads, self.kv, self.flash, self.gpu_layers
        )


def settings(wishes: Wishes) -> list[Setting]:
    """All combinations; an 8-bit cache only with flash attention."""
    found: list[Setting] = []
    for threads in wishes.threads:
        for kv in wishes.kv:
            for flash in wishes.flash:
                one = Setting(threads, kv, flash or kv == "q8_0", wishes.gpu_layers)
                if one not in found:
                    found.append(one)
    return found


def scorer_facts(
    wishes: Wishes, context: int, batch: int, *, flash: int = FLASH_AUTO
) -> SettingsFacts:
    """The settings of the scorer, the same for every model that is compared."""
    return SettingsFacts(
        n_batch=batch,
        n_ubatch=batch,
        n_threads=settings(wishes)[0].threads,
        type_k="f16",
        type_v="f16",
        flash_attn=flash,
        n_ctx=context,
    )


@dataclass(frozen=True)
class Step:
    """A wanted measurement: its kind and what it depends on."""

    kind: Kind
    target: Target
    test: Parameters
    settings: SettingsFacts | None = None
    depends: tuple[str, ...] = ()
    """Marks of files besides the model's that it depends on."""


class MeasuredModel(Protocol):
    """Something to measure: a model's files, or a model of another program."""

    @property
    def name(self) -> str:
        """Name of its row."""
        ...

    @property
    def facts(self) -> FileFacts:
        """Facts about the model file."""
        ...

    @property
    def adapter_facts(self) -> FileFacts | None:
        """Facts about the adapter file."""
        ...


class AnyStep(Protocol):
    """A wanted measurement of any subject."""

    @property
    def kind(self) -> Kind: ...
    @property
    def target(self) -> MeasuredModel: ...
    @property
    def test(self) -> Parameters: ...
    @property
    def settings(self) -> SettingsFacts | None: ...
    @property
    def depends(self) -> tuple[str, ...]: ...


@dataclass
class Work:
    """One sitting of a measurement.

    Attributes:
        wishes: what is to be measured.
        targets: the rows.
        machine: that computes.
        observer: of it.
        file: of the results.
        run: the sitting's mark.
        steps: all measurements of all sittings, for the numbering.
        words: that made a prompt of the wanted length for the app, once that is known.
    """

    wishes: Wishes
    targets: Sequence[Target]
    machine: Machine
    observer: Observer
    file: ResultsFile
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    steps: int = 0
    number: int = 0
    words: int | None = None

    def key(self, step: AnyStep, *, whole: bool = False) -> str:
        """Hash of everything that a step's figure depends on.

        Args:
            step: the measurement.
            whole: for all its repetitions together.
        """
        own = step.target
        test = {k: v for k, v in step.test.items() if not (whole and k == ROUND)}
        return key_of(
            kind=step.kind,
            model=own.facts.sha256,
            adapter=own.adapter_facts.sha256 if own.adapter_facts else "",
            settings=step.settings.model_dump() if step.settings else {},
            test=test,
            depends=step.depends,
            machine=self.machine.id,
        )

    def done(self, step: AnyStep) -> bool:
        """Whether an earlier sitting has measured it."""
        return any(self.file.having(self.key(step)))

    def begin(self, step: AnyStep, what: str) -> Began:
        """Event: `step` begins."""
        return Began(step.kind, step.target.name, what, self.number + 1, self.steps)

    def keep(
        self,
        step: AnyStep,
        *,
        samples: dict[str, tuple[float, ...]] | None = None,
        figures: dict[str, Figure] | None = None,
        items: tuple[ExamItem, ...] = (),
        disturbance: Disturbance | None = None,
        notes: tuple[str, ...] = (),
        type: str = "",
        tensor_bytes: int = 0,
        settings: SettingsFacts | None = None,
    ) -> Measured:
        """Save the figures of `step`; on disk when this returns.

        `settings` are told where the step itself does not depend on them.

        Raises:
            BenchError: it cannot be written.
        """
        facts = step.target.facts.model_copy(
            update={"type": type, "tensor_bytes": tensor_bytes}
        )
        line = ResultLine(
            kind=step.kind,
            run=self.run,
            key=self.key(step),
            measurement=self.key(step, whole=True),
            at=now(),
            model=facts,
            adapter=step.target.adapter_facts,
            settings=step.settings or settings,
            test=step.test,
            machine=self.machine.as_json(),
            disturbance=disturbance or Disturbance(),
            samples=samples or {},
            figures=figures or {},
            items=items,
            notes=notes,
        )
        self.file.append(line)
        self.number += 1
        return Measured(line, self.number, self.steps)

    def quiet(self, pids: Sequence[int] = ()) -> Generator[Event]:
        """Wait for a quiet computer, and tell if it does not become quiet."""
        waited = self.observer.wait(pids)
        if waited is not None and not waited.quiet:
            yield Said(
                f"Other programs take {100 * waited.others:.0f} % of the processor, "
                f"also after {waited.seconds:.0f} s: the figures are marked as "
                "disturbed. Close what runs beside, and measure again.",
                warning=True,
            )


def in_rounds(count: int, rows: int) -> list[tuple[int, list[int]]]:
    """Rounds with the order of rows in each: A B, B A, A B, ...

    So a computer that slows down as it gets warm does not favour the first one.
    """
    there, back = list(range(rows)), list(reversed(range(rows)))
    return [(n, back if n % 2 else there) for n in range(count)]
