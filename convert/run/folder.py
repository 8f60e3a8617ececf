"""What lies in a run folder: a base, one adapter or several, and what is made of them.

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

_ADAPTER = "adapter"


@dataclass(frozen=True)
class RunFolder:
    """A run folder that can be converted."""

    root: Path
    base: Path
    adapters: dict[str, PeftAdapter]
    """By the names of their folders."""

    @classmethod
    def open(cls, root: Path, base: Path | None = None) -> RunFolder:
        """Look at the run folder `root`.

        Args:
            root: the folder.
            base: the model that was tuned, where it does not lie in the folder.

        Raises:
            ConvertError: it is no run folder, or its base is not on this computer.
        """
        if not root.is_dir():
            raise ConvertError(f"{root} is not a folder; name one that `finetune` made")
        folders = sorted(
            folder
            for folder in root.glob(f"{_ADAPTER}*")
            if (folder / "adapter_config.json").is_file()
        )
        if not folders:
            refuse_form(of_folder(root, "adapter_config.json"))
            raise ConvertError(
                f"{root} holds no adapter: `{_ADAPTER}/adapter_config.json` is "
                "expected, as a finished fine-tune leaves it"
            )
        adapters = {folder.name: read_adapter(folder) for folder in folders}
        return cls(root, base or _base_of(root, folders[0]), adapters)

    @property
    def gguf(self) -> Path:
        return self.root / "gguf"

    @property
    def merged(self) -> Path:
        return self.root / "merged"

    @property
    def ledger(self) -> Path:
        return self.gguf / "steps.json"

    @property
    def template(self) -> str | None:
        """What the adapter was taught in, where the base brings no chat template."""
        if template_in(self.base) is not None:
            return None
        found = (template_in(adapter.folder) for adapter in self.adapters.values())
        return next((text for text in found if text is not None), None)

    @property
    def plain(self) -> PeftAdapter | None:
        """The adapter that can be merged, if there is one."""
        plain = (a for a in self.adapters.values() if not a.invocation)
        return next(plain, None)


def _base_of(root: Path, adapter: Path) -> Path:
    if (root / "base").is_dir():
        if not (root / "base" / "config.json").is_file():
            refuse_form(of_folder(root / "base", "config.json"))
        else:
            return root / "base"
    config = JsonFile.read(adapter / "adapter_config.json")
    named = config.values.get("base_model_name_or_path")
    # A name of the Hub is not looked up: nothing is downloaded here.
    if isinstance(named, str) and (Path(named) / "config.json").is_file():
        return Path(named)
    raise ConvertError(
        f"{root} holds no base/, and the adapter's base, {named!r}, is not a folder "
        "here; name the folder of the base model with --base"
    )
