"""Settings of a preparation, from a recipe or from named data sets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from finetune.data.recipe import ALLOWED_LICENCES, DataPart, absolute
from finetune.data.recognise import recognise
from finetune.data.sources.nearest import did_you_mean
from finetune.data.sources.registry import SOURCES
from finetune.data.steps.split import SPLITS
from finetune.errors import FinetuneError
from finetune.recipe import TrainRecipe, find_recipe, parse_recipe, read_recipe
from medassist.core.files import read_text
from medassist.core.run_folder import ADAPTER, CHECKPOINTS, RECIPE
from medassist.core.validated import first_problem

_RECIPE_ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True)
class Changes:
    """Options of the command, which override the recipe.

    Attributes:
        licences: allowed beside the list.
        options: of data sets, as `key=value` or `name.key=value`.
        split: three shares, as 80/10/10 or 0.8/0.1/0.1.
        exams: files or folders whose questions must not be in the data.
        no_near: keep near duplicates.
        identifiers: warn or drop.
        languages: only these.
        seed: of the split.
    """

    licences: Sequence[str] = ()
    options: Sequence[str] = ()
    split: str | None = None
    exams: Sequence[Path] = ()
    no_near: bool = False
    identifiers: str | None = None
    seed: int | None = None
    languages: Sequence[str] = ()


@dataclass(frozen=True)
class AskedData:
    """Settings, and where their relative paths begin."""

    settings: DataPart
    base: Path
    recipe: TrainRecipe | None = None
    """The whole recipe, where it is one for a training."""
    file: Path | None = None
    """The recipe's."""

    def keep_recipe(self, run: Path) -> None:
        """Write the recipe into the run folder, so that it can be trained in by name.

        Its data is what was asked for, options of the command included, with absolute
        paths. The recipe of a training that was begun is left as it is, and so is one
        that lies in the folder already.
        """
        trained = any((run / name).exists() for name in (ADAPTER, CHECKPOINTS))
        there = run / RECIPE
        if self.recipe is None or self.file is None or trained:
            return
        if there.exists() and there.samefile(self.file):
            return
        at = partial(absolute, self.base)
        sources = tuple(
            part.model_copy(update={"path": str(at(part.path))})
            for part in self.settings.sources
        )
        exams = tuple(str(at(path)) for path in self.settings.overlap.exams)
        overlap = self.settings.overlap.model_copy(update={"exams": exams})
        data = {"sources": sources, "overlap": overlap}
        self.recipe.model_copy(
            update={"data": self.settings.model_copy(update=data)}
        ).write(there)


def asked_for(what: Sequence[str], changes: Changes) -> AskedData:
    """Settings from `what` (one recipe or data sets) and `changes`.

    Raises:
        FinetuneError: a recipe or a data set is not there or not known, or a value is
            not allowed.
    """
    if not what:
        raise FinetuneError(
            "nothing to prepare: name a recipe, a data set as NAME=PATH, or a path"
        )
    if _is_recipe(what[0]):
        file = find_recipe(what[0])
        if len(what) > 1:
            raise FinetuneError(
                f"{what[0]} is a recipe, which names its data sets itself; leave out "
                f"{', '.join(what[1:])}, or write them into the recipe"
            )
        data, recipe = _of_recipe(file)
        content: dict[str, Any] = data.model_dump(mode="json")
        base = file.absolute().parent
        if not Path(what[0]).exists():
            base = _base_of_ours(file, content)
    else:
        file = recipe = None
        content, base = {"sources": [_source(each) for each in what]}, Path.cwd()
    _apply(changes, content)
    try:
        return AskedData(DataPart.model_validate(content), base, recipe, file)
    except ValidationError as error:
        raise FinetuneError(first_problem(error, "the data")) from error


def _is_recipe(what: str) -> bool:
    if what.lower().endswith(_RECIPE_ENDINGS):
        return True
    path = Path(what)
    if path.is_dir():
        return (path / RECIPE).is_file()
    return "=" not in what and not path.exists() and what not in SOURCES


