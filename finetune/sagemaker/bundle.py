"""The three channels of a job: the program, the run, the base."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from finetune.recipe import TrainRecipe
from finetune.sagemaker.channel import InputChannel, channel_of
from finetune.sagemaker.container import entry
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.own_wheel import write_own_wheel
from finetune.sagemaker.upload import files_under
from finetune.sagemaker.wheelhouse import fill, requirements
from finetune.train.base_gguf import unpacked_base
from finetune.train.base_model import WANTED, find_base
from finetune.train.training_folder import TrainingRun
from medassist.core.progress import Watcher, unwatched
from medassist.core.run_folder import DATA, RECIPE
from medassist.core.words import size

SPLITS = ("train", "validation")


@dataclass(frozen=True)
class Bundle:
    """All that leaves this computer for a job."""

    code: InputChannel
    run: InputChannel
    base: InputChannel | None
    """None: it lies in S3 already."""

    @property
    def channels(self) -> tuple[InputChannel, ...]:
        """The channels that are sent."""
        every = (self.code, self.run, self.base)
        return tuple(each for each in every if each is not None)

    @property
    def told(self) -> str:
        """Lists what leaves this computer, a line each."""
        return "\n".join(
            f"  {each.name:<5} {size(each.size):>9}  {each.about}"
            for each in self.channels
        )


def make_bundle(
    run: TrainingRun,
    folder: Path,
    *,
    base_from: str | None = None,
    wheels: Path | None = None,
    watcher: Watcher = unwatched,
) -> Bundle:
    """Collect what a job of `run` needs; nothing is sent.

    Of the data the splits that are trained on go along, and not the test split, which
    is evaluated here.

    Args:
        run: the run folder, prepared.
        folder: where medassist's own wheel is written.
        base_from: s3://... or a folder: the base, if not where the recipe says.
        wheels: the cache of wheels, if not the program's own.
        watcher: is told how far it is.

    Raises:
        FinetuneError: the base is not there, or a package is not.
        OSError: a file cannot be read.
    """
    recipe = run.recipe
    wanted = requirements(qlora=recipe.lora.method == "qlora")
    code = {f"wheels/{w.name}": w for w in fill(wanted, wheels)}
    own = write_own_wheel(folder)
    code[f"wheels/{own.name}"] = own
    code["entry.py"] = Path(entry.__file__)
    files = {RECIPE: run.recipe_file}
    files |= {
        f"{DATA}/{name}.jsonl": run.split(name)
        for name in SPLITS
        if run.split(name).is_file()
    }
    return Bundle(
        channel_of("code", "this program and the packages it needs", code),
        channel_of(
            "run",
            f"the recipe and the data of {run.root}, without the test part",
            files,
        ),
        base_channel(run.root, recipe, base_from, watcher),
    )


def base_channel(
    root: Path, recipe: TrainRecipe, base_from: str | None, watcher: Watcher
) -> InputChannel | None:
    """The base of a run, as it is sent; None: it lies in S3 already.

    Raises:
        FinetuneError: it is not there.
    """
    if base_from is not None and base_from.startswith("s3://"):
        return None
    name = base_from or recipe.base
    folder = unpacked_base(name, root, watcher) or find_base(name, recipe.revision)
    files = {
        path: file
        for path, file in files_under(folder).items()
        if "/" not in path and any(file.match(pattern) for pattern in WANTED)
    }
    if not files:
        raise SageMakerError(f"{folder} holds no model")
    about = f"the base {recipe.base}, from {folder}"
    return channel_of("base", about, files, watcher)
