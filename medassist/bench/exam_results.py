"""Exam results in lm-eval's file format."""

from __future__ import annotations

import json
from collections.abc import Sequence

from medassist.bench.results import ExamItem, ResultLine, folded
from medassist.exams.statistics import standard_error


def as_lm_eval(lines: Sequence[ResultLine]) -> str:
    """The object of a row (`results`, `n-shot`, `n-samples`); of several, a list."""
    by_row: dict[str, list[ResultLine]] = {}
    for line in folded(line for line in lines if line.kind == "exam"):
        by_row.setdefault(line.row, []).append(line)
    found = [_of_row(row, own) for row, own in by_row.items()]
    return json.dumps(found[0] if len(found) == 1 else found, indent=2)


def _of_row(row: str, lines: Sequence[ResultLine]) -> dict[str, object]:
    results: dict[str, object] = {}
    shots: dict[str, object] = {}
    chat = any(bool(line.test.get("chat")) for line in lines)
    samples: dict[str, object] = {}
    for line in lines:
        for task, items in _tasks(line).items():
            results[task] = _figures(task, items)
            shots[task] = line.test.get("shots")
            samples[task] = {"original": len(items), "effective": len(items)}
    return {
        "model_name": row,
        "results": results,
        "apply_chat_template": chat,
        "n-shot": shots,
        "n-samples": samples,
    }


def _tasks(line: ResultLine) -> dict[str, list[ExamItem]]:
    """The items by lm-eval's tasks: each subject of MMLU is one of its own."""
    task = str(line.test.get("task"))
    if task != "mmlu_medical":
        return {task: list(line.items)}
    found: dict[str, list[ExamItem]] = {}
    for item in line.items:
        found.setdefault(f"mmlu_{item.group}", []).append(item)
    return found


def _figures(task: str, items: Sequence[ExamItem]) -> dict[str, object]:
    right = [float(item.choice == item.gold) for item in items]
    norm = [float(item.choice_norm == item.gold) for item in items]
    return {
        "alias": task,
        "acc,none": sum(right) / len(right),
        "acc_stderr,none": standard_error(right),
        "acc_norm,none": sum(norm) / len(norm),
        "acc_norm_stderr,none": standard_error(norm),
    }
