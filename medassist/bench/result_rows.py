"""Rows of a result, each with everything measured of one model.

A row is a model, perhaps with an adapter, loaded in one way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from medassist.bench.llama_bench import samples_of
from medassist.bench.results import Figure, FileFacts, ResultLine, SettingsFacts, folded
from medassist.bench.speed import called
from medassist.core.words import plural
from medassist.exams.timings import Percentile, least_for_upper_bound, percentile


@dataclass(frozen=True)
class Speed:
    """A speed with its repetitions.

    Attributes:
        samples: tokens a second of each repetition.
        disturbed: others took too much of the processor.
        line: where it stands.
    """

    samples: tuple[float, ...]
    disturbed: bool
    line: ResultLine

    @property
    def median(self) -> float:
        """Median tokens per second."""
        return median(self.samples)

    @property
    def spread(self) -> float:
        """Largest relative deviation from the median."""
        return max(abs(s - self.median) for s in self.samples) / self.median

    @property
    def joules_per_token(self) -> float | None:
        """Energy of a token; unknown where tokens before it were read, too."""
        joules, test = self.line.disturbance.joules, self.line.test
        if joules is None or test.get("n_depth"):
            return None
        tokens = sum(int(test.get(name) or 0) for name in ("n_prompt", "n_gen"))
        return joules / (tokens * len(self.samples))

    @property
    def said(self) -> str:
        """The figure as it is written: of one repetition no deviation is known."""
        if len(self.samples) < 2:
            return f"{self.median:.1f}"
        percent = 100 * self.spread
        return f"{self.median:.1f} ±{percent:.{0 if percent >= 1 else 1}f}%"


@dataclass
class ResultRow:
    """Everything measured of one model with one way of loading.

    Attributes:
        name: names of its files.
        model: its file.
        adapter: of it.
        settings: how it was loaded.
        raw: raw speeds by llama-bench's names (`pp512`, `tg128 @ d512`).
        app: samples by panes and name: app["base"]["ttft_s"].
        load: seconds by where the file lay, and name.
        memory: bytes by name.
        sustained: figures by name.
        quality: figures by llama-perplexity's names.
        exams: share of right answers, its number of questions, by task.
        notes: of all its measurements.
        disturbed: measurements during which others took too much of the processor, such
            as `app both`, `load warm` or `sustained`; a raw speed tells it itself.
    """

    name: str
    model: FileFacts
    adapter: FileFacts | None
    settings: SettingsFacts | None
    raw: dict[str, Speed] = field(default_factory=dict[str, Speed])
    app: dict[str, dict[str, tuple[float, ...]]] = field(
        default_factory=dict[str, dict[str, tuple[float, ...]]]
    )
    load: dict[str, dict[str, tuple[float, ...]]] = field(
        default_factory=dict[str, dict[str, tuple[float, ...]]]
    )
    memory: dict[str, Figure] = field(default_factory=dict[str, Figure])
    sustained: dict[str, Figure] = field(default_factory=dict[str, Figure])
    quality: dict[str, Figure] = field(default_factory=dict[str, Figure])
    exams: dict[str, tuple[float, int]] = field(
        default_factory=dict[str, tuple[float, int]]
    )
    notes: list[str] = field(default_factory=list[str])
    disturbed: set[str] = field(default_factory=set[str])

    @property
    def mark(self) -> str:
        """Key of the row's files."""
        return self.model.sha256 + (self.adapter.sha256 if self.adapter else "")

    @property
    def loaded(self) -> str:
        """The way of loading in a few words; empty if unknown."""
        own = self.settings
        if own is None:
            return ""
        flash = ", flash" if own.flash_attn else ""
        threads = f"{own.n_threads} {plural(own.n_threads, 'thread')}"
        return f"{threads}, {own.type_k}{flash}"

    @property
    def written_per_s(self) -> float | None:
        """Tokens per second of the app; else the raw decode speed."""
        for samples in self.app.values():
            if samples.get("tok_per_s"):
                return median(samples["tok_per_s"])
        raw = [s for name, s in self.raw.items() if name.startswith("tg")]
        return raw[0].median if raw else None


