"""Statistics of many verdicts on a pair.

Blind and open verdicts are counted apart: who sees the names judges them too. Ties
and two poor answers are counted, and left out of the test, which asks whether one was
preferred more often than a fair coin would have it. Sides are tested in the same way:
a reader who favours the left pane does so whatever stands there.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from medassist.consult.turn import Turn
from medassist.consult.verdict import REASONS, Reason, Verdict
from medassist.core.values import PANES, PaneName

if TYPE_CHECKING:
    from medassist.exams.sign_test import SignTest

_Z_TEST = 1.959963984540054
"""Two-sided, 5 %."""
_Z_POWER = 0.8416212335729143
"""80 %."""


@dataclass(frozen=True)
class JudgedTurn:
    """A verdict with the turn and pair it is on; no text of question or answers."""

    consultation: str
    turn: str
    pair: str
    verdict: Verdict
    question_sha256: str
    seeds: tuple[int, ...] = ()
    """Seeds of base and tuned, as far as they answered."""

    @property
    def outcome(self) -> str:
        """The winner, or how it was undecided."""
        return self.verdict.winner or self.verdict.choice


@dataclass(frozen=True)
class PairFigures:
    """Statistics of the verdicts on one pair, blind or open.

    Attributes:
        pair: its name.
        blind: the names were hidden.
        tuned: verdicts for the tuned model.
        base: verdicts for the base model.
        ties: neither was better.
        both_poor: neither was any good.
        test: of the tuned model against the base model.
        more: decisive verdicts that are still missing for a test that finds this share
            in four of five studies; 0: there are enough. `None`: the share is even or
            there is none, so no number would do.
        side_a: how often the answer on side A was preferred. `None` where names were
            seen: there A is always the same model.
        repeated: pairs of verdicts on the same question, in different turns.
        agreeing: of those, how many came out the same.
        reasons: how often each was given.
    """

    pair: str
    blind: bool
    tuned: int
    base: int
    ties: int
    both_poor: int
    test: SignTest
    more: int | None
    side_a: SignTest | None
    repeated: int
    agreeing: int
    reasons: tuple[tuple[Reason, int], ...]

    @property
    def count(self) -> int:
        """Number of all verdicts."""
        return self.tuned + self.base + self.ties + self.both_poor

    @property
    def decisive(self) -> int:
        """Number of verdicts for one of the two."""
        return self.tuned + self.base


def pair_name(base: str, tuned: str) -> str:
    """A pair's name in statistics and exports."""
    return f"{base or '?'} / {tuned or '?'}"


def judged(consultation: str, number: str, turn: Turn) -> list[JudgedTurn]:
    """All verdicts on `turn`, from memory.

    Args:
        consultation: its number.
        number: the turn's number.
        turn: the turn.
    """
    found = {pane: turn.own_answer(pane) for pane in PANES}
    names = [answer.source.label if answer else "" for answer in found.values()]
    return [
        JudgedTurn(
            consultation,
            number,
            pair_name(names[0], names[1]),
            verdict,
            question_hash(turn.question),
            tuple(answer.seed for answer in found.values() if answer),
        )
        for verdict in turn.verdicts
    ]


class VerdictOnRecord(Protocol):
    """The part of `medassist.records.history.RecordedVerdict` that is used here."""

    @property
    def consultation(self) -> int: ...
    @property
    def turn(self) -> int: ...
    @property
    def verdict(self) -> Verdict: ...
    @property
    def models(self) -> Mapping[PaneName, str]: ...
    @property
    def hidden(self) -> bool: ...
    @property
    def question(self) -> str: ...
    @property
    def seeds(self) -> tuple[int, ...]: ...


def of_records(found: Iterable[VerdictOnRecord]) -> list[JudgedTurn]:
    """The stored verdicts, without those whose names are still hidden."""
    return [
        JudgedTurn(
            str(one.consultation),
            str(one.turn),
            pair_name(one.models.get("base", ""), one.models.get("tuned", "")),
            one.verdict,
            question_hash(one.question),
            one.seeds,
        )
        for one in found
        if not one.hidden
    ]


def question_hash(question: str) -> str:
    """The sha256 of a question, without blanks at its ends.

    It tells whether two questions are equal. Who guesses a question can check it.
    """
    return hashlib.sha256(question.strip().encode("utf-8", "replace")).hexdigest()


def standing(given: Iterable[JudgedTurn]) -> list[JudgedTurn]:
    """The verdicts on a turn that count: the last blind and the last open one."""
    last: dict[tuple[str, str, bool], JudgedTurn] = {}
    for one in given:
        key = (one.consultation, one.turn, one.verdict.blind)
        last.pop(key, None)
        last[key] = one
    return list(last.values())


def figures(given: Iterable[JudgedTurn]) -> tuple[PairFigures, ...]:
    """The statistics of every pair, blind verdicts before open ones."""
    groups: dict[tuple[str, bool], list[JudgedTurn]] = defaultdict(list)
    for one in standing(given):
        groups[one.pair, not one.verdict.blind].append(one)
    return tuple(
        _figures(pair, not is_open, groups[pair, is_open])
        for pair, is_open in sorted(groups)
    )


def missing(wins: int, losses: int) -> int | None:
    """Decisive verdicts still missing at this share for 80 % power, two-sided 5 %.

    By the normal approximation to the binomial: 783 at 55 %, 194 at 60 %, 85 at 65 %.
    """
    count = wins + losses
    if not count or wins == losses:
        return None
    share = wins / count
    spread = _Z_TEST / 2 + _Z_POWER * math.sqrt(share * (1 - share))
    return max(0, math.ceil((spread / (share - 0.5)) ** 2) - count)


def _figures(pair: str, blind: bool, given: Sequence[JudgedTurn]) -> PairFigures:
    from medassist.exams.sign_test import sign_test  # numpy with it

    outcomes = Counter(one.outcome for one in given)
    sides = Counter(one.verdict.choice for one in given)
    tuned, base = outcomes["tuned"], outcomes["base"]
    repeated, agreeing = _repeats(given)
    reasons = Counter(reason for one in given for reason in one.verdict.reasons)
    return PairFigures(
        pair=pair,
        blind=blind,
        tuned=tuned,
        base=base,
        ties=outcomes["tie"],
        both_poor=outcomes["both poor"],
        test=sign_test(tuned, base),
        more=missing(tuned, base),
        side_a=sign_test(sides["A"], sides["B"]) if blind else None,
        repeated=repeated,
        agreeing=agreeing,
        reasons=tuple((name, reasons[name]) for name in REASONS if reasons[name]),
    )


def _repeats(given: Sequence[JudgedTurn]) -> tuple[int, int]:
    """Counts the pairs of verdicts on the same question, and those that agree."""
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    for one in given:
        outcomes[one.question_sha256][one.outcome] += 1
    repeated = sum(math.comb(found.total(), 2) for found in outcomes.values())
    agreeing = sum(
        math.comb(count, 2) for found in outcomes.values() for count in found.values()
    )
    return repeated, agreeing
