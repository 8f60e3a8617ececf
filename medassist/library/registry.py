"""models.json: named models and pairs, and the settings of pairs.

A model stays where it lies: the registry remembers its path. Only what was copied or
pulled into the data folder is the program's own, and can be deleted by it.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from medassist.core.files import make_folder, read_bytes, write_whole
from medassist.core.locks import HeldError, Lock
from medassist.core.model_list import FILE_NAME, MAX_BYTES
from medassist.core.paths import data_dir
from medassist.core.validated import first_problem
from medassist.core.values import PairFiles, PaneName, Sampling
from medassist.frozen_model import FrozenModel
from medassist.library.errors import LibraryError
from medassist.starter import STARTER

FOLDER_NAME = "models"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}")

Origin = Literal["linked", "copied", "pulled", "ollama", "shipped"]
OWN: tuple[Origin, ...] = ("copied", "pulled")
"""Origins of files that lie in the program's own folder."""


class StoredModel(FrozenModel):
    """A model or an adapter that the user has named."""

    path: Path
    adapter: bool = False
    origin: Origin = "linked"
    source: str = ""
    """Origin: OWNER/NAME@COMMIT of the Hub, a name in Ollama, a run."""
    sha256: str | None = None
    """Hash by its source; `None` where none says so."""
    licence: str = ""
    """Licence by its source; empty where it says nothing."""


class PaneSettings(FrozenModel):
    """System prompt and sampling of one pane."""

    system: str = Field(default="", max_length=100_000)
    """Stands before every conversation; empty: nothing does."""
    sampling: Sampling | None = None
    """Sampling in place of the user's own; `None`: as the settings say."""

    @property
    def is_plain(self) -> bool:
        return not self.system and self.sampling is None


class NamedPair(FrozenModel):
    """A named pair of a base and a tuned model.

    Without any model it is the starter pair, which has settings like every other.
    """

    base: str | None = None
    tuned: str | None = None
    adapter: str | None = None
    panes: dict[PaneName, PaneSettings] = {}

    @property
    def models(self) -> tuple[str, ...]:
        """The names of its models."""
        return tuple(n for n in (self.base, self.tuned, self.adapter) if n)

    def asked(self, pane: PaneName) -> PaneSettings:
        """The settings of `pane`."""
        return self.panes.get(pane, PaneSettings())


class Registry(FrozenModel):
    """Contents of models.json."""

    version: Literal[1] = 1
    models: dict[str, StoredModel] = {}
    pairs: dict[str, NamedPair] = {}
    default: str | None = None
    """The pair that the program opens with; `None`: the starter pair."""

    def pair(self, name: str) -> NamedPair:
        """The pair called `name`.

        Raises:
            LibraryError: there is none.
        """
        if name == STARTER:
            return self.pairs.get(STARTER, NamedPair())
        if name not in self.pairs:
            raise LibraryError(
                f"There is no pair called {name!r}. `medassist models list` shows "
                "those that there are."
            )
        return self.pairs[name]

    def files(self, name: str) -> PairFiles | None:
        """The files of the pair `name`; `None`: the starter pair's.

        Raises:
            LibraryError: there is no such pair, or a model of it was forgotten.
        """
        pair = self.pair(name)
        if not pair.models:
            return None
        missing = [n for n in pair.models if n not in self.models]
        if missing:
            raise LibraryError(
                f"The pair {name!r} names {missing[0]!r}, which is not in the library "
                "any more. Import it again, or remove the pair."
            )

        def path(model: str | None) -> Path | None:
            return self.models[model].path if model else None

        return PairFiles(
            base=path(pair.base), tuned=path(pair.tuned), adapter=path(pair.adapter)
        )

    def pairs_with(self, model: str) -> list[str]:
        """Names of the pairs that use `model`."""
        return [name for name, pair in self.pairs.items() if model in pair.models]

    def name_of(self, path: Path) -> str | None:
        """The registered name of the file at `path`."""
        real = path.resolve()
        found = (n for n, m in self.models.items() if m.path.resolve() == real)
        return next(found, None)

    def with_model(self, name: str, model: StoredModel) -> Registry:
        """A copy with `model` as `name`."""
        return self.model_copy(update={"models": {**self.models, name: model}})

    def with_pair(self, name: str, pair: NamedPair) -> Registry:
        """A copy with `pair` as `name`."""
        return self.model_copy(update={"pairs": {**self.pairs, name: pair}})

    def without(self, name: str) -> Registry:
        """A copy without the model or pair `name`."""
        return self.model_copy(
            update={
                "models": {n: m for n, m in self.models.items() if n != name},
                "pairs": {n: p for n, p in self.pairs.items() if n != name},
                "default": None if self.default == name else self.default,
            }
        )


