"""Uses a GGUF as a base: unpacks it into the run folder.

The weights that an adapter is trained on are those that it will be used on, with all
that quantizing did to them. The converter knows a GGUF's way back to a Hugging Face
model, and holds its tokenizer to llama.cpp each time; what it makes is a folder like
any other base's.
"""

from __future__ import annotations

from pathlib import Path

from finetune.errors import FinetuneError
from medassist.core.errors import MedassistError
from medassist.core.progress import Watcher, unwatched
from medassist.core.run_folder import RunFolder
from medassist.core.unpacked import is_gguf


def unpacked_base(name: str, run: Path, watcher: Watcher = unwatched) -> Path | None:
    """The folder in `run` that the GGUF `name` is unpacked into, or `None`.

    Made anew where it was made of another file. Its tokenizer reads text as llama.cpp
    reads the GGUF, or this is an error.

    Args:
        name: of a base; `None` is returned where it is no GGUF's.
        run: the run folder.
        watcher: is told how far it is.

    Raises:
        FinetuneError: the file is not there, or cannot be a base.
    """
    if not is_gguf(name):
        return None
    file = Path(name).expanduser()
    if not file.is_file():
        raise FinetuneError(
            f"the base {name} is not there: a GGUF was expected; give its path, seen "
            "from where you call the program"
        )
    try:
        from convert.unpack.unpack import unpack

        folder = RunFolder(run).base
        unpack(file, folder, watcher=watcher)
    except ImportError as error:
        raise FinetuneError(
            f"the base {name} is a GGUF, and a library to unpack it is missing "
            f"({error}); install it with: pip install 'medassist[finetune]'"
        ) from error
    except MedassistError as error:
        raise FinetuneError(str(error)) from error
    return folder
