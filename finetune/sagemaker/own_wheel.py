"""medassist itself as a wheel, made of the files that are running.

A job gets the very program that started it, whether that was installed from a package
or is worked on. pip would need a build backend and the sources for it.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from importlib.util import find_spec
from pathlib import Path

from medassist import __version__
from medassist.core.files import give_name

PACKAGES = ("medassist", "convert", "finetune")
LEFT_OUT = frozenset({".gguf", ".pyc"})
"""The starter pair's models are not needed where another one is trained."""
FIRST_DAY = (1980, 1, 1, 0, 0, 0)
"""The time of every file in it, so that equal contents are an equal wheel."""


def write_own_wheel(folder: Path) -> Path:
    """Write the wheel into `folder`; equal files give an equal wheel.

    Raises:
        OSError: it cannot be written.
    """
    name = f"medassist-{__version__}"
    info = f"{name}.dist-info"
    contents = {
        f"{package}/{file.relative_to(root).as_posix()}": file.read_bytes()
        for package in PACKAGES
        for root in [_root(package)]
        for file in _files(root)
    }
    contents[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: medassist\nVersion: {__version__}\n"
    ).encode()
    contents[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: medassist\nRoot-Is-Purelib: true\n"
        b"Tag: py3-none-any\n"
    )
    record = "".join(_record(path, data) for path, data in contents.items())
    contents[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    wheel = folder / f"{name}-py3-none-any.whl"
    half = folder / f".{wheel.name}.half"
    with zipfile.ZipFile(half, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in contents.items():
            member = zipfile.ZipInfo(path, FIRST_DAY)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            archive.writestr(member, data)
    give_name(half, wheel)
    return wheel


def _root(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None  # they are one program
    return Path(spec.origin).parent


def _files(root: Path) -> list[Path]:
    return sorted(
        file
        for file in root.rglob("*")
        if file.is_file()
        and not file.is_symlink()
        and file.suffix not in LEFT_OUT
        and "__pycache__" not in file.parts
    )


def _record(path: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return f"{path},sha256={digest.decode()},{len(data)}\n"
