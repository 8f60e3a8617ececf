"""constraints.txt: that what is pinned there can be installed together."""

from __future__ import annotations

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
