"""Runs the trials of a sweep one after the other.

Each trial is a process, so that nothing of one (memory, random numbers, a crash) is in
the next, and a run folder under `trials/`, which can be evaluated and reported like
any other. The data is shared by a link.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from finetune.errors import FinetuneError, Interrupted
from finetune.recipe import TrainRecipe
from finetune.sweep.result import Sweep, Trial, read_sweep, write_sweep
from finetune.sweep.space import Dimension, Setting, grid, with_setting
from finetune.train.base_gguf import unpacked_base
from finetune.train.result import read_training
from finetune.train.training_folder import TrainingRun
from medassist.core.run_folder import BASE, DATA, RECIPE, SWEEP
from medassist.core.run_folder import TRAINING as TRAINED
from medassist.core.unpacked import read_unpacked

Tell = Callable[[str], None]
STOPPED = 130
_WORST = 1e9


def sweep(
    run: TrainingRun,
    axes: Sequence[Dimension],
    words: Sequence[str],
    search: int | None,
    options: Sequence[str],
    *,
    resume: bool,
    tell: Tell,
) -> Sweep:
    """Train every setting, or search among them; report the best.

    Args:
        run: the folder with the prepared data, and the recipe to vary.
        axes: what is varied.
        words: the axes as the user said them; a resumed sweep must have the same.
        search: so many trials, chosen by what the ones before gave (TPE, by Optuna).
        options: for `finetune train`.
        resume: go on with a sweep that was broken off.
        tell: shows a line.

    Raises:
        Interrupted: the user stopped it.
        FinetuneError: a setting is not allowed, or no trial came to an end.
    """
    file = run.root / SWEEP
    # A GGUF is unpacked once, for all trials.
    unpacked_base(run.recipe.base, run.root)
    state = _begin(file, run, words, search, resume)
    for setting in [] if search else grid(axes):
        with_setting(run.recipe, setting, "check")  # wrong values before the first
    while (setting := _next(state, run.recipe, axes, search)) is not None:
        waiting = [i for i, t in enumerate(state.trials) if t.state == "waiting"]
        if not waiting:
            folder = f"trials/{len(state.trials):02}"
            trial = Trial(folder=folder, setting=setting)
            state = _put(file, state, trial, len(state.trials))
            waiting = [len(state.trials) - 1]
        place = waiting[0]
        trial = state.trials[place]
        said = " ".join(f"{k}={v}" for k, v in trial.setting.items())
        tell(f"{trial.folder}: {said}")
        trial = _train(run, trial, options, file)
        state = _put(file, state, trial, place)
        loss = trial.validation_loss
        tell(f"  validation {loss:.4f}" if loss is not None else f"  {trial.why}")
    if state.best is None:
        raise FinetuneError(
            f"no trial of {run.root} gave a validation loss: "
            f"{state.trials[-1].why if state.trials else 'there was none'}"
        )
    return state


def _begin(
    file: Path, run: TrainingRun, words: Sequence[str], search: int | None, resume: bool
) -> Sweep:
    fresh = Sweep(
        recipe=run.recipe.name,
        recipe_sha256=run.recipe_sha256,
        axes=tuple(words),
        search=search,
    )
    if not file.is_file():
        return fresh
    there = read_sweep(file)
    if not resume:
        raise FinetuneError(
            f"{file} is of a sweep that was begun; go on with it by --resume, or name "
            "another folder by --out"
        )
    same = ("recipe_sha256", "axes")
    if any(getattr(there, key) != getattr(fresh, key) for key in same):
        raise FinetuneError(
            f"{file} is of another sweep ({' '.join(there.axes)} on {there.recipe}); "
            "say the same again, or name another folder by --out"
        )
    return there.model_copy(update={"search": search})


def _next(
    state: Sweep, recipe: TrainRecipe, axes: Sequence[Dimension], search: int | None
) -> Setting | None:
    """The setting of the next trial; None where all are done."""
    for trial in state.trials:
        if trial.state == "waiting":
            return trial.setting
    if search is None:
        settings = list(grid(axes))
        number = len(state.trials)
        return settings[number] if number < len(settings) else None
    return _suggest(state, recipe, axes) if len(state.trials) < search else None


def _suggest(state: Sweep, recipe: TrainRecipe, axes: Sequence[Dimension]) -> Setting:
    """Trial that Optuna would try next, told of all trials so far.

    The study is made anew each time from sweep.json, so that a sweep that was broken
    off goes on as if it had not been.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=recipe.seed + len(state.trials))
    study = optuna.create_study(sampler=sampler)
    space: dict[str, optuna.distributions.BaseDistribution] = {}
    for axis in axes:
        if not axis.is_range:
            spread = optuna.distributions.CategoricalDistribution(axis.values)
        elif axis.whole:
            spread = optuna.distributions.IntDistribution(int(axis.low), int(axis.high))
        else:
            spread = optuna.distributions.FloatDistribution(
                axis.low, axis.high, log=axis.low > 0 and axis.high / axis.low >= 10
            )
        space[axis.key] = spread
    for trial in state.trials:
        loss = trial.validation_loss
        study.add_trial(
            optuna.trial.create_trial(
                params=trial.setting,
                distributions=space,
                value=_WORST if loss is None else loss,
            )
        )
    return dict(study.ask(space).params)


