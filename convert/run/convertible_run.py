"""Contents of a run folder: base, adapters, and files made of them.

`base/` may be missing where --base names the model. The adapter is `adapter/`, or, of a
starter pair, `adapter-plain/` and `adapter-activated/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from convert.chat_template import template_in
from convert.errors import ConvertError
from convert.foreign import of_folder, refuse_form
from convert.hf_folder import JsonFile
from convert.peft_adapter import PeftAdapter, read_adapter
from convert.unpack.unpack import unpack
from medassist.core.files import sha256_of_file
from medassist.core.progress import Watcher, unwatched
from medassist.core.run_folder import ADAPTER, ADAPTER_CONFIG, RunFolder
from medassist.core.unpacked import UnpackedError, is_gguf, read_unpacked


@dataclass(frozen=True)
class ConvertibleRun:
    """A run folder that can be converted.

    Attributes:
        folder: where it lies.
        base: the model that was tuned, there or elsewhere.
        gguf: that it was unpacked from, where it was trained on a GGUF.
    """

    folder: RunFolder
    base: Path
    adapters: dict[str, PeftAdapter]
    """By the names of their folders."""
    gguf: Path | None = None

    @classmethod
    def open(
        cls, root: Path, base: Path | None = None, watcher: Watcher = unwatched
    ) -> ConvertibleRun:
        """Examine the run folder `root`.

        Args:
            root: the folder.
            base: the model that was tuned, where it does not lie in the folder: a
                folder or a GGUF.
            watcher: is told how far a GGUF is unpacked.

        Raises:
            ConvertError: it is no run folder, or its base is not on this computer.
        """
        if not root.is_dir():
            raise ConvertError(f"{root} is not a folder; name one that `finetune` made")
        run = RunFolder(root)
        folders = run.adapters
        if not folders:
            refuse_form(of_folder(root, ADAPTER_CONFIG))
            raise ConvertError(
                f"{root} holds no adapter: `{ADAPTER}/{ADAPTER_CONFIG}` is "
                "expected, as a finished fine-tune leaves it"
            )
        adapters = {folder.name: read_adapter(folder) for folder in folders}
        found = base or _base_of(run, folders[0])
        if is_gguf(found):
            unpack(found, run.base, watcher=watcher)
            return cls(run, run.base, adapters, found)
        return cls(run, found, adapters, _unpacked_from(found))

    @property
    def template(self) -> str | None:
        """Chat template that the adapter was taught in, where the base brings none."""
        if template_in(self.base) is not None:
            return None
        found = (template_in(adapter.folder) for adapter in self.adapters.values())
        return next((text for text in found if text is not None), None)

    @property
    def plain(self) -> PeftAdapter | None:
        """The adapter that can be merged, if there is one."""
        plain = (a for a in self.adapters.values() if not a.invocation)
        return next(plain, None)


def _base_of(run: RunFolder, adapter: Path) -> Path:
    if run.base.is_dir():
        if not (run.base / "config.json").is_file():
            refuse_form(of_folder(run.base, "config.json"))
        else:
            return run.base
    config = JsonFile.read(adapter / ADAPTER_CONFIG)
    named = config.values.get("base_model_name_or_path")
    if isinstance(named, str) and is_gguf(named) and Path(named).is_file():
        return Path(named)
    # A name of the Hub is not looked up: nothing is downloaded here.
    if isinstance(named, str) and (Path(named) / "config.json").is_file():
        return Path(named)
    raise ConvertError(
        f"{run.root} holds no base/, and the adapter's base, {named!r}, is not a "
        "folder here; name the folder of the base model with --base"
    )


def _unpacked_from(base: Path) -> Path | None:
    """The GGUF that the folder `base` was made of.

    Raises:
        ConvertError: it was made of one that is no longer where it was.
    """
    try:
        unpacked = read_unpacked(base)
    except UnpackedError as error:
        raise ConvertError(str(error)) from error
    if unpacked is None:
        return None
    gguf = Path(unpacked.file)
    if not gguf.is_file():
        raise ConvertError(
            f"{base} was made of the GGUF {gguf}, which is not there; say where it is "
            "now: --base FILE.gguf"
        )
    if sha256_of_file(gguf) != unpacked.sha256.get(gguf.name):
        raise ConvertError(
            f"{gguf} is not the file that {base} was made of, it was changed since; "
            "say where that one is: --base FILE.gguf"
        )
    return gguf
