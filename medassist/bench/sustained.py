"""Measures whether speed drops over minutes, as of a laptop that gets warm."""

from __future__ import annotations

from collections.abc import Generator
from itertools import pairwise
from statistics import fmean

from medassist.bench.events import Event, Progressed, StepFailed
from medassist.bench.results import Figure
from medassist.bench.speed import Lane, LoadedModels, lanes
from medassist.bench.work import Step, Work
from medassist.core.errors import EngineError
from medassist.engine.timing import TimedModel

BLOCK_S = 10.0
TOKENS = 32
FELL_BELOW = 0.95


def steps(work: Work) -> list[Step]:
    """One step for each row."""
    return [_step(work, lane) for lane in lanes(work)]


def measure(work: Work) -> Generator[Event]:
    """Decode for minutes at the same depth, and compare first and last.

    Raises:
        BenchError: the file of results cannot be written.
    """
    for lane in lanes(work):
        step = _step(work, lane)
        if work.done(step):
            continue
        yield work.begin(step, f"sustained {work.wishes.sustained_s / 60:g} min")
        try:
            with LoadedModels(_context(work)) as kept:
                yield from _sustain(work, kept.model(lane), lane, step)
        except EngineError as error:
            yield StepFailed(lane.target.name, "sustained", str(error))


def _sustain(work: Work, model: TimedModel, lane: Lane, step: Step) -> Generator[Event]:
    total = work.wishes.sustained_s
    depth = min(work.wishes.depths)
    watching = work.observer.begin([model.pid])
    passed, block_s, tokens = 0.0, 0.0, 0
    ends: list[float] = []
    speeds: list[float] = []
    while passed < total:
        took = model.run(written=TOKENS, depth=depth).ns / 1e9
        passed, block_s, tokens = (
            passed + took, block_s + took, tokens + TOKENS,
        )  # fmt: skip
        if block_s >= min(BLOCK_S, total / 4) or passed >= total:
            ends.append(passed)
            speeds.append(tokens / block_s)
            block_s, tokens = 0.0, 0
            yield Progressed(lane.target.name, "sustained", passed, total, speeds[-1])
    yield work.keep(
        step,
        samples={"end_s": tuple(ends), "tok_per_s": tuple(speeds)},
        figures=sustained_figures(ends, speeds),
        disturbance=watching.end(),
        type=model.opened.description,
        tensor_bytes=model.opened.tensor_bytes,
    )


def sustained_figures(ends: list[float], speeds: list[float]) -> dict[str, Figure]:
    """First and last minute, their ratio, and when speed had dropped by 5 %.

    Args:
        ends: of the blocks, in seconds since the beginning.
        speeds: tokens a second in each.
    """
    minute = min(60.0, ends[-1] / 2)
    middles = [fmean(pair) for pair in pairwise((0.0, *ends))]
    blocks = list(zip(speeds, middles, strict=True))
    begun = fmean([s for s, at in blocks if at <= minute] or speeds[:1])
    ended = fmean([s for s, at in blocks if at >= ends[-1] - minute] or speeds[-1:])
    figures = {
        "first minute": Figure(value=begun, unit="tok/s"),
        "last minute": Figure(value=ended, unit="tok/s"),
        "last by first": Figure(value=ended / begun),
    }
    fell = next(
        (e for s, e in zip(speeds, ends, strict=True) if s < FELL_BELOW * begun), None
    )
    if fell is not None:
        figures["below 95 % after"] = Figure(value=fell / 60, unit="min")
    return figures


def _step(work: Work, lane: Lane) -> Step:
    return Step(
        "sustained",
        lane.target,
        {"seconds": work.wishes.sustained_s, "n_depth": min(work.wishes.depths)},
        lane.setting.facts(_context(work)),
    )


def _context(work: Work) -> int:
    return min(work.wishes.depths) + TOKENS
