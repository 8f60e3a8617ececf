"""Our JATS reader beside pubmed_parser, on the same articles, in turn.

pubmed_parser gives no licence and mixes captions and review letters in; it is the
speed of a reader that people use. It brings a top-level package named `data`, so it
lives in an environment of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

from benchmarks.figures import Comparison

CHECKOUT = Path(__file__).parents[1]
VERSION = "0.5.1"
ARCHIVE = "elife-articles-jats/elife-articles-xml.tar.xz"


def compare(folder: Path, runs: int, articles: int | None = None) -> list[Comparison]:
    """Articles a second of both; `articles` takes fewer than all 1,979."""
    where = unpacked(folder, articles)
    ours = [sys.executable, "-m", "benchmarks.articles_ours", str(where)]
    script = Path(__file__).with_name("articles_pubmed_parser.py")
    theirs = [str(environment(folder)), str(script), str(where)]
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        for command, rates in zip((ours, theirs), found, strict=True):
            rates.append(_rate(command))
    return [
        Comparison(
            "parse, extract, licence",
            *found,
            unit="art/s",
            aim=(">=", 0.5),
        )
    ]


def unpacked(folder: Path, articles: int | None = None) -> Path:
    """ELife's articles as files, made once and kept.

    Raises:
        RuntimeError: MEDASSIST_DATA does not name the data folder.
    """
    where = folder / f"elife-{articles or 'all'}"
    if where.is_dir():
        return where
    shared = CHECKOUT.parent / "shared" / "data"
    archive = Path(os.environ.get("MEDASSIST_DATA", shared)) / ARCHIVE
    if not archive.is_file():
        raise RuntimeError(f"{archive} is not there; name the folder: MEDASSIST_DATA")
    half = where.with_name(where.name + ".half")
    half.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        members = [m for m in tar if m.isfile() and m.name.endswith(".xml")]
        for member in members[:articles]:
            tar.extract(member, half, filter="data")
    return half.rename(where)


def environment(folder: Path) -> Path:
    """The interpreter of an environment with pubmed_parser; installed once."""
    home = folder / f"pubmed_parser-{VERSION}"
    python = home / "bin" / "python"
    if not (home / "done").is_file():
        print("installing pubmed_parser ...", flush=True)
        venv.create(home, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, f"pubmed-parser=={VERSION}"], check=True)
        (home / "done").touch()
    return python


def _rate(command: list[str]) -> float:
    said = subprocess.run(
        command, cwd=CHECKOUT, check=True, capture_output=True, text=True
    )
    count, seconds = said.stdout.split()[-2:]
    return int(count) / float(seconds)
