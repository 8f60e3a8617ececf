"""constraints.txt: that what is pinned there can be installed together."""

from __future__ import annotations

import ensurepip
import os
import subprocess
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PINS = {
    canonicalize_name(name): Version(version)
    for name, _, version in (
        line.partition("==")
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    )
}


def wanted_by(each: Distribution) -> list[Requirement]:
    """What a distribution needs here, without what only its extras need."""
    found = map(Requirement, each.requires or ())
    return [r for r in found if r.marker is None or r.marker.evaluate({"extra": ""})]


def pinned(each: Distribution) -> bool:
    """Whether the installed one is the pinned one, whose needs are then known."""
    pin = PINS.get(canonicalize_name(each.metadata["Name"]))
    return pin is not None and pin.public == Version(each.version).public


def conflicts(each: Distribution) -> list[str]:
    return [
        f"{each.metadata['Name']} wants {need}, and {PINS[name]} is pinned"
        for need in wanted_by(each)
        if (name := canonicalize_name(need.name)) in PINS
        and not need.specifier.contains(PINS[name], prereleases=True)
    ]


def test_the_pins_do_not_contradict_each_other() -> None:
    known = [each for each in distributions() if pinned(each)]
    assert len(known) > 50
    assert [line for each in known for line in conflicts(each)] == []


LEFT_OUT_BY_FREEZE = {"pip", "setuptools", "wheel"}
PIP = next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")) / "pip"


def checked_by_pip(folder: Path) -> subprocess.CompletedProcess[str]:
    """What `pip check` says where nothing is installed but what `folder` describes."""
    return subprocess.run(
        [sys.executable, "-S", str(PIP), "check"],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )


def test_the_pins_satisfy_pip_check(tmp_path: Path) -> None:
    for each in distributions():
        name = canonicalize_name(each.metadata["Name"])
        if pinned(each) or name in LEFT_OUT_BY_FREEZE:
            folder = f"{name.replace('-', '_')}-{each.version}.dist-info"
            (tmp_path / folder).mkdir(exist_ok=True)
            text = each.read_text("METADATA") or ""
            (tmp_path / folder / "METADATA").write_text(text, "utf-8")
    good = checked_by_pip(tmp_path)
    assert (good.returncode, good.stdout) == (0, "No broken requirements found.\n")
    # With the date library that boto3 does not take, pip would say so.
    (there,) = tmp_path.glob("python_dateutil-*.dist-info")
    newer = there.rename(tmp_path / "python_dateutil-4.0.0.dist-info") / "METADATA"
    lines = newer.read_text("utf-8").splitlines()
    lines = ["Version: 4.0.0" if x.startswith("Version:") else x for x in lines]
    newer.write_text("\n".join(lines), "utf-8")
    bad = checked_by_pip(tmp_path)
    assert bad.returncode == 1
    assert "botocore" in bad.stdout and "python-dateutil" in bad.stdout


@pytest.mark.parametrize("name", ["boto3", "botocore", "bitsandbytes"])
def test_what_the_extras_bring_is_pinned(name: str) -> None:
    assert name in PINS


def test_what_the_project_asks_for_is_pinned_within_its_bounds() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        asked += extra
    outside = [
        str(need)
        for need in map(Requirement, asked)
        if (pin := PINS.get(canonicalize_name(need.name))) is not None
        and not need.specifier.contains(pin, prereleases=True)
    ]
    assert outside == []
