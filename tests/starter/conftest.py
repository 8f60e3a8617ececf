from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medassist import starter
from medassist.core.card import AdapterKind, Lineage, write_card
from medassist.core.run_folder import CARD, OWN_CARD
from medassist.starter import open_base
from medassist.starter.open_base import OpenBase
from tests.core.test_card import CARD as A_CARD
from tests.tiny_models import TinyPair, write_pair


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyPair:
    return write_pair(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def tiny_base(tiny: TinyPair, tmp_path_factory: pytest.TempPathFactory) -> OpenBase:
    """A tiny model in a wheel, known to the program as it knows the real one."""
    folder = tmp_path_factory.mktemp("package")
    content = tiny.base.read_bytes()
    known = replace(
        open_base.SMOLLM2,
        name="Tiny-Open-Instruct",
        package="tiny-open",
        version="1.2",
        requirements=folder / "base.requirements.txt",
        file_name="Tiny-Open-Instruct.gguf",
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    wheel = folder / known.wheel_name
    info = f"{known.module}-{known.version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(
            f"{info}/METADATA",
            f"Metadata-Version: 2.1\nName: {known.package}\nVersion: 1.2\n",
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\n"
            "Tag: py3-none-any\n",
        )
        archive.writestr(f"{info}/RECORD", "")
        archive.writestr(known.member, content)
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    known.requirements.write_text(f"tiny-open==1.2 \\\n    --hash=sha256:{sha256}\n")
    return replace(known, wheel_bytes=wheel.stat().st_size)


@pytest.fixture
def wheel(tiny_base: OpenBase) -> Path:
    return tiny_base.requirements.with_name(tiny_base.wheel_name)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, in which the intended use was told."""
    folder = tmp_path / "home"
    monkeypatch.setenv("MEDASSIST_HOME", str(folder))
    return folder


class Package:
    """The program's folder of the starter pair, with adapters on the tiny open base."""

    def __init__(self, folder: Path, tiny: TinyPair) -> None:
        self.folder = folder
        self._tiny = tiny

    def give(self, kind: AdapterKind) -> Path:
        """Put our adapter of that kind into the program, with its card."""
        file = self.folder / starter.OWN_ADAPTERS[kind]
        source = self._tiny.activated if kind == "activated" else self._tiny.plain
        content = source.read_bytes()
        file.write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        lineage = Lineage(recipe="00", base="11", gguf={file.name: sha256})
        card = replace(A_CARD, licence="Apache-2.0", lineage=lineage)
        write_card(card, file.with_suffix(OWN_CARD))
        return file


@pytest.fixture
def package(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    home: Path,
    tiny: TinyPair,
    tiny_base: OpenBase,
) -> Iterator[Package]:
    """The starter's folder as a copy that can be changed, without adapters of ours."""
    folder = tmp_path / "starter"
    folder.mkdir()
    for name in (CARD, *(file.name for file in starter.small_files())):
        (folder / name).hardlink_to(starter.FOLDER / name)
    monkeypatch.setattr(starter, "FOLDER", folder)
    monkeypatch.setattr(open_base, "SMOLLM2", tiny_base)
    yield Package(folder, tiny)