def rows(lines: Sequence[ResultLine]) -> list[ResultRow]:
    """Rows made of `lines`, in their order.

    What does not depend on how a model was loaded stands in each of its rows.
    """
    found: dict[tuple[str, str], ResultRow] = {}
    whole = [line for line in folded(lines) if line.model is not None]
    for line in whole:
        if line.kind == "speed":
            _row(found, line)
    for line in whole:
        if line.kind != "speed":
            own = [row for row in found.values() if row.mark == _mark(line)]
            for row in own or [_row(found, line)]:
                if line.kind != "sustained" or _alike(row, line):
                    _take(row, line)
    for line in whole:
        if line.kind == "speed":
            _take(_row(found, line), line)
    return list(found.values())


def notes_of(found: Sequence[ResultRow]) -> list[str]:
    """What is noted of the rows, each note once, with those that it is of."""
    names = {row.name for row in found}
    by_note: dict[str, list[str]] = {}
    for row in found:
        for note in row.notes:
            own = by_note.setdefault(note, [])
            if row.name not in own:
                own.append(row.name)
    return [
        f"{'all' if len(own) == len(names) > 1 else ', '.join(own)}: {note}"
        for note, own in by_note.items()
    ]


def ttft(samples: Sequence[float]) -> tuple[Percentile, Percentile | None]:
    """Median time to first token, and the 95th percentile if it can be bounded."""
    many = len(samples) >= least_for_upper_bound(0.95)
    return percentile(samples, 0.5), percentile(samples, 0.95) if many else None


def _mark(line: ResultLine) -> str:
    assert line.model is not None
    return line.model.sha256 + (line.adapter.sha256 if line.adapter else "")


def _loaded(line: ResultLine) -> str:
    """Settings of loading, but for the size of the cache, which follows the test."""
    if line.kind != "speed" or line.settings is None:
        return ""
    return line.settings.model_copy(update={"n_ctx": 0}).model_dump_json()


def _alike(row: ResultRow, line: ResultLine) -> bool:
    one, other = row.settings, line.settings
    if one is None or other is None:
        return True
    return one.model_copy(update={"n_ctx": 0}) == other.model_copy(update={"n_ctx": 0})


def _row(found: dict[tuple[str, str], ResultRow], line: ResultLine) -> ResultRow:
    assert line.model is not None
    key = _mark(line), _loaded(line)
    if key not in found:
        # The scorer's settings are one for all rows, and tell of no way of loading.
        loaded = None if line.kind in ("quality", "exam") else line.settings
        found[key] = ResultRow(line.row, line.model, line.adapter, loaded)
    row = found[key]
    if not row.model.type and line.model.type:
        row.model = line.model
    return row


def _take(row: ResultRow, line: ResultLine) -> None:
    row.notes += [note for note in line.notes if note not in row.notes]
    if line.disturbance.disturbed:
        of = line.test.get("panes") or line.test.get("file")
        row.disturbed.add(f"{line.kind} {of}" if of else line.kind)
    match line.kind:
        case "speed":
            _, speeds = samples_of(line)
            row.raw[called(line.test)] = Speed(
                tuple(speeds), line.disturbance.disturbed, line
            )
        case "app":
            row.app[str(line.test.get("panes"))] = dict(line.samples)
        case "load":
            row.load[str(line.test.get("file"))] = dict(line.samples)
        case "memory":
            row.memory = dict(line.figures)
        case "sustained":
            row.sustained = dict(line.figures)
        case "quality":
            row.quality = dict(line.figures)
        case "exam":
            right = sum(item.choice == item.gold for item in line.items)
            count = len(line.items)
            row.exams[str(line.test.get("task"))] = (right / max(1, count), count)
        case _:
            pass
