"""The child process that runs llama.cpp's quantizer; native code may end it.

Started by `convert.quantize` alone. It is told a job, and tells the tensors that are
done; the quantizer's own words are what it prints.
"""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import llama_cpp.llama_cpp as llama
import numpy as np

from convert.imatrix import ImportanceMatrix, read_imatrix
from convert.quantize_wire import JOB, QuantizeDone, QuantizeJob, Tensor

if TYPE_CHECKING:
    from medassist.engine.child_startup import Confined

FAILED = 1
TENSOR = re.compile(rb"^\[\s*(\d+)/\s*(\d+)\] ")
FALLBACK = re.compile(rb"(\d+) of \d+ tensor\(s\) required fallback")


def serve(process: Confined) -> None:
    """Quantize as the app commands; returns the exit code."""
    job = process.channel.receive(JOB)
    if job is None:
        return
    process.end_with_the_app()
    fallbacks = 0

    @llama.llama_log_callback
    def listen(_level: int, text: bytes, _data: object) -> None:
        nonlocal fallbacks
        os.write(2, text)
        if found := TENSOR.match(text):
            process.channel.send(Tensor(number=int(found[1]), total=int(found[2])))
        if found := FALLBACK.search(text):
            fallbacks = int(found[1])

    llama.llama_log_set(listen, ctypes.c_void_p(0))
    llama.llama_backend_init()
    read = (*job.files, *([job.imatrix] if job.imatrix else []))
    process.keep_files(read, [job.target])
    code = _run(job)
    if code == 0:
        process.channel.send(QuantizeDone(fallbacks=fallbacks))
    # llama.cpp's own cleaning up after a failure is not needed, and may fail too.
    os._exit(FAILED if code else 0)


def _run(job: QuantizeJob) -> int:
    """Quantize; returns what llama.cpp does."""
    params = llama.llama_model_quantize_default_params()
    params.ftype = job.ftype
    params.nthread = job.threads
    params.allow_requantize = job.allow_requantize
    params.max_buf_size = job.most_memory
    importance = read_imatrix(job.imatrix) if job.imatrix else None
    kinds = _kinds(job.kinds) if job.kinds else None
    if kinds is not None:
        params.tt_overrides = ctypes.cast(
            kinds, ctypes.POINTER(llama.llama_model_tensor_override)
        )
    # The arrays must live until the quantizer is done.
    entries = _entries(importance) if importance else None
    notes = _notes(importance) if importance else None
    if entries is not None and notes is not None:
        params.imatrix = ctypes.cast(
            entries, ctypes.POINTER(llama.llama_model_imatrix_data)
        )
        params.kv_overrides = ctypes.cast(
            notes, ctypes.POINTER(llama.llama_model_kv_override)
        )
    return llama.llama_model_quantize(
        os.fsencode(job.files[0]), os.fsencode(job.target), ctypes.pointer(params)
    )


def _kinds(names: dict[str, int]) -> ctypes.Array[llama.llama_model_tensor_override]:
    """The types of tensors as the quantizer reads them: patterns, then an empty one."""
    kinds = (llama.llama_model_tensor_override * (len(names) + 1))()
    for kind, (name, number) in zip(kinds, names.items(), strict=False):
        # re.escape escapes what C++'s grammar does not take escaped, such as "-".
        pattern = re.sub(r"([.*+?^${}()|\[\]\\/])", r"\\\1", name)
        kind.pattern = f"^{pattern}$".encode()
        kind.type = number
    return kinds


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
    """Metadata about the importance matrix, under the keys that llama-quantize uses.

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
