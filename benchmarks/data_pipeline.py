"""`finetune prepare` on eLife's articles: articles a second, cores, memory.

Each run is a program of its own, on unpacked articles, so that the parts can be dealt
out to processes as they are in a folder of PMC's.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
from pathlib import Path

from benchmarks.figures import Comparison
from benchmarks.process import Measured, measure

ARCHIVE = Path("elife-articles-jats/elife-articles-xml.tar.xz")
FEW = 200  # articles
AIM = 60.0  # articles a second of one core
MIB = 2**20


def compare(folder: Path, runs: int) -> list[Comparison]:
    """One worker against the aim, two against one, and memory at ten times the data."""
    articles, few = unpacked(folder)
    count, few_count = (sum(1 for _ in f.glob("*.xml")) for f in (articles, few))
    one = [prepared(articles, folder, 1) for _ in range(runs)]
    two = [prepared(articles, folder, 2) for _ in range(runs)]
    small = [prepared(few, folder, 1) for _ in range(runs)]
    return [
        Comparison(
            f"{count:,} articles, one worker, beside the aim",
            [count / run.seconds for run in one],
            [AIM] * runs,
            unit="1/s",
            aim=(">=", 1.0),
        ),
        Comparison(
            "the same by seconds of the processor",
            [count / run.processor for run in one],
            [AIM] * runs,
            unit="1/s",
        ),
        Comparison(
            "two workers, beside one",
            [count / run.seconds for run in two],
            [count / run.seconds for run in one],
            unit="1/s",
            aim=(">=", 1.7),
        ),
        Comparison(
            f"memory, {count:,} articles beside {few_count}",
            [run.anonymous / MIB for run in one],
            [run.anonymous / MIB for run in small],
            unit="MiB",
            aim=("<=", 1.2),
        ),
    ]


def prepared(articles: Path, folder: Path, workers: int) -> Measured:
    """A whole preparation, near duplicates removed; its run folder is thrown away."""
    run = folder / "prepared"
    shutil.rmtree(run, ignore_errors=True)
    found = measure(
        [
            *(sys.executable, "-m", "finetune", "prepare", f"pmc-oa={articles}"),
            *("--out", str(run), "--workers", str(workers), "--json"),
        ]
    )
    manifest = json.loads((run / "data" / "manifest.json").read_bytes())
    if not sum(split["records"] for split in manifest["splits"]):
        raise RuntimeError("nothing was prepared")
    shutil.rmtree(run)
    return found


def unpacked(folder: Path) -> tuple[Path, Path]:
    """A folder with all articles and one with a few; made once and kept.

    The few are spread evenly over the sizes, the largest article among them: memory
    follows the largest one, and what is asked is whether it follows their number.
    """
    data = os.environ.get("MEDASSIST_DATA")
    if data is None:
        raise RuntimeError("MEDASSIST_DATA names the folder with the real data sets")
    articles, few = folder / "elife", folder / "elife-spread"
    if articles.is_dir() and few.is_dir():
        return articles, few
    half = folder / "elife.half"
    shutil.rmtree(half, ignore_errors=True)
    shutil.rmtree(few, ignore_errors=True)
    few.mkdir(parents=True)
    half.mkdir(parents=True)
    with tarfile.open(Path(data) / ARCHIVE) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None and member.name.endswith(".xml"):
                (half / Path(member.name).name).write_bytes(content.read())
    by_size = sorted(half.glob("*.xml"), key=lambda f: f.stat().st_size, reverse=True)
    for file in by_size[:: max(1, len(by_size) // FEW)]:
        shutil.copy(file, few)
    half.rename(articles)
    return articles, few
