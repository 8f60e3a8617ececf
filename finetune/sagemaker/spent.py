"""Time that a job has used over its starts: spent.json beside its checkpoints.

A spot job is started again on another computer, from the same folder of checkpoints,
and only this file knows of the starts before. It stands next to the entry point in the
container, so that this module imports nothing beyond the standard library and the one
writer of files, which needs no more either.

A start that did not close its account was killed: what it may have used after its last
line is charged to it (LOST_S), and each start after the first pays for its own boot,
which it cannot see (BOOT_S). So the sum is never less than what SageMaker bills.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from medassist.core.files import write_whole

BOOT_S = 600.0
LOST_S = 90.0
EVERY_S = 30.0
"""So often the account is written."""
FILE = "spent.json"


class AccountLost(ValueError):
    """spent.json is not what was written: nobody knows what was used up."""


@dataclass(frozen=True)
class Spent:
    """Time used by a job, over all its starts."""

    before_s: float = 0.0
    """Seconds of the starts before this one, with what they are charged."""
    now_s: float = 0.0
    """Seconds of this start, since its container began."""
    starts: int = 1
    closed: bool = False
    """Whether this start has ended in order."""

    @property
    def seconds(self) -> float:
        """Seconds of all starts."""
        return self.before_s + self.now_s

    def at(self, now_s: float) -> Spent:
        """The account `now_s` seconds after the container began; it never falls."""
        return replace(self, now_s=max(self.now_s, now_s))

    def close(self, now_s: float) -> Spent:
        """The account of a start that ends in order."""
        return replace(self.at(now_s), closed=True)

    def rest(self, limit_s: float) -> float:
        """Seconds left of `limit_s`, at least 0."""
        return max(0.0, limit_s - self.seconds)


def next_start(last: Spent | None) -> Spent:
    """The account of a start after `last`; None: it is the first."""
    if last is None:
        return Spent()
    lost = 0.0 if last.closed else LOST_S
    return Spent(before_s=last.seconds + lost + BOOT_S, starts=last.starts + 1)


def read(text: str | None) -> Spent | None:
    """The account that was written, None where there is none.

    Raises:
        AccountLost: it is broken. It counts as all spent, not as nothing.
    """
    if text is None:
        return None
    try:
        values = json.loads(text)
        spent = Spent(
            before_s=_seconds(values["before_s"]),
            now_s=_seconds(values["now_s"]),
            starts=int(values["starts"]),
            closed=values["closed"] is True,
        )
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise AccountLost(
            f"{FILE} cannot be read ({error!r:.200}), so that nobody knows what this "
            "job has used up; it trains no further"
        ) from error
    return spent


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r:.50} is no number of seconds")
    if not 0 <= value < 10**9:
        raise ValueError(f"{value!r:.50} seconds cannot be")
    return float(value)


def written(spent: Spent) -> str:
    """The text of spent.json."""
    return json.dumps(asdict(spent)) + "\n"


def load(folder: Path) -> Spent | None:
    """The account in `folder`.

    Raises:
        AccountLost: as `read`.
    """
    try:
        return read((folder / FILE).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise AccountLost(f"{FILE} cannot be read: {error}") from error


def save(folder: Path, spent: Spent) -> None:
    """Write the account into `folder`, whole or not at all."""
    write_whole(folder / FILE, written(spent))