def _train(run: TrainingRun, trial: Trial, options: Sequence[str], file: Path) -> Trial:
    folder = run.root / trial.folder
    name = f"{run.recipe.name}-{Path(trial.folder).name}"[:80]
    try:
        recipe = with_setting(run.recipe, trial.setting, name)
    except FinetuneError as error:
        return trial.model_copy(update={"state": "failed", "why": str(error)})
    folder.mkdir(parents=True, exist_ok=True)
    _share(run.data, folder / DATA)
    if read_unpacked(run.base) is not None:
        _share(run.base, folder / BASE)
    recipe.write(folder / RECIPE)
    command = [sys.executable, "-m", "finetune", "train", str(folder)]
    command += ["--resume", "--yes", *options]
    child = subprocess.Popen(  # of its own group: a Ctrl-C is passed on once, by us
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    before = _pass_on(child)
    last: deque[str] = deque(maxlen=1)
    try:
        for line in child.stderr or ():
            if line.strip():
                last.append(line.strip())
        code = child.wait()
    finally:
        for number, old in before.items():
            signal.signal(number, old)
    if code == STOPPED or code < 0:
        raise Interrupted(
            f"stopped in {trial.folder}; the trials before it are done. Go on with the "
            "same command and --resume",
            file,
        )
    if code != 0:
        why = last[-1] if last else f"exit status {code}"
        return trial.model_copy(update={"state": "failed", "why": why})
    if not (folder / TRAINED).is_file():
        return trial.model_copy(update={"state": "failed", "why": "no result"})
    result = read_training(folder)
    if result.best.validation_loss is None:
        return trial.model_copy(
            update={"state": "failed", "why": "there is no validation set to choose by"}
        )
    return trial.model_copy(
        update={
            "state": "done",
            "validation_loss": result.best.validation_loss,
            "best_step": result.best.step,
            "seconds": result.seconds,
            "trainable": result.method.trainable,
        }
    )


def _pass_on(child: subprocess.Popen[str]) -> dict[int, signal.Handlers]:
    """Pass Ctrl-C and SIGTERM on to the trial, which keeps a checkpoint."""

    def pass_on(number: int, frame: object) -> None:
        child.send_signal(signal.SIGTERM)

    before: dict[int, signal.Handlers] = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, pass_on)  # pyright: ignore[reportArgumentType]
    except ValueError:  # not in the main thread
        pass
    return before


def _share(folder: Path, to: Path) -> None:
    if to.exists():
        return
    try:
        to.symlink_to(os.path.relpath(folder, to.parent), target_is_directory=True)
    except OSError:  # no links here
        shutil.copytree(folder, to)


def _put(file: Path, state: Sweep, trial: Trial, place: int) -> Sweep:
    trials = [*state.trials]
    trials[place : place + 1] = [trial]
    changed = state.model_copy(update={"trials": tuple(trials)})
    write_sweep(file, changed)
    return changed
