"""lm-eval in an environment of its own: it brings 660 MB that nothing else needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import platformdirs

from tests.exams import papers

PLACE = "MEDASSIST_LM_EVAL"
"""Set to the python of an environment with lm-eval to install nothing."""
VERSION = "0.4.13"
JOB = Path(__file__).with_name("lm_eval_job.py")
ROOT = Path(__file__).parents[2]


def lm_eval_python() -> Path:
    """The python of the environment, which is made where it is not there yet."""
    if place := os.environ.get(PLACE):
        return Path(place)
    cache = platformdirs.user_cache_path("medassist-oracles", appauthor=False)
    folder = cache / f"lm-eval-{VERSION}"
    python = folder / "bin" / "python"
    whole = folder / "whole"
    if not whole.exists():
        constraints = ROOT / "constraints.txt"
        venv.create(folder, with_pip=True, clear=True)
        # torch first: what depends on it would bring a build of its own choice.
        subprocess.run(
            [str(python), "-m", "tools.install_torch", str(constraints)],
            check=True,
            cwd=ROOT,
        )
        subprocess.run(
            [
                *(str(python), "-m", "pip", "install", "--quiet"),
                *("--constraint", str(constraints), f"lm-eval[hf]=={VERSION}"),
            ],
            check=True,
        )
        whole.touch()
    return python


def documents(count: int) -> dict[str, dict[str, list[dict[str, object]]]]:
    """Our questions as lm-eval's tasks know them from the Hub."""
    medqa: list[dict[str, object]] = []
    for i in range(count):
        endings = {f"ending{k}": text for k, text in enumerate(papers.options(i))}
        medqa.append(
            {"id": str(i), "sent1": papers.stem(i), **endings, "label": papers.gold(i)}
        )
    found: dict[str, dict[str, list[dict[str, object]]]] = {
        "medqa_4options": {"test": medqa},
        "medmcqa": {
            "validation": [
                {**papers.medmcqa(i), "cop": papers.gold(i)} for i in range(count)
            ]
        },
        "pubmedqa": {"test": [papers.pubmedqa(i) for i in range(count)]},
    }
    for subject in papers.SUBJECTS:
        found[f"mmlu_{subject}"] = {
            part: [{"question": q, "choices": c, "answer": a} for q, c, a in rows]
            for part, rows in (
                ("test", papers.mmlu(subject, count)),
                ("dev", papers.mmlu_dev(subject)),
            )
        }
    return found


def run_lm_eval(
    model: Path, folder: Path, count: int, *options: str, threads: int = 1
) -> dict:
    """What lm-eval finds on our questions, by task.

    Args:
        model: the folder of a Hugging Face model.
        folder: to work in.
        count: questions of each exam.
        options: of `lm_eval_job.py`.
        threads: that compute.
    """
    docs, out = folder / "docs.json", folder / "lm-eval.json"
    docs.write_text(json.dumps(documents(count)), "utf-8")
    done = subprocess.run(
        [str(lm_eval_python()), str(JOB), str(model), str(docs), str(out), *options],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
    )
    if done.returncode:
        raise RuntimeError(f"lm-eval failed: {done.stderr[-4000:]}")
    return json.loads(out.read_text("utf-8"))


def main() -> None:
    """The environment's python, for those who want to look."""
    sys.stdout.write(f"{lm_eval_python()}\n")


if __name__ == "__main__":
    main()