def registry_file() -> Path:
    return data_dir() / FILE_NAME


def models_dir() -> Path:
    """The folder of copied and downloaded models; created if missing.

    Raises:
        OSError: it cannot be made.
    """
    folder = data_dir() / FOLDER_NAME
    make_folder(folder)
    return folder


def load_registry() -> Registry:
    """Read models.json; empty if there is none.

    Raises:
        LibraryError: the file cannot be read, or is not one that this version wrote.
    """
    file = registry_file()
    try:
        if file.stat().st_size > MAX_BYTES:
            raise LibraryError(
                f"{file}: the list of models is larger than any that this program "
                "writes. Put it aside and import the models again."
            )
        return Registry.model_validate_json(read_bytes(file))
    except FileNotFoundError:
        return Registry()
    except OSError as error:
        raise LibraryError(f"{file} cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        raise LibraryError(
            f"{file} is not a list of models of this version: {first_problem(error)}. "
            "Repair it, or put it aside and import the models again."
        ) from None


def save_registry(registry: Registry) -> None:
    """Write `registry`, readable for the user alone (0600).

    Raises:
        LibraryError: the file cannot be written.
    """
    file = registry_file()
    try:
        write_whole(file, registry.model_dump_json(indent=2) + "\n")
    except OSError as error:
        raise LibraryError(f"{file} cannot be written: {error.strerror}.") from None


@contextmanager
def changing() -> Generator[list[Registry]]:
    """Change the registry under a lock.

    Gives a list of one: what stands in it at the end is written.

    Raises:
        LibraryError: as reading and writing do.
    """
    with _locked(data_dir() / f".{FILE_NAME}.lock"):
        held = [load_registry()]
        before = held[0]
        yield held
        if held[0] != before:
            save_registry(held[0])


@contextmanager
def _locked(file: Path) -> Generator[None]:
    lock = Lock(file)
    try:
        lock.take(wait=True)
    except (HeldError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise LibraryError(
            f"{file} cannot be used to keep two programs apart: {why}. "
            "Take it away, and repeat the command."
        ) from None
    with lock:
        yield


def require_name(name: str) -> str:
    """Check a name that the user gave to a model or pair.

    Raises:
        LibraryError: it cannot be one.
    """
    if not NAME.fullmatch(name):
        raise LibraryError(
            f"{name!r} cannot be a name here: take letters, digits and . _ + -, at "
            "most 80, a letter or digit first."
        )
    return name


def require_stored(registry: Registry, name: str) -> StoredModel:
    """The model `name` of `registry`; an error if there is none.

    Raises:
        LibraryError: there is none.
    """
    if name not in registry.models:
        raise LibraryError(
            f"There is no model called {name!r} in the library. "
            "`medassist models list` shows the names; `medassist models import` takes "
            "one in."
        )
    return registry.models[name]


def free_name(wanted: str, registry: Registry) -> str:
    """An unused name similar to `wanted`."""
    plain = re.sub(r"[^A-Za-z0-9._+-]+", "-", wanted).strip("-._+")[:70] or "model"
    taken = {*registry.models, *registry.pairs, STARTER}
    number = 1
    name = plain
    while name in taken:
        number += 1
        name = f"{plain}-{number}"
    return name
