"""Which build of torch the set-up takes, with the indexes that can be reached."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.tools.package_index import Environment, add_wheel

NOBODY = "http://127.0.0.1:1/whl/cpu"
"""An index that cannot be reached."""
CUDA = "nvidia-cublas"


def install(
    place: Environment, choice: str = "auto", cpu_index: str = NOBODY, **settings: str
) -> subprocess.CompletedProcess[str]:
    constraints = place.index.parent / "constraints.txt"
    constraints.write_text("textual==8.2.8\ntorch==2.13.0\n")
    script = (
        "import sys; from pathlib import Path; from tools import install_torch as it; "
        "it.CPU_INDEX = sys.argv[1]; "
        "sys.exit(it.main(Path(sys.argv[2]), sys.argv[3]))"
    )
    return place.run("-c", script, cpu_index, constraints, choice, **settings)


def add_cuda_build(place: Environment) -> None:
    add_wheel(place.index, "torch", "2.13.0", [f"{CUDA}==13.1"], ballast=1_500_000)
    add_wheel(place.index, CUDA, "13.1", ballast=3_400_000)


def cpu_index(place: Environment) -> Path:
    index = place.index.parent / "cpu"
    add_wheel(index, "torch", "2.13.0+cpu")
    return index


def test_without_pytorchs_index_it_is_pips_own_choice_and_its_size_is_said(
    place: Environment,
) -> None:
    add_cuda_build(place)
    done = install(place)
    assert done.returncode == 0, done.stderr
    assert place.version_of("torch") == "2.13.0"
    said = " ".join(done.stdout.split())
    assert f"The CPU build could not be had from {NOBODY}" in said
    assert "Connection refused" in said
    assert "it brings CUDA: 4.9 MB to download" in said


def test_where_pips_own_choice_brings_cuda_the_cpu_build_is_taken(
    place: Environment,
) -> None:
    add_cuda_build(place)
    done = install(place, cpu_index=cpu_index(place).as_uri())
    assert done.returncode == 0, done.stderr
    assert place.version_of("torch") == "2.13.0+cpu"
    assert "CUDA" not in done.stdout


def test_where_pips_own_choice_is_a_cpu_build_no_other_index_is_asked(
    place: Environment,
) -> None:
    add_wheel(place.index, "torch", "2.13.0")
    done = install(place)
    assert done.returncode == 0, done.stderr
    assert place.version_of("torch") == "2.13.0"
    assert NOBODY not in done.stdout + done.stderr


def test_an_index_that_pip_is_told_of_gives_the_cpu_build(place: Environment) -> None:
    add_cuda_build(place)
    done = install(place, PIP_EXTRA_INDEX_URL=cpu_index(place).as_uri())
    assert done.returncode == 0, done.stderr
    assert place.version_of("torch") == "2.13.0+cpu"
    assert NOBODY not in done.stdout + done.stderr


@pytest.mark.parametrize("choice", ["auto", "plain"])
def test_a_failure_is_told_with_pips_last_line(place: Environment, choice: str) -> None:
    add_wheel(place.index, "torch", "2.12.0")
    done = install(place, choice)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == [
        "pip could not install torch==2.13.0: No matching distribution found for "
        "torch==2.13.0 (exit code 1).",
        "It comes from the index that pip is set to (`pip config list`).",
    ]


def test_the_cpu_build_alone_names_the_index_that_it_needs(place: Environment) -> None:
    add_cuda_build(place)
    done = install(place, "cpu", PIP_RETRIES="1")
    assert done.returncode == 1
    assert place.version_of("torch") is None
    sentence, hint = done.stderr.splitlines()[-2:]
    assert "No matching distribution found" in sentence
    assert "Connection refused" in sentence
    assert NOBODY in hint and "TORCH=plain" in hint


def test_a_word_that_is_no_choice_is_named(place: Environment) -> None:
    done = install(place, "gpu")
    assert done.returncode == 1
    assert done.stderr.strip() == "TORCH=gpu is not known; it is auto, cpu or plain."


def test_what_is_installed_already_is_left_alone(place: Environment) -> None:
    add_wheel(place.index, "torch", "2.13.0")
    assert install(place).returncode == 0
    again = install(place, PIP_INDEX_URL=NOBODY)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
