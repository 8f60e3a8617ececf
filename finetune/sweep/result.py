"""sweep.json: trials of a sweep, and the best one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from finetune.errors import FinetuneError
from medassist.core.files import SHARED_FILE, write_whole
from medassist.frozen_model import FrozenModel


class Trial(FrozenModel):
    """One setting and its result."""

    folder: str
    """Relative to the sweep's folder: `trials/03`."""
    setting: dict[str, Any]
    state: Literal["waiting", "done", "failed"] = "waiting"
    validation_loss: float | None = None
    """Loss of its best checkpoint, nats per token in the loss."""
    best_step: int | None = None
    seconds: float | None = None
    trainable: int | None = None
    why: str = ""
    """Why it failed."""


class Sweep(FrozenModel):
    """All trials of a sweep."""

    version: Literal[1] = 1
    recipe: str
    recipe_sha256: str
    """Hash of the recipe that the trials differ from, every default written out."""
    axes: tuple[str, ...]
    search: int | None
    trials: tuple[Trial, ...] = ()

    @property
    def best(self) -> Trial | None:
        """The trial with the lowest validation loss."""
        done = [t for t in self.trials if t.validation_loss is not None]
        return min(done, key=lambda t: t.validation_loss or 0.0, default=None)

    def table(self) -> str:
        """The trials, best first."""
        keys = list(dict.fromkeys(k for t in self.trials for k in t.setting))
        heads = ["trial", *(k.rpartition(".")[2] for k in keys)]
        heads += ["validation", "at step", "seconds", ""]
        rows = [heads]
        order = sorted(
            self.trials,
            key=lambda t: (t.validation_loss is None, t.validation_loss or 0.0),
        )
        for trial in order:
            loss, mark = trial.validation_loss, "best" if trial == self.best else ""
            rows.append(
                [
                    trial.folder,
                    *(_short(trial.setting.get(key)) for key in keys),
                    f"{loss:.4f}" if loss is not None else "-",
                    str(trial.best_step or "-"),
                    f"{trial.seconds:.0f}" if trial.seconds is not None else "-",
                    mark or (trial.state if trial.state != "done" else ""),
                ]
            )
        widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
        return "\n".join(
            "  ".join(
                cell.ljust(w) for cell, w in zip(row, widths, strict=True)
            ).rstrip()
            for row in rows
        )


def read_sweep(file: Path) -> Sweep:
    """The sweep in `file`.

    Raises:
        FinetuneError: it cannot be read.
    """
    try:
        return Sweep.model_validate_json(file.read_bytes())
    except OSError as error:
        raise FinetuneError(f"{file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise FinetuneError(
            f"{file} is no sweep of this version: {error.errors()[0]['msg']}"
        ) from error


def write_sweep(file: Path, sweep: Sweep) -> None:
    """Write it, whole or not at all."""
    write_whole(file, sweep.model_dump_json(indent=2) + "\n", SHARED_FILE)


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
