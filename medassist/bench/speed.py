"""Raw speed: exact numbers of tokens, at depths, rows in alternation."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from medassist.bench.events import Event, StepFailed
from medassist.bench.results import ROUND, Parameters
from medassist.bench.targets import Target
from medassist.bench.work import Setting, Step, Work, in_rounds, settings
from medassist.core.errors import EngineError
from medassist.core.values import EngineOptions
from medassist.engine.timing import TimedModel

AGREE = 0.05
AGREEING = 3
MOST_WARM_UPS = 10
WARM_UP_TOKENS = 32
WARM_UP_S = 60.0
MEMORY_SHARE = 0.8


@dataclass(frozen=True, eq=False)
class Lane:
    """A row of the table of speeds: a model with one way of loading."""

    target: Target
    setting: Setting


class LoadedModels:
    """Keeps as many models loaded as fit into memory, and reloads others.

    Args:
        context: tokens that each cache holds.
    """

    def __init__(self, context: int) -> None:
        self._context = context
        self._open: dict[Lane, TimedModel] = {}
        self._warm: dict[Lane, int | None] = {}

    def model(self, lane: Lane) -> TimedModel:
        """The model of `lane`, loaded if need be.

        Raises:
            EngineError: it cannot be.
        """
        if lane in self._open:
            return self._open[lane]
        self._make_room(lane)
        target, setting = lane.target, lane.setting
        self._open[lane] = TimedModel(
            target.model,
            target.adapter,
            setting.timed(self._context),
        )
        return self._open[lane]

    @property
    def pids(self) -> list[int]:
        """Process ids of all loaded models."""
        return [model.pid for model in self._open.values()]

    def is_warm(self, lane: Lane) -> bool:
        """Whether it was warmed up since loading."""
        return lane in self._warm

    def warmed(self, lane: Lane, runs: int | None) -> None:
        """Note that it is warm after so many runs; `None`: it never settled."""
        self._warm[lane] = runs

    def drop(self, lane: Lane) -> None:
        """Close one model, if it is loaded."""
        self._warm.pop(lane, None)
        model = self._open.pop(lane, None)
        if model is not None:
            model.close()

    def close(self) -> None:
        """Close all models."""
        for lane in tuple(self._open):
            self.drop(lane)

    def __enter__(self) -> LoadedModels:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _make_room(self, lane: Lane) -> None:
        from medassist.library.fit import available_memory, need

        free = available_memory()
        if free is None:
            return
        options = EngineOptions(context=self._context, kv=lane.setting.kv)
        while self._open and need(lane.target.pair, options).total > (
            MEMORY_SHARE * free
        ):
            self.drop(next(iter(self._open)))
            free = available_memory() or 0


def lanes(work: Work) -> list[Lane]:
    """All rows of the table of speeds."""
    return [Lane(t, s) for t in work.targets for s in settings(work.wishes)]


def tests(work: Work) -> list[Parameters]:
    """The tests of each row, in llama-bench's terms."""
    wishes = work.wishes
    return [
        {"n_prompt": prompt, "n_gen": written, "n_depth": depth}
        for depth in wishes.depths
        for prompt, written in (
            *((p, 0) for p in wishes.prompts if p),
            *((0, g) for g in wishes.written if g),
        )
    ]


def steps(work: Work) -> list[Step]:
    """All repetitions of all speeds, in order."""
    rows = lanes(work)
    return [
        _step(work, rows[row], test, number)
        for number, order in in_rounds(work.wishes.repetitions, len(rows))
        for row in order
        for test in tests(work)
    ]


def measure(work: Work) -> Generator[Event]:
    """Run the speed steps that are left.

    Raises:
        BenchError: the file of results cannot be written.
    """
    rows = lanes(work)
    broken: set[Lane] = set()
    with LoadedModels(_context(work)) as kept:
        for number, order in in_rounds(work.wishes.repetitions, len(rows)):
            for lane in (rows[row] for row in order):
                left = [
                    test
                    for test in tests(work)
                    if not work.done(_step(work, lane, test, number))
                ]
                if not left or lane in broken:
                    continue
                try:
                    yield from _round(work, kept, lane, left, number)
                except EngineError as error:
                    broken.add(lane)
                    kept.drop(lane)
                    yield StepFailed(lane.target.name, "speed", str(error))


def _round(
    work: Work, kept: LoadedModels, lane: Lane, left: list[Parameters], number: int
) -> Generator[Event]:
    model = kept.model(lane)
    yield from work.quiet(kept.pids)
    visit = work.observer.begin([model.pid])
    notes: tuple[str, ...] = ()
    if not kept.is_warm(lane):
        runs = warm_up(model)
        kept.warmed(lane, runs)
        notes = (
            f"warm after {runs} runs"
            if runs
            else f"not steady after {MOST_WARM_UPS} runs of warming up",
        )
    for test in left:
        step = _step(work, lane, test, number)
        yield work.begin(step, called(test))
        watching = work.observer.begin([model.pid])
        took = model.run(
            prompt=int(test["n_prompt"] or 0),
            written=int(test["n_gen"] or 0),
            depth=int(test["n_depth"] or 0),
        )
        held = 1 - took.cpu_ns / (took.ns * lane.setting.threads)
        yield work.keep(
            step,
            samples={"ns": (float(took.ns),)},
            disturbance=watching.end(max(0.0, held), took.switches, visit),
            notes=notes,
            type=model.opened.description,
            tensor_bytes=model.opened.tensor_bytes,
        )


def warm_up(model: TimedModel) -> int | None:
    """Repeat runs until three agree within 5 %.

    Returns:
        how many runs it took; `None` where they never did.
    """
    took: list[int] = []
    while len(took) < MOST_WARM_UPS and sum(took) < WARM_UP_S * 1e9:
        took.append(model.run(written=WARM_UP_TOKENS).ns)
        last = took[-AGREEING:]
        if len(last) == AGREEING and max(last) <= (1 + AGREE) * min(last):
            return len(took)
    return None


def called(test: Parameters) -> str:
    """llama-bench's name of a test: pp512, tg128, with the depth appended."""
    name = f"pp{test['n_prompt']}" if test["n_prompt"] else ""
    if test["n_gen"]:
        name += ("+" if name else "") + f"tg{test['n_gen']}"
    return name + (f" @ d{test['n_depth']}" if test["n_depth"] else "")


def _step(work: Work, lane: Lane, test: Parameters, number: int) -> Step:
    return Step(
        "speed",
        lane.target,
        {**test, ROUND: number},
        lane.setting.facts(_context(work)),
    )


def _context(work: Work) -> int:
    return max(work.wishes.longest, WARM_UP_TOKENS)
