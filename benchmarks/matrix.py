"""Every quantization of a model in one `medassist bench`, in sittings that go on.

    python -m benchmarks.matrix small answers --pubmedqa FILE   needs no quiet machine
    python -m benchmarks.matrix small speed                     wants it quiet
    python -m benchmarks.matrix small page                      all of it, and one page
    python -m benchmarks.matrix llama speed                     the random 0.7 B llama

`small` is the open base of the default pair: its weights, as shipped, at F16 for a
reference, and quantized from that. `llama` is random and has rows of a multiple of 256,
so that K types hold; its speed and memory are those of a real model, its answers noise.
Files and result lie in `--folder`, and what is there already is not made again. What
stands behind the known options goes to `medassist bench`: `--questions 10`, `--wait 0`.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.random_llama import random_f16
from convert.gguf.model import convert_model
from convert.quantize import quantize
from convert.unpack.unpack import unpack
from medassist.core.compressed import open_any
from medassist.starter.open_base import SMOLLM2
from tests.exams.papers import write_forms

SMALL, LLAMA = "small", "llama"
ANSWERS, SPEED, PAGE = "answers", "speed", "page"
TESTS = {ANSWERS: "quality,exams", SPEED: "load,speed,app,memory"}
TYPES = {
    SMALL: ("Q8_0", "Q5_1", "Q4_0", "Q3_K_M", "Q2_K"),
    LLAMA: ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0", "Q3_K_M", "Q2_K"),
}
QUESTIONS = 300
"""Of each form that is written here; a file of PubMedQA has its own number."""
CHUNKS = 40
LETTERS_A_CHUNK = 3000
"""More than 512 tokens, however a text is cut."""
MEASURED = ("-p", "512", "-n", "64", "-d", "0,512", "-r", "5", "--margin", "1")


def small_files(folder: Path) -> list[Path]:
    """The reference first; the file as shipped is among the others.

    Raises:
        SystemExit: the open base is not here.
    """
    if problem := SMOLLM2.what_is_wrong():
        raise SystemExit(f"{problem} `make base` fetches it.")
    f16 = folder / f"{SMOLLM2.file.stem.partition('.')[0]}.F16.gguf"
    if not f16.exists():
        hf = folder / "unpacked"
        if not hf.exists():
            unpack(SMOLLM2.file, hf)
        convert_model(hf, f16, quantization="f16")
    return [f16, *quantized(f16, TYPES[SMALL]), SMOLLM2.file]


def llama_files(folder: Path) -> list[Path]:
    """The random llama at F16 first."""
    f16 = random_f16(folder / "random.F16.gguf")
    return [f16, *quantized(f16, TYPES[LLAMA])]


def quantized(f16: Path, types: Sequence[str]) -> list[Path]:
    """A file of each type beside `f16`, made where it is not there yet."""
    files = [f16.with_name(f16.name.replace("F16", kind)) for kind in types]
    for file, kind in zip(files, types, strict=True):
        if not file.exists():
            print(f"quantizing to {kind} ...", flush=True)
            quantize(f16, file, [kind])
    return files


def forms(folder: Path, pubmedqa: Path | None) -> tuple[Path, Path]:
    """The folder of the exams, and a text for the quality."""
    exams, text = folder / "exams", folder / "text.txt"
    if not exams.exists():
        write_forms(exams, QUESTIONS, pubmedqa)
    if not text.exists():
        text.write_text(abstracts(pubmedqa or exams / "ori_pqal.json"), "utf-8")
    return exams, text


def abstracts(pubmedqa: Path) -> str:
    """The texts of a file of PubMedQA, as many as the chunks need."""
    with open_any(pubmedqa) as opened:
        rows = json.loads(opened.read())
    texts = [" ".join(row["CONTEXTS"]) for row in rows.values()]
    return "\n\n".join(texts)[: CHUNKS * LETTERS_A_CHUNK]


def command(what: str, part: str, folder: Path, pubmedqa: Path | None) -> list[str]:
    """The command line of `medassist bench` for a part of a matrix."""
    files = small_files(folder) if what == SMALL else llama_files(folder)
    parts = (ANSWERS, SPEED) if what == SMALL else (SPEED,)
    tests = ",".join(TESTS[p] for p in parts if part in (p, PAGE))
    result = folder / f"{what}.jsonl"
    made = [*map(str, files), *MEASURED, "--tests", tests, "--out", str(result)]
    if ANSWERS in parts and part != SPEED:
        exams, text = forms(folder, pubmedqa)
        made += ["--reference", str(files[0]), "--exams", str(exams)]
        made += ["--text", str(text), "--chunks", str(CHUNKS)]
    if result.exists():
        made.append("--resume")
    if part == PAGE:
        made += ["--target-speed", "10", "--html", str(folder / f"{what}.html")]
    return [sys.executable, "-m", "medassist", "bench", *made, "--yes", "--plain"]


def main() -> None:
    """Make the files, and measure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.matrix",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=(SMALL, LLAMA))
    parser.add_argument("part", choices=(ANSWERS, SPEED, PAGE))
    parser.add_argument("--folder", type=Path, default=Path("build/benchmarks/matrix"))
    parser.add_argument("--pubmedqa", type=Path, help="a file with its decisions")
    given, further = parser.parse_known_args()
    if given.what == LLAMA and given.part == ANSWERS:
        parser.error("a random llama has no answers: speed or page")
    given.folder.mkdir(parents=True, exist_ok=True)
    run = command(given.what, given.part, given.folder.absolute(), given.pubmedqa)
    print(shlex.join(["medassist", *run[3:], *further]), flush=True)
    raise SystemExit(subprocess.run([*run, *further], check=False).returncode)


if __name__ == "__main__":
    main()
