"""`python -m benchmarks`: ours and a reference in one run, medians and ratios.

A busy machine makes decoding many times slower: let nothing else run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import engine, startup
from benchmarks.figures import show
from benchmarks.random_llama import random_llama
from medassist.engine.loaded_pair import physical_cores
from medassist.starter import default_pair

KNOWN = {
    "records",
    "safety",
    "bench",
    "exams",
    "engine",
    "serve",
    "start",
    "gguf",
    "merge",
    "verify",
    "prepare",
    "data-parse",
    "packing",
    "choice",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "what",
        nargs="*",
        help="engine, start; serve; records; safety; verify; "
        "choice (installs lm-eval); "
        "bench (compiles llama-bench); exams (does both); "
        "gguf, merge (fetch upstream's converter); "
        "packing; prepare (MEDASSIST_DATA)",
    )
    parser.add_argument("--runs", type=int, default=5, help="runs of each (5)")
    parser.add_argument(
        "--questions", type=int, default=40, help="of each exam, for exams (40)"
    )
    parser.add_argument("--threads", type=int, default=physical_cores())
    parser.add_argument(
        "--models",
        type=Path,
        default=Path("build/benchmarks"),
        help="where the random model is kept (build/benchmarks)",
    )
    arguments = parser.parse_args()
    what = set(arguments.what) or {"engine", "start"}
    if unknown := what - KNOWN:
        known = ", ".join(sorted(KNOWN))
        parser.error(f"unknown: {', '.join(unknown)}; there are {known}")
    if arguments.questions < 8:
        parser.error(
            "--questions: at least 8, or MedMCQA's file is not told from another"
        )
    print(f"{arguments.runs} runs, {arguments.threads} threads")
    if "engine" in what:
        llama = random_llama(arguments.models)
        rows = engine.compare(llama, arguments.runs, arguments.threads)
        show(f"Engine, 0.7 B at Q4_K_M, depth {engine.DEPTH}", rows)
    if "serve" in what:
        from benchmarks import serve

        rows = serve.compare(arguments.runs, arguments.threads)
        show(f"The server beside its engine, {default_pair().title}", rows)
    if "start" in what:
        show("Start", startup.compare(arguments.runs))
    if "records" in what:
        from benchmarks import records

        rows = records.compare(arguments.runs)
        show(f"Records, {records.CONSULTATIONS:,} consultations, beside the aim", rows)
    if "safety" in what:
        from benchmarks import safety

        rows = safety.compare(arguments.runs)
        show("A text looked through while the user waits, beside the aim", rows)
    if "gguf" in what:
        from benchmarks import convert_gguf  # needs torch and the tests' fixtures

        rows = convert_gguf.compare(arguments.models, arguments.runs)
        show("A llama of 1 GB in bfloat16 to GGUF, beside upstream's converter", rows)
    if "merge" in what:
        from benchmarks import convert_merge

        rows = convert_merge.compare(arguments.models, arguments.runs)
        show("A LoRA merged into a llama of 1 GB in bfloat16, beside PEFT", rows)
    if "verify" in what:
        from benchmarks import convert_verify

        rows = convert_verify.compare(arguments.models, arguments.runs)
        show("The gate on a llama of 25 M", rows)
    if "prepare" in what:
        from benchmarks import data_pipeline

        rows = data_pipeline.compare(arguments.models, arguments.runs)
        show("Articles prepared, near duplicates removed", rows)

    if "data-parse" in what:
        from benchmarks import data_parse

        rows = data_parse.compare(arguments.models, arguments.runs)
        show("1,979 articles of eLife, beside pubmed_parser", rows)
    if "packing" in what:
        from benchmarks import train_packing

        rows = train_packing.compare(
            arguments.models, arguments.runs, arguments.threads
        )
        show("Training on short dialogues, beside TRL's defaults", rows)

    if "bench" in what:
        from benchmarks import bench

        model = bench.model_to_measure(arguments.models)
        rows = bench.speeds(model, arguments.runs, arguments.threads)
        show(f"Raw speed of {model.name}, beside llama-bench", rows)
    if "exams" in what:
        from benchmarks import bench

        rows = bench.exams(arguments.runs, arguments.threads, arguments.questions)
        show("Exams at Q8_0, beside lm-eval on the F32 folder", rows)
    if "choice" in what:
        from benchmarks import multiple_choice

        show("Multiple choice, beside lm-eval", multiple_choice.compare(arguments.runs))


if __name__ == "__main__":
    main()