def _of_recipe(file: Path) -> tuple[DataPart, TrainRecipe | None]:
    """The data of a recipe, and the recipe if it is one for a training."""
    if (data := _only_data(file)) is not None:
        return data, None
    recipe = read_recipe(file)
    if recipe.data is None:
        raise FinetuneError(
            f"{file} names no data: expected the key data with its sources; or name "
            "data sets as NAME=PATH"
        )
    return recipe.data, recipe


def _base_of_ours(file: Path, content: dict[str, Any]) -> Path:
    """Folder to which paths in a recipe of ours are relative.

    It knows no folder of the user's but the current one, and beside itself what comes
    with it.
    """
    for source in content["sources"]:
        if (file.parent / source["path"]).exists():
            source["path"] = str(file.parent / source["path"])
    return Path.cwd()


def _only_data(file: Path) -> DataPart | None:
    """The data of a file that has the key `data` and no other."""
    try:
        content = yaml.safe_load(read_text(file))
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return None  # `read_recipe` says what is wrong with it
    if not isinstance(content, dict) or set(content) != {"data"}:
        return None
    return parse_recipe({"name": "data", "base": "none", **content}, str(file)).data


def _source(what: str) -> dict[str, Any]:
    name, sign, path = what.partition("=")
    if sign and name in SOURCES:
        return {"name": name, "path": path}
    if sign and not Path(what).exists():
        raise FinetuneError(
            f"no data set is called {name}{did_you_mean(name, SOURCES)}; known are "
            f"{', '.join(SOURCES)}"
        )
    if what in SOURCES and not Path(what).exists():
        raise FinetuneError(
            f"{what} is a data set; say where it lies, as {what}=PATH (medassist "
            f"finetune fetch {what} gets what is openly given)"
        )
    return {"name": recognise(Path(what)), "path": what}


def _apply(changes: Changes, content: dict[str, Any]) -> None:
    if changes.licences:
        before = content.get("licences", ALLOWED_LICENCES)
        content["licences"] = list(dict.fromkeys([*before, *changes.licences]))
    for option in changes.options:
        _set_option(option, content["sources"])
    if changes.split is not None:
        content["split"] = _split(changes.split)
    if changes.exams:
        overlap = content.setdefault("overlap", {})
        exams = [str(path.absolute()) for path in changes.exams]
        overlap["exams"] = [*overlap.get("exams", ()), *exams]
    if changes.no_near:
        content.setdefault("duplicates", {})["near"] = False
    if changes.identifiers is not None:
        content["identifiers"] = changes.identifiers
    if changes.languages:
        content["languages"] = list(changes.languages)
    if changes.seed is not None:
        content["seed"] = changes.seed


def _set_option(option: str, sources: list[dict[str, Any]]) -> None:
    left, sign, value = option.partition("=")
    name, dot, key = left.rpartition(".")
    if not sign or not key:
        raise FinetuneError(
            f"--option {option}: expected KEY=VALUE or NAME.KEY=VALUE, as "
            """table.columns='{"question": "Patient", "answer": "Doctor"}'"""
        )
    chosen = [each for each in sources if not dot or each["name"] == name]
    if not chosen:
        there = ", ".join(each["name"] for each in sources)
        raise FinetuneError(f"--option {option}: no data set {name}; there is {there}")
    for source in chosen:
        if key == "licence":
            source["licence"] = value
        else:
            source.setdefault("options", {})[key] = _value(value)


def _value(text: str) -> Any:
    """JSON where it is some (a number, a map, a list), else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _split(text: str) -> dict[str, float]:
    try:
        shares = [float(part) for part in text.replace(":", "/").split("/")]
    except ValueError:
        shares = []
    if len(shares) == 2:
        shares.append(0.0)
    if len(shares) != 3 or sum(shares) <= 0:
        raise FinetuneError(
            f"--split {text}: expected shares for train, validation and test, as "
            "80/10/10, or 90/10 for no test"
        )
    total = sum(shares)
    return {name: share / total for name, share in zip(SPLITS, shares, strict=True)}
