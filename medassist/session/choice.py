"""The user's choice of models, as paths."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from medassist.core.values import PANES, PairFiles, PaneName

if TYPE_CHECKING:
    from medassist.library.registry import NamedPair


@dataclass(frozen=True)
class Choice:
    """The files of a pair; without any file, the starter pair."""

    base: Path | None = None
    tuned: Path | None = None
    adapter: Path | None = None
    pair: str = ""
    """Under which name the library knows it, with how its panes are asked."""
    adapter_base: Path | None = None
    """The weights under the adapter, where they are not those of `base`."""
    asked: NamedPair | None = None
    """Settings of its panes, in place of the library's."""

    @classmethod
    def of(cls, files: PairFiles) -> Choice:
        """The choice of `files`, without a name."""
        return cls(
            files.base, files.tuned, files.adapter, adapter_base=files.adapter_base
        )

    @property
    def files(self) -> PairFiles:
        """The files that the engine loads."""
        return PairFiles(self.base, self.tuned, self.adapter, self.adapter_base)

    @property
    def is_starter(self) -> bool:
        return not (self.base or self.tuned or self.adapter)

    @property
    def panes(self) -> tuple[PaneName, ...]:
        """The panes that these files can answer in."""
        if self.is_starter:
            return PANES
        tuned = self.tuned or self.adapter
        return tuple(p for p in PANES if (self.base if p == "base" else tuned))

    @property
    def problem(self) -> str | None:
        """Why these files are not a pair, in a sentence; `None` if they are."""
        if self.adapter and not (self.base or self.adapter_base):
            return "An adapter needs the base model that it was trained on."
        if self.adapter and self.tuned:
            return "Give an adapter or a tuned model, not both."
        return None

    @property
    def name(self) -> str:
        """A short name for narrow places."""
        if self.is_starter:
            return "the starter pair"
        if self.pair:
            return self.pair
        files = (self.base, self.tuned, self.adapter_base, self.adapter)
        return " and ".join(file.name for file in files if file)


@dataclass(frozen=True)
class ChoiceOptions:
    """Options of the command line; `None` where an option was not given."""

    mode: Literal["together", "in-turn"] | None = None
    context: int | None = None
    threads: int | None = None
    gpu_layers: int | None = None
    kv: Literal["f16", "q8_0"] | None = None

    def changes(self) -> dict[str, int | str]:
        """The given options as changes to the user's settings."""
        return {name: value for name, value in vars(self).items() if value is not None}
