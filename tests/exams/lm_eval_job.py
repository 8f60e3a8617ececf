# pyright: basic, reportMissingImports=false, reportArgumentType=false
"""Runs in lm-eval's own environment: its tasks on our questions, its model class.

    python lm_eval_job.py MODEL_FOLDER DOCS.json OUT.json [--times N] [--batch N]

DOCS.json: by task the documents in the shape of the Hub's data sets. The prompts, the
choices and the scoring are those of lm-eval's own task files.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
os.environ.setdefault("HF_HOME", tempfile.mkdtemp())
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import lm_eval
import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

TASKS = Path(lm_eval.__file__).parent / "tasks"
FILES = {
    "medqa_4options": ("medqa/medqa.yaml", "test"),
    "medmcqa": ("medmcqa/medmcqa.yaml", "validation"),
    "pubmedqa": ("pubmedqa/pubmedqa.yaml", "test"),
    "mmlu_anatomy": ("mmlu/default/mmlu_anatomy.yaml", "test"),
    "mmlu_clinical_knowledge": ("mmlu/default/mmlu_clinical_knowledge.yaml", "test"),
}


def write_task(folder: Path, task: str, parts: dict[str, list[dict]]) -> None:
    data = {}
    for part, rows in parts.items():
        file = folder / f"{task}.{part}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        data[part] = str(file)
    lines = [
        f"include: {TASKS / FILES[task][0]}",
        f"task: own_{task}",
        "tag: null",
        "dataset_path: json",
        "dataset_name: null",
        "training_split: null",
        f"dataset_kwargs: {json.dumps({'data_files': data})}",
        f"test_split: {FILES[task][1]}",
    ]
    if FILES[task][1] != "validation":
        lines.append("validation_split: null")
    (folder / f"own_{task}.yaml").write_text("\n".join(lines) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("docs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--batch", default=8)
    parser.add_argument("--only-plain", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    docs = json.loads(given.docs.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for task, parts in docs.items():
            write_task(folder, task, parts)
        manager = TaskManager(include_path=str(folder))
        model = HFLM(
            pretrained=given.model,
            device="cpu",
            dtype="float32",
            batch_size=given.batch,
        )
        found: dict[str, dict] = {}
        for chat in (False,) if given.only_plain else (False, True):
            for task in docs:
                shots = 5 if task.startswith("mmlu") else 0
                start = time.perf_counter()
                result = lm_eval.simple_evaluate(
                    model=model,
                    tasks=[f"own_{task}"],
                    num_fewshot=shots,
                    task_manager=manager,
                    bootstrap_iters=100,  # of a mean the error is exact all the same
                    apply_chat_template=chat,
                    fewshot_as_multiturn=chat,
                    log_samples=True,
                    verbosity="ERROR",
                )
                seconds = time.perf_counter() - start
                figures = result["results"][f"own_{task}"]
                samples = sorted(
                    result["samples"][f"own_{task}"], key=lambda s: s["doc_id"]
                )
                found[f"{task}{' chat' if chat else ''}"] = {
                    "figures": {
                        key.removesuffix(",none"): value
                        for key, value in figures.items()
                        if isinstance(value, float)
                    },
                    "scores": [
                        [one[0] for one in sample["filtered_resps"]]
                        for sample in samples
                    ],
                    "right": [sample["acc"] for sample in samples],
                    "prompt": samples[0]["arguments"][0][0],
                    # Of each choice the ids of the context and of what continues it.
                    "ids": [
                        [model._encode_pair(*pair) for pair in sample["arguments"]]
                        for sample in samples
                    ],
                    "seconds": seconds,
                }
    versions = {"lm_eval": lm_eval.__version__, "torch": torch.__version__}
    given.out.write_text(json.dumps({"versions": versions, "tasks": found}), "utf-8")


if __name__ == "__main__":
    main()
