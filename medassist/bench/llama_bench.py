"""Speeds in llama-bench's output formats.

Source: llama.cpp, tools/llama-bench (the fields in their order, its arithmetic, the
table's name in SQL). The mean of a rate is that of the rates, not of the times.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from statistics import fmean, stdev

from medassist.bench.results import ResultLine, folded

Value = str | int | float | bool
TEXT, INTEGER, REAL = "TEXT", "INTEGER", "REAL"
FIELDS: dict[str, str] = {
    "build_commit": TEXT,
    "build_number": INTEGER,
    "cpu_info": TEXT,
    "gpu_info": TEXT,
    "backends": TEXT,
    "model_filename": TEXT,
    "model_type": TEXT,
    "model_size": INTEGER,
    "model_n_params": INTEGER,
    "n_batch": INTEGER,
    "n_ubatch": INTEGER,
    "n_threads": INTEGER,
    "cpu_mask": TEXT,
    "cpu_strict": INTEGER,
    "poll": INTEGER,
    "type_k": TEXT,
    "type_v": TEXT,
    "n_gpu_layers": INTEGER,
    "n_cpu_moe": INTEGER,
    "split_mode": TEXT,
    "main_gpu": INTEGER,
    "no_kv_offload": INTEGER,
    "flash_attn": INTEGER,
    "devices": TEXT,
    "tensor_split": TEXT,
    "tensor_buft_overrides": TEXT,
    "load_mode": TEXT,
    "lazy_mode": TEXT,
    "embeddings": INTEGER,
    "no_op_offload": INTEGER,
    "no_host": INTEGER,
    "repack": INTEGER,
    "fit_target": INTEGER,
    "fit_min_ctx": INTEGER,
    "n_prompt": INTEGER,
    "n_gen": INTEGER,
    "n_depth": INTEGER,
    "test_time": TEXT,
    "avg_ns": INTEGER,
    "stddev_ns": INTEGER,
    "avg_ts": REAL,
    "stddev_ts": REAL,
}
"""The fields in their order, and what they are in SQL."""
SWITCHES = ("cpu_strict", "no_kv_offload", "embeddings", "no_host", "repack")
"""Fields that are true or false in JSON, and 1 or 0 elsewhere."""


def rows(lines: Sequence[ResultLine]) -> list[dict[str, Value]]:
    """A row for each raw speed, in llama-bench's fields."""
    found = folded(line for line in lines if line.kind == "speed")
    return [_row(line) for line in found if line.model and line.settings]


def samples_of(line: ResultLine) -> tuple[list[int], list[float]]:
    """Nanoseconds and tokens per second of each repetition."""
    ns = [round(value) for value in line.samples.get("ns", ())]
    tokens = _number(line, "n_prompt") + _number(line, "n_gen")
    return ns, [1e9 * tokens / value for value in ns]


def as_json(lines: Sequence[ResultLine]) -> str:
    """All rows as one JSON list."""
    return json.dumps(_with_samples(lines), indent=2)


def as_jsonl(lines: Sequence[ResultLine]) -> str:
    """One JSON object a line."""
    return "\n".join(json.dumps(row) for row in _with_samples(lines))


def as_csv(lines: Sequence[ResultLine]) -> str:
    """CSV with a header, all fields quoted."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(FIELDS)
    writer.writerows([row[name] for name in FIELDS] for row in rows(lines))
    return out.getvalue().rstrip("\n")


def as_sql(lines: Sequence[ResultLine]) -> str:
    """SQL that creates and fills the table `llama_bench`."""
    columns = ",\n".join(f"  {name} {kind}" for name, kind in FIELDS.items())
    made = [f"CREATE TABLE IF NOT EXISTS llama_bench (\n{columns}\n);"]
    for row in rows(lines):
        values = ", ".join(_quoted(row[name]) for name in FIELDS)
        names = ", ".join(FIELDS)
        made.append(f"INSERT INTO llama_bench ({names}) VALUES ({values});")  # noqa: S608
    return "\n\n".join(made)


def as_markdown(lines: Sequence[ResultLine]) -> str:
    """A Markdown table."""
    head = ("model", "file", "size", "params", "backend", "threads", "test", "t/s")
    made = [_cells(head), "| " + " | ".join(["---"] * 4 + ["---:"] * 4) + " |"]
    for row in rows(lines):
        test = f"pp{row['n_prompt']}" if row["n_prompt"] else f"tg{row['n_gen']}"
        if row["n_depth"]:
            test += f" @ d{row['n_depth']}"
        made.append(
            _cells(
                (
                    str(row["model_type"]),
                    str(row["model_filename"]),
                    f"{float(row['model_size']) / 2**20:.2f} MiB",
                    f"{float(row['model_n_params']) / 1e6:.2f} M",
                    str(row["backends"]),
                    str(row["n_threads"]),
                    test,
                    f"{row['avg_ts']:.2f} ± {row['stddev_ts']:.2f}",
                )
            )
        )
    return "\n".join(made)


def _row(line: ResultLine) -> dict[str, Value]:
    assert line.model is not None and line.settings is not None
    ns, speeds = samples_of(line)
    own = line.settings
    found: dict[str, Value] = {
        name: "" if kind == TEXT else 0 for name, kind in FIELDS.items()
    }
    found |= {
        "build_commit": str(line.machine.get("commit", "")),
        "cpu_info": str(line.machine.get("cpu", "")),
        "backends": "GPU" if own.n_gpu_layers else "CPU",
        "model_filename": line.row,
        "model_type": line.model.type,
        "model_size": line.model.tensor_bytes,
        "model_n_params": line.model.params,
        "n_batch": own.n_batch,
        "n_ubatch": own.n_ubatch,
        "n_threads": own.n_threads,
        "cpu_mask": "0x0",
        "poll": 50,
        "type_k": own.type_k,
        "type_v": own.type_v,
        "n_gpu_layers": own.n_gpu_layers,
        "split_mode": "layer",
        "flash_attn": own.flash_attn,
        "devices": "auto",
        "tensor_split": "0.00",
        "tensor_buft_overrides": "none",
        "load_mode": "mmap",
        "repack": 1,
        "n_prompt": _number(line, "n_prompt"),
        "n_gen": _number(line, "n_gen"),
        "n_depth": _number(line, "n_depth"),
        "test_time": f"{line.at:%Y-%m-%dT%H:%M:%SZ}",
        "avg_ns": round(fmean(ns)),
        "stddev_ns": round(_spread(ns)),
        "avg_ts": fmean(speeds),
        "stddev_ts": _spread(speeds),
    }
    return found


def _with_samples(lines: Sequence[ResultLine]) -> list[dict[str, object]]:
    found = folded(line for line in lines if line.kind == "speed")
    made: list[dict[str, object]] = []
    for line, row in zip(found, rows(lines), strict=True):
        ns, speeds = samples_of(line)
        made.append(
            {
                **row,
                **{name: bool(row[name]) for name in SWITCHES},
                "samples_ns": ns,
                "samples_ts": speeds,
                "model_sha256": line.model.sha256 if line.model else "",
                "adapter_sha256": line.adapter.sha256 if line.adapter else "",
                "disturbed": line.disturbance.disturbed,
            }
        )
    return made


def _spread(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0


def _number(line: ResultLine, name: str) -> int:
    value = line.test.get(name)
    return int(value) if isinstance(value, int | float) else 0


def _quoted(value: Value) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _cells(values: Sequence[str]) -> str:
    return "| " + " | ".join(value.replace("|", "\\|") for value in values) + " |"
