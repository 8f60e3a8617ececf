"""The child process that runs llama.cpp's quantizer; native code may end it.

Run as `python -m convert.quantize_child`, by `convert.quantize` alone: a JSON job
on standard input; on standard output the quantizer's own words.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

import llama_cpp.llama_cpp as llama
import numpy as np
from pydantic import BaseModel, ConfigDict

from convert.imatrix import ImportanceMatrix, read_imatrix
from medassist.engine import confine
from medassist.engine.forbidden_calls import forbid_calls

FAILED = 1
PR_SET_PDEATHSIG = 1


class Job(BaseModel):
    """What to quantize.

    Attributes:
        files: of the model; the first one is named to the quantizer.
        target: is there already, and empty.
        most_memory: bytes of rows that are held at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: tuple[Path, ...]
    target: Path
    ftype: int
    imatrix: Path | None
    allow_requantize: bool
    most_memory: int
    threads: int


@llama.llama_log_callback
def _speak(_level: int, text: bytes, _data: object) -> None:
    os.write(1, text)


def run(job: Job) -> int:
    """Quantize; returns what llama.cpp does."""
    params = llama.llama_model_quantize_default_params()
    params.ftype = job.ftype
    params.nthread = job.threads
    params.allow_requantize = job.allow_requantize
    params.max_buf_size = job.most_memory
    importance = read_imatrix(job.imatrix) if job.imatrix else None
    # Both arrays must live until the quantizer is done.
    entries = _entries(importance) if importance else None
    notes = _notes(importance) if importance else None
    if entries is not None and notes is not None:
        params.imatrix = ctypes.cast(
            entries, ctypes.POINTER(llama.llama_model_imatrix_data)
        )
        params.kv_overrides = ctypes.cast(
            notes, ctypes.POINTER(llama.llama_model_kv_override)
        )
    llama.llama_log_set(_speak, ctypes.c_void_p(0))
    llama.llama_backend_init()
    confine.restrict_files(
        (*job.files, *([job.imatrix] if job.imatrix else [])), [job.target]
    )
    return llama.llama_model_quantize(
        os.fsencode(job.files[0]), os.fsencode(job.target), ctypes.pointer(params)
    )


def _entries(
    found: ImportanceMatrix,
) -> ctypes.Array[llama.llama_model_imatrix_data]:
    """The matrix as the quantizer reads it: a list that ends with an empty name."""
    entries = (llama.llama_model_imatrix_data * (len(found.importance) + 1))()
    for entry, (name, values) in zip(entries, found.importance.items(), strict=False):
        assert values.dtype == np.float32
        assert values.flags.c_contiguous
        entry.name = name.encode()
        entry.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        entry.size = values.size
    return entries


def _notes(found: ImportanceMatrix) -> ctypes.Array[llama.llama_model_kv_override]:
    """What the new file says of the matrix, under the keys that llama-quantize uses.

    Of paths only the last part: a file that is published should not tell where its
    maker's folders are.
    """
    values: dict[str, str | int] = {"quantize.imatrix.file": found.file.name}
    if found.dataset:
        values["quantize.imatrix.dataset"] = Path(found.dataset).name
    values["quantize.imatrix.entries_count"] = len(found.importance)
    if found.chunks:
        values["quantize.imatrix.chunks_count"] = found.chunks
    notes = (llama.llama_model_kv_override * (len(values) + 1))()
    for note, (key, value) in zip(notes, values.items(), strict=False):
        note.key = key.encode()
        if isinstance(value, str):
            note.tag = llama.LLAMA_KV_OVERRIDE_TYPE_STR
            note.value.val_str = value.encode()[:127]
        else:
            note.tag = llama.LLAMA_KV_OVERRIDE_TYPE_INT
            note.value.val_i64 = value
    return notes


def _end_with_parent() -> None:
    """Let the system end this process with the one that waits for it, on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def main() -> None:
    """Read the job, confine this process as far as possible, and quantize."""
    _end_with_parent()
    confine.forbid_core_dumps()
    confine.leave_network()
    confine.drop_privileges()
    forbid_calls()
    job = Job.model_validate_json(sys.stdin.buffer.read())
    code = run(job)
    sys.stdout.flush()
    # llama.cpp's own cleaning up after a failure is not needed, and may fail too.
    os._exit(FAILED if code else 0)


if __name__ == "__main__":
    main()
