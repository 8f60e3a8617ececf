"""Reads the local Ollama store from its manifests.

The store is `blobs/sha256-<hex>` and `manifests/<host>/<namespace>/<model>/<tag>`,
where a manifest is a small JSON of the docker registry's second version whose layers
name blobs by their digests (Ollama's `server/manifest.go`, `types/model/name.go`).
Ollama itself is not asked, and need not run. Names and manifests are taken for what
they are, files from outside: no link is followed out of the store, and no size is
believed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from medassist.core.files import open_file, read_bytes
from medassist.frozen_model import ForeignModel
from medassist.library.errors import LibraryError

VARIABLE = "OLLAMA_MODELS"
PREFIX = "ollama:"
"""Prefix of these models' names, where they stand beside the user's own."""
PLACES = (
    Path("~/.ollama/models"),
    Path("/usr/share/ollama/.ollama/models"),
    Path("/var/lib/ollama/.ollama/models"),
)
MAX_MANIFEST_BYTES = 1024 * 1024
MAX_TEXT_BYTES = 1024 * 1024
MAX_MANIFESTS = 5_000
DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}")
LAYER = "application/vnd.ollama.image."


class _Layer(ForeignModel):
    mediaType: str  # noqa: N815 (as the manifest spells it)
    digest: str
    size: int = 0


class _Manifest(ForeignModel):
    layers: list[_Layer]


@dataclass(frozen=True)
class OllamaModel:
    """A model in Ollama's store."""

    name: str
    """Name as `ollama run` takes it."""
    model: Path
    model_sha256: str
    adapter: Path | None = None
    adapter_sha256: str | None = None
    system: str = ""
    licence: str = ""
    """The first line of its licence."""


@dataclass(frozen=True)
class OllamaStore:
    """The models found, and what cannot be used."""

    root: Path
    models: tuple[OllamaModel, ...]
    problems: tuple[str, ...] = ()


def store_root() -> Path | None:
    """Ollama's folder of models, if there is one."""
    told = os.environ.get(VARIABLE)
    for place in [Path(told)] if told else PLACES:
        try:
            found = place.expanduser()
            if (found / "manifests").is_dir():
                return found
        except (OSError, RuntimeError):  # no permission, no home
            continue
    return None


def read_store(root: Path | None = None) -> OllamaStore | None:
    """Read the store at `root`, or this computer's; `None` if there is none.

    A model that cannot be used is a sentence in `problems`.
    """
    root = root or store_root()
    if root is None:
        return None
    models: list[OllamaModel] = []
    problems: list[str] = []
    for file in _manifests(root / "manifests"):
        name = _name(file.relative_to(root / "manifests"))
        if name is None:
            continue
        try:
            models.append(_read(root, file, name))
        except LibraryError as error:
            problems.append(str(error))
    return OllamaStore(root, tuple(models), tuple(problems))


def find(name: str) -> OllamaModel:
    """The model that Ollama calls `name`; without a tag it is `latest`.

    Raises:
        LibraryError: there is no store, or no such model that can be used.
    """
    wanted = name.removeprefix(PREFIX)
    if ":" not in wanted.rpartition("/")[2]:
        wanted += ":latest"
    root = store_root()
    if root is None:
        raise LibraryError(
            "There is no Ollama store on this computer. If it lies in another folder, "
            f"name that in {VARIABLE}."
        )
    for file in _manifests(root / "manifests"):
        if _name(file.relative_to(root / "manifests")) == wanted:
            return _read(root, file, wanted)
    raise LibraryError(
        f"Ollama's store at {root} has no model {wanted!r}. `medassist models list` "
        "shows those that it has."
    )


