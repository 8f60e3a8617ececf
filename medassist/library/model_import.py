"""Imports models into the library: linked in place, or copied.

Every file is looked at first (`header`): what is no model, cut off, or an adapter for
another architecture never gets a name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medassist.core.files import sha256_of_file
from medassist.core.gguf import (
    read_header,
    require_adapter,
    require_model,
    shards,
)
from medassist.core.progress import Watcher, unwatched
from medassist.core.run_folder import CARD, RunFolder
from medassist.core.unpacked import UnpackedError, read_unpacked
from medassist.library import ollama_store
from medassist.library.copies import SUFFIX, copied, copy_papers, tidy
from medassist.library.errors import LibraryError
from medassist.library.registry import (
    OWN,
    NamedPair,
    Origin,
    PaneSettings,
    Registry,
    StoredModel,
    changing,
    free_name,
    models_dir,
    require_name,
    require_stored,
)
from medassist.library.run_choice import choose
from medassist.starter import STARTER

GGUF_FOLDER = "gguf"


@dataclass(frozen=True)
class Imported:
    """Names of the imported models and pairs."""

    models: tuple[str, ...]
    pair: str | None = None
    notes: tuple[str, ...] = ()


def import_path(
    path: Path,
    name: str | None = None,
    *,
    copy: bool = False,
    watcher: Watcher = unwatched,
) -> Imported:
    """Import a GGUF, or a run folder with all its models as pairs.

    Args:
        path: the file or folder.
        name: what to call it; by default as the file calls itself.
        copy: copy it into the program's folder in place of remembering its path.
        watcher: is told how far a copy is.

    Raises:
        LibraryError, ModelFileError: it cannot be taken in; nothing was changed.
    """
    path = _absolute(path)
    if path.is_dir():
        return import_run(path, name, copy=copy, watcher=watcher)
    header = read_header(path)
    if not header.is_adapter:
        require_model(path)
    with changing() as held:
        registry = held[0]
        known = registry.name_of(path)
        if known and not copy and name in (None, known):
            return Imported((known,), notes=(f"{path} is known as {known} already.",))
        chosen = _chosen(name, header.name, registry)
        origin: Origin = "linked"
        if copy:
            path, origin = copied(path, chosen, watcher), "copied"
        model = StoredModel(path=path, adapter=header.is_adapter, origin=origin)
        held[0] = registry.with_model(chosen, model)
    return Imported((chosen,))


def import_run(
    run: Path,
    name: str | None = None,
    *,
    copy: bool = False,
    watcher: Watcher = unwatched,
) -> Imported:
    """Import the models of a fine-tune's run folder, with its card.

    A base and an adapter in `gguf/` become a pair; so do a base and a merged model. Of
    several bases the one is taken that fits, is verified and runs fast (`run_choice`).

    Raises:
        LibraryError, ModelFileError: there is nothing to import, or a file is broken.
    """
    run = _absolute(run)
    folder = run / GGUF_FOLDER if (run / GGUF_FOLDER).is_dir() else run
    files = sorted(
        file
        for file in folder.glob(f"*{SUFFIX}")
        if file.is_file() and not file.name.startswith(".") and shards(file)[0] == file
    )
    if not files:
        raise LibraryError(
            f"{run} holds no .gguf file. If it is a run, convert it first: "
            f"medassist convert run {run}"
        )
    headers = {file: read_header(file) for file in files}
    notes: list[str] = []
    for file, header in headers.items():
        kind = header.other_kind
        if kind is None or header.is_adapter:
            continue
        files.remove(file)
        if not files:
            raise kind.error(file)
        notes.append(f"{file.name} was left out: it is {kind.found}.")
    adapters = [file for file in files if headers[file].is_adapter]
    trained_on = _trained_on(run) if adapters else None
    if trained_on is not None:
        headers[trained_on] = require_model(trained_on)
        files.append(trained_on)
    models = [file for file in files if not headers[file].is_adapter]
    for file in models:
        require_model(file)
    bases = [
        file for file in models if file == trained_on or file.name.startswith("base")
    ]
    bases.sort(key=lambda file: file != trained_on)
    tuned = [file for file in models if file not in bases]
    for file in adapters:
        if bases:
            require_adapter(file, headers[bases[0]])
    title = name or run.name
    choice, adapter = None, _activated_first(adapters) if adapters else None
    if bases and (adapter or tuned):
        # It is the only base that its adapter was proven on.
        own = [trained_on] if trained_on else bases
        choice = choose(own, tuned, adapter, watcher)
        notes += [choice.said] if choice.said else []
    with changing() as held:
        names: dict[Path, str] = {}
        for file in files:
            known = held[0].name_of(file)
            if known and not copy:
                names[file] = known
                continue
            called = f"{title}-{file.stem}"
            if file == trained_on:
                called = headers[file].name
            chosen = free_name(called, held[0])
            origin: Origin = "linked"
            place = file
            if copy:
                place, origin = copied(file, chosen, watcher), "copied"
                copy_papers(file, place)
            model = StoredModel(
                path=place,
                adapter=file in adapters,
                origin=origin,
                source=f"run {run}",
            )
            held[0] = held[0].with_model(chosen, model)
            names[file] = chosen
        pair = None
        if choice:
            made = NamedPair(
                base=names[choice.base],
                adapter=names[adapter] if adapter else None,
                tuned=names[choice.tuned] if choice.tuned else None,
            )
            same = (n for n, p in held[0].pairs.items() if p.models == made.models)
            pair = next(same, None)
            if pair is None:
                pair = free_name(title, held[0])
                held[0] = held[0].with_pair(pair, made)
        else:
            notes.append(
                "It has no base and tuned model to pair; `medassist models pair` "
                "makes a pair of models that are in the library."
            )
    if not any((place / CARD).is_file() for place in (folder, run)):
        notes.append("It has no card.json, so its licence and figures are not known.")
    return Imported(tuple(names.values()), pair, tuple(notes))


def _trained_on(run: Path) -> Path | None:
    """The GGUF that the run's adapter was trained on, if it is where it was.

    Raises:
        LibraryError: it is another file now.
    """
    try:
        unpacked = read_unpacked(RunFolder(run).base)
    except UnpackedError as error:
        raise LibraryError(str(error)) from error
    if unpacked is None or not (file := Path(unpacked.file)).is_file():
        return None
    if sha256_of_file(file) != unpacked.sha256.get(file.name):
        raise LibraryError(
            f"{file} is no longer the file that the adapter in {run} was trained on; "
            "put that one back, and import the run again"
        )
    return file


def import_ollama(name: str, called: str | None = None) -> Imported:
    """Name a model of Ollama's store; the file stays in place.

    One with an adapter becomes a pair, and its system prompt the pair's.

    Raises:
        LibraryError, ModelFileError: there is no such model, or it cannot be used.
    """
    found = ollama_store.find(name)
    require_model(found.model)
    with changing() as held:
        registry = held[0]
        chosen = registry.name_of(found.model)
        if chosen is None:
            chosen = _chosen(called, found.name, registry)
            model = StoredModel(
                path=found.model,
                origin="ollama",
                source=found.name,
                sha256=found.model_sha256,
                licence=found.licence,
            )
            held[0] = registry.with_model(chosen, model)
        if found.adapter is None:
            notes = ()
            if found.system:
                notes = (
                    "Its system prompt in Ollama is not part of the file; a pair can "
                    "have one of its own.",
                )
            return Imported((chosen,), notes=notes)
        require_adapter(found.adapter, read_header(found.model))
        second = held[0].name_of(found.adapter)
        if second is None:
            second = free_name(f"{chosen}-adapter", held[0])
            adapter = StoredModel(
                path=found.adapter,
                adapter=True,
                origin="ollama",
                source=found.name,
                sha256=found.adapter_sha256,
                licence=found.licence,
            )
            held[0] = held[0].with_model(second, adapter)
        asked = {"tuned": PaneSettings(system=found.system)} if found.system else {}
        pair = free_name(f"{chosen}-pair", held[0])
        held[0] = held[0].with_pair(
            pair,
            NamedPair.model_validate(
                {"base": chosen, "adapter": second, "panes": asked}
            ),
        )
    return Imported((chosen, second), pair)


def remove(name: str, *, delete: bool = False) -> tuple[Path, ...]:
    """Remove a model or a pair from the library.

    Args:
        name: of the model or pair.
        delete: delete its files too, where the program copied or pulled them.

    Returns:
        The files that were deleted.

    Raises:
        LibraryError: there is none, a pair needs it, or its file is the user's own.
    """
    with changing() as held:
        registry = held[0]
        if name in registry.pairs:
            held[0] = registry.without(name)
            return ()
        if name == STARTER:
            raise LibraryError(
                "The starter pair is part of the program and cannot be removed. "
                "`medassist models default NAME` opens it with another pair."
            )
        model = require_stored(registry, name)
        pairs = registry.pairs_with(name)
        if pairs:
            raise LibraryError(
                f"{name!r} is part of the pair {pairs[0]!r}. Remove the pair first."
            )
        parts = shards(model.path)
        if delete:
            _require_own(name, model)
        held[0] = registry.without(name)
    # Only once it is forgotten: a name for a file that is gone would be worse.
    if not delete:
        return ()
    deleted: list[Path] = []
    for part in parts:
        try:
            part.unlink()
            deleted.append(part)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise LibraryError(
                f"{name!r} is forgotten, but {part} cannot be deleted "
                f"({error.strerror}). Delete it yourself."
            ) from None
    tidy(model.path.parent)
    return tuple(deleted)


def _require_own(name: str, model: StoredModel) -> None:
    inside = model.path.resolve().is_relative_to(models_dir().resolve())
    if model.origin not in OWN or not inside:
        raise LibraryError(
            f"{model.path} was not copied or pulled by medassist, so it is not deleted "
            f"by it. Without --delete {name!r} is forgotten and the file stays."
        )


def _chosen(name: str | None, wanted: str, registry: Registry) -> str:
    if name is None:
        return free_name(wanted, registry)
    require_name(name)
    if name in registry.models or name in registry.pairs or name == STARTER:
        raise LibraryError(
            f"There is a model or pair called {name!r} already. Take another name, or "
            "remove that one first."
        )
    return name


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise LibraryError(f"{path}: there is no such user here.") from None


def _activated_first(adapters: list[Path]) -> Path:
    # It reads the prompt once for both panes, so it is the better half of a pair.
    activated = (a for a in adapters if read_header(a).invocation_tokens)
    return next(activated, adapters[0])
