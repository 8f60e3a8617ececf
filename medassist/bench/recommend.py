"""Recommends a file: the smallest that is fast enough and shown to be no worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medassist.bench.exam_verdict import ExamVerdict, primary
from medassist.bench.result_rows import ResultRow
from medassist.core.words import size
from medassist.exams.perplexity import MEAN_KLD, SAME_TOP

BROKEN_KLD = 1.0
"""Nats, of our own choice: thirty times what quantizing to four bits costs (0.03 in
llama.cpp's own table), and what a file with swapped layers has."""
BROKEN_SAME_TOP = 50.0
CANNOT_TELL = (
    "No file is recommended: these exams cannot tell which of them are good. Take "
    "easier ones, put solved examples before each question (--shots), or measure a "
    "model that knows more."
)


@dataclass(frozen=True)
class Recommendation:
    """The recommended file and the reason; or what is missing.

    Attributes:
        row: which to take; `None` where none meets what was asked for.
        said: the grounds, a sentence each.
    """

    row: ResultRow | None
    said: tuple[str, ...]


def recommend(
    rows: Sequence[ResultRow],
    verdicts: Sequence[ExamVerdict],
    target_speed: float,
    margin: float,
) -> Recommendation:
    """Choose the smallest file that is fast enough and no worse.

    Where the exams cannot tell, none is chosen by them, and the reference neither: what
    it is to be no worse than would know nothing.

    Args:
        rows: of the result.
        verdicts: of it.
        target_speed: tokens a second that are wanted; 0: any.
        margin: by how much it may be worse.
    """
    counted = {verdict.row: verdict for verdict in primary(verdicts)}
    reference = next(iter(counted.values())).reference if counted else None
    ignorant = _ignorant(counted)
    lacking: list[str] = []
    untold: list[str] = []
    for row in sorted(rows, key=lambda row: row.model.bytes):
        verdict = counted.get(row.name)
        why = _missing(row, verdict, reference, target_speed, margin)
        if not why and row.name == reference:
            why = ignorant
        if not why:
            grounds = _grounds(row, verdict, reference, target_speed)
            return Recommendation(row, (grounds, *lacking, *_untold(untold, ignorant)))
        if ignorant and why in (ignorant, verdict.said if verdict else ""):
            untold.append(row.name)
        else:
            lacking.append(f"{row.name}: {why}.")
    none = CANNOT_TELL if ignorant else "No file meets what was asked for."
    return Recommendation(None, (none, *lacking, *_untold(untold, ignorant)))


def _ignorant(verdicts: Mapping[str, ExamVerdict]) -> str:
    """Why the reference counts as one that knows nothing; empty if it does not."""
    return next((one.ignorant for one in verdicts.values()), "")


def _untold(names: Sequence[str], ignorant: str) -> tuple[str, ...]:
    return (f"{', '.join(names)}: {ignorant}.",) if names else ()


def _grounds(
    row: ResultRow,
    verdict: ExamVerdict | None,
    reference: str | None,
    target_speed: float,
) -> str:
    parts: list[str] = []
    speed = row.written_per_s
    if target_speed and speed is not None:
        parts.append(f"writes {speed:.1f} tok/s, where {target_speed:g} are wanted")
    take = f"Take {row.name} ({size(row.model.bytes)})"
    if row.name == reference:
        own = ", and ".join(("it is the reference itself", *parts))
        return f"{take}: {own}. No smaller file was found that may stand for it."
    if verdict is not None:
        parts.append(f"is {verdict.said}")
    return f"{take}: the smallest file that {', and '.join(parts or ['was measured'])}."


def broken(row: ResultRow) -> str:
    """Why a file's divergence shows that it is broken; empty if it does not."""
    kld, same = row.quality.get(MEAN_KLD), row.quality.get(SAME_TOP)
    if kld is not None and (kld.low or 0.0) > BROKEN_KLD:
        return (
            "it is broken, or quantized so far that it is another model: it diverges "
            f"from the reference by {kld.value:.2f} nats a token"
        )
    if same is not None and (same.high or 100.0) < BROKEN_SAME_TOP:
        return (
            "it is broken, or quantized so far that it is another model: at "
            f"{100 - same.value:.0f} % of the tokens it holds another for the likeliest"
        )
    return ""


def _missing(
    row: ResultRow,
    verdict: ExamVerdict | None,
    reference: str | None,
    target_speed: float,
    margin: float,
) -> str:
    """Requirements that a row does not meet; empty where it meets all."""
    if why := broken(row):
        return why
    speed = row.written_per_s
    if target_speed and speed is None:
        return "its speed was not measured"
    if target_speed and speed is not None and speed < target_speed:
        return f"it writes {speed:.1f} tok/s, where {target_speed:g} are wanted"
    if row.name == reference:
        return ""
    if verdict is None:
        return (
            ""
            if reference is None and not margin
            else "that it is no worse was not examined (--exams)"
        )
    if not verdict.no_worse and verdict.shown != "better":
        return verdict.said
    return ""