def _manifests(folder: Path) -> Iterator[Path]:
    """The manifests, four folders deep; links are passed over."""
    found = 0

    def walk(at: Path, depth: int) -> Iterator[Path]:
        nonlocal found
        try:
            entries = sorted(os.scandir(at), key=lambda entry: entry.name)
        except OSError:
            return
        for entry in entries:
            if found >= MAX_MANIFESTS:
                return
            if not PART.fullmatch(entry.name):
                continue
            if depth and entry.is_dir(follow_symlinks=False):
                yield from walk(Path(entry.path), depth - 1)
            elif not depth and entry.is_file(follow_symlinks=False):
                found += 1
                yield Path(entry.path)

    yield from walk(folder, 3)


def _name(inside: Path) -> str | None:
    """`registry.ollama.ai/library/llama3/8b` is `llama3:8b`."""
    if len(inside.parts) != 4:
        return None
    host, namespace, model, tag = inside.parts
    front = "" if namespace == DEFAULT_NAMESPACE else f"{namespace}/"
    if host != DEFAULT_HOST:
        front = f"{host}/{namespace}/"
    return f"{front}{model}:{tag}"


def _read(root: Path, file: Path, name: str) -> OllamaModel:
    try:
        if file.stat().st_size > MAX_MANIFEST_BYTES:
            raise LibraryError(
                f"{file}: the manifest of {name} is larger than any that Ollama "
                "writes. Pull the model again with Ollama."
            )
        manifest = _Manifest.model_validate_json(read_bytes(file))
    except OSError as error:
        raise LibraryError(
            f"{file}: the manifest of {name} cannot be read ({error.strerror})."
        ) from None
    except ValidationError:
        raise LibraryError(
            f"{file} is no manifest of a model. Pull {name} again with Ollama."
        ) from None
    layers: dict[str, _Layer] = {}
    for layer in manifest.layers:
        layers.setdefault(layer.mediaType.removeprefix(LAYER), layer)
    if "model" not in layers:
        raise LibraryError(
            f"{name} in Ollama has no weights in GGUF on this computer; a model of a "
            "cloud or in another format cannot be used here."
        )
    model, model_sha256 = _blob(root, name, layers["model"])
    adapter = adapter_sha256 = None
    if "adapter" in layers:
        adapter, adapter_sha256 = _blob(root, name, layers["adapter"])
    licence = _text(root, name, layers.get("license")).strip().splitlines()
    return OllamaModel(
        name=name,
        model=model,
        model_sha256=model_sha256,
        adapter=adapter,
        adapter_sha256=adapter_sha256,
        system=_text(root, name, layers.get("system")),
        licence=licence[0].strip()[:120] if licence else "",
    )


def _blob(root: Path, name: str, layer: _Layer) -> tuple[Path, str]:
    """The file of a layer, and the sha256 that its name promises."""
    digest = DIGEST.fullmatch(layer.digest)
    if digest is None:
        raise LibraryError(
            f"The manifest of {name} in Ollama names a file by {layer.digest[:100]!r}, "
            "which is no digest. Pull the model again with Ollama."
        )
    blob = root / "blobs" / f"sha256-{digest[1]}"
    try:
        real = blob.resolve(strict=True)
        inside = real.is_relative_to((root / "blobs").resolve())
        whole = real.is_file()
    except (OSError, RuntimeError):
        inside, whole = True, False
    if not inside:
        raise LibraryError(
            f"{blob} of {name} in Ollama is a link out of the store, which is not "
            "followed. Import the file that it stands for by its own path."
        )
    if not whole:
        raise LibraryError(
            f"{blob} of {name} in Ollama is missing or cannot be read. Pull the model "
            "again with Ollama, or ask its owner for the right to read it."
        )
    return blob, digest[1]


def _text(root: Path, name: str, layer: _Layer | None) -> str:
    """The text of a layer; empty where there is none that can be used."""
    if layer is None:
        return ""
    try:
        blob, _ = _blob(root, name, layer)
        with open_file(blob) as opened:
            content = opened.read(MAX_TEXT_BYTES + 1)
    except (LibraryError, OSError):
        return ""
    return "" if len(content) > MAX_TEXT_BYTES else content.decode(errors="replace")
