"""Identity of a verification: hashes of models, versions, memory."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from convert.errors import ConvertError
from convert.hf_folder import weight_files
from convert.verify.result import hash_of
from medassist import __version__

BESIDE = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
    "additional_chat_templates/*.jinja",
    "generation_config.json",
)
"""Files of a model's folder that shape its GGUF, beside config and weights."""
Seen = dict[Path, tuple[int, int, int]]


def files_of_model(folder: Path) -> list[Path]:
    """Config, weights and tokenizer of the model in `folder`.

    Raises:
        ConvertError: it has no weights.
    """
    files = [folder / "config.json", *weight_files(folder)]
    for pattern in BESIDE:
        files += sorted(file for file in folder.glob(pattern) if file.is_file())
    return files


def hash_of_model(folder: Path) -> str:
    """One sha256 for config, weights and tokenizer of the model in `folder`."""
    return hash_of_files(files_of_model(folder))


def hash_of_files(files: Sequence[Path]) -> str:
    """One sha256 for several files: of their names and their own hashes."""
    lines = sorted(f"{hash_of(file)}  {file.name}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def seen(files: Iterable[Path]) -> Seen:
    """Sizes, times and places of `files`, to notice changes.

    Raises:
        ConvertError: one is not there.
    """
    try:
        stats = {file: file.stat() for file in files}
    except OSError as error:
        raise ConvertError(
            f"{error.filename} cannot be read: {error.strerror}"
        ) from error
    return {f: (s.st_size, s.st_mtime_ns, s.st_ino) for f, s in stats.items()}


def check_unchanged(before: Seen) -> None:
    """Check that the files have not changed since.

    Raises:
        ConvertError: one was changed meanwhile, so that nothing is proven of it.
    """
    now = seen(before)
    if changed := [file for file in before if now[file] != before[file]]:
        raise ConvertError(
            f"{changed[0]} was changed while it was verified; let what writes it end, "
            "and verify again"
        )


def versions() -> dict[str, str]:
    """Versions of the programs used."""
    names = ("llama-cpp-python", "transformers", "torch", "gguf")
    return {"medassist": __version__, **{name: version(name) for name in names}}


def peak_memory() -> dict[str, float]:
    """Peak memory in MiB of this process and of its largest child."""
    if sys.platform == "win32":
        return {}
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return {
        name: round(resource.getrusage(who).ru_maxrss * unit / 2**20, 1)
        for name, who in (
            ("this process", resource.RUSAGE_SELF),
            ("llama.cpp's process", resource.RUSAGE_CHILDREN),
        )
    }
