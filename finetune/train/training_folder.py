"""Opens the run folder of a training, and locks it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from finetune.errors import FinetuneError
from finetune.recipe import TrainRecipe, find_recipe, parse_recipe, read_recipe
from finetune.train.checkpoint import newest, read_state
from finetune.train.result import TrainingResult, read_training
from medassist.core.files import sha256_of_file
from medassist.core.locks import HeldError, Lock
from medassist.core.run_folder import RECIPE, RunFolder
from medassist.core.run_folder import TRAINING as RESULT


@dataclass(frozen=True)
class TrainingRun(RunFolder):
    """A run folder to train in."""

    recipe: TrainRecipe
    base_folder: Path | None = None
    """Folder of the base, if it is not where the recipe says."""

    @property
    def recipe_sha256(self) -> str:
        """Hash of recipe.yaml as it stands, or would stand, in the folder."""
        if _is_written(self):
            return sha256_of_file(self.recipe_file)
        return hashlib.sha256(self.recipe.text().encode()).hexdigest()

    def finished(self) -> TrainingResult | None:
        """The result of a training that is done; None where there is work left."""
        if not (self.root / RESULT).is_file():
            return None
        result = read_training(self.root)
        done = not result.unfinished and self.adapter.is_dir()
        return result if done else None


def root_of(wish: str, out: Path | None) -> Path:
    """The run folder of a call: `out`, or `wish` itself, or `runs/NAME`.

    Raises:
        FinetuneError: `wish` is no recipe, or its recipe cannot be read.
    """
    if out is not None or Path(wish).is_dir():
        return out or Path(wish)
    return Path("runs") / read_recipe(find_recipe(wish)).name


def open_run(
    wish: str,
    out: Path | None,
    *,
    resume: bool,
    base: Path | None = None,
    change: bool = True,
) -> TrainingRun:
    """Open the run folder of a call, with its recipe in it.

    Args:
        wish: a recipe's file, a known recipe's name, or a run folder.
        out: the run folder; by default `wish` itself, or `runs/NAME`.
        resume: go on with a training that was begun there.
        base: where the base lies, if not where the recipe says.
        change: write the recipe into the folder, every default written out.

    Raises:
        FinetuneError: the folder was made by another recipe, has no data, or holds a
            training that was begun and is not to be resumed.
    """
    file = find_recipe(wish)
    root = out or (Path(wish) if Path(wish).is_dir() else None)
    recipe = _recipe(file, root)
    root = root or Path("runs") / recipe.name
    run = TrainingRun(root, recipe, base)
    if not run.split("train").is_file():
        raise FinetuneError(
            f"{run.split('train')} is not there; prepare the data with: "
            f"medassist finetune prepare {wish} --out {root}"
        )
    begun = newest(run.checkpoints)
    if run.recipe_file.is_file() and file != run.recipe_file:
        _same(run, file, begun is not None or (root / RESULT).is_file())
    if begun is not None and not resume and run.finished() is None:
        step = read_state(begun).step
        raise FinetuneError(
            f"{root} holds a training that stopped after step {step:,}; go on with it "
            "by --resume, or name another folder by --out"
        )
    if change and run.finished() is None and not _is_written(run):
        recipe.write(run.recipe_file)
    return run


def check_resumed(run: TrainingRun, folder: Path) -> None:
    """Check that the checkpoint in `folder` belongs to the run's recipe.

    Raises:
        FinetuneError: the recipe in the run folder was changed since.
    """
    if read_state(folder).recipe_sha256 != run.recipe_sha256:
        raise FinetuneError(
            f"{run.recipe_file} was changed since {folder} was written; put it back, "
            "or train in another folder by --out"
        )


@contextmanager
def locked(root: Path) -> Generator[None]:
    """Keep a second training out of the folder while one runs.

    Raises:
        FinetuneError: another process trains there.
    """
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    lock = Lock(root / ".lock")
    try:
        lock.take()
    except HeldError as held:
        raise FinetuneError(
            f"another process{held.holder} is at work in {root}; wait for it, or name "
            "another folder by --out"
        ) from None
    except OSError as error:
        raise FinetuneError(
            f"{root / '.lock'} cannot be used to keep two trainings apart: "
            f"{error.strerror}; take it away, or name another folder by --out"
        ) from error
    with lock:
        yield


def _is_written(run: TrainingRun) -> bool:
    """Whether the folder has the run's recipe, in the words of whichever version.

    An older one wrote fewer defaults; checkpoints are known by the hash of its words.
    """
    if not run.recipe_file.is_file():
        return False
    content = yaml.safe_load(run.recipe_file.read_text("utf-8"))
    whole = isinstance(content, dict) and "base" in content
    return whole and parse_recipe(content, str(run.recipe_file)) == run.recipe


def _recipe(file: Path, root: Path | None) -> TrainRecipe:
    """The recipe in `file`; relative paths of its data stay what they are."""
    if root is None or file != root / RECIPE:
        return read_recipe(file)
    try:
        content = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise FinetuneError(f"{file} cannot be read as YAML: {error}") from error
    if isinstance(content, dict) and "base" not in content:
        raise FinetuneError(
            f"{file} says how the data was prepared and names no base; train with: "
            f"medassist finetune train RECIPE --out {root}"
        )
    return parse_recipe(content, str(file))


def _same(run: TrainingRun, file: Path, begun: bool) -> None:
    try:
        content = yaml.safe_load(run.recipe_file.read_text("utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise FinetuneError(f"{run.recipe_file} cannot be read: {error}") from error
    if isinstance(content, dict) and "base" not in content and not begun:
        return  # data that was prepared without a recipe for a training
    there = parse_recipe(content, str(run.recipe_file))
    if there == run.recipe or _but_data_path(there) == _but_data_path(run.recipe):
        return
    # Options of `prepare` may have changed what the recipe says of the same data sets.
    if begun or (run.recipe.data is not None and _sets(there) != _sets(run.recipe)):
        differs = [
            name
            for name in type(there).model_fields
            if getattr(there, name) != getattr(run.recipe, name)
        ]
        raise FinetuneError(
            f"{run.root} was made by another recipe than {file}: they differ in "
            f"{', '.join(differs)}. Name another folder by --out, or go on with its "
            f"own recipe: medassist finetune train {run.root} --resume"
        )


def _sets(recipe: TrainRecipe) -> list[tuple[str, str]] | None:
    if recipe.data is None:
        return None
    return [(each.name, Path(each.path).name) for each in recipe.data.sources]


def _but_data_path(recipe: TrainRecipe) -> TrainRecipe:
    """The recipe without what a preparation has made absolute."""
    if recipe.data is None:
        return recipe
    sources = tuple(
        s.model_copy(update={"path": Path(s.path).name}) for s in recipe.data.sources
    )
    names = tuple(Path(exam).name for exam in recipe.data.overlap.exams)
    overlap = recipe.data.overlap.model_copy(update={"exams": names})
    data = recipe.data.model_copy(update={"sources": sources, "overlap": overlap})
    return recipe.model_copy(update={"data": data})
