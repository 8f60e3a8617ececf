"""The reference: a bare `llama_decode` loop with llama.cpp's default attention.

Run as `python -m benchmarks.bare_loop MODEL PROMPT_TOKENS NEW_TOKENS THREADS`; prints
tokens per second as JSON, and what llama.cpp says of its buffers.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
import time

import llama_cpp.llama_cpp as llama

BUFFER = re.compile(r"(KV|compute) buffer size =\s+([\d.]+) MiB")


def main() -> None:
    model_path, prompt, new, threads = sys.argv[1], *map(int, sys.argv[2:5])
    context_size, chunk = map(int, (*sys.argv[5:7], 4096, 512)[:2])
    buffers: dict[str, float] = {}

    @llama.llama_log_callback
    def listen(_level: int, text: bytes, _data: object) -> None:
        if found := BUFFER.search(text.decode(errors="replace")):
            buffers[found[1]] = buffers.get(found[1], 0) + float(found[2])

    llama.llama_log_set(listen, ctypes.c_void_p(0))
    llama.llama_backend_init()
    model = llama.llama_model_load_from_file(
        model_path.encode(), llama.llama_model_default_params()
    )
    assert model is not None
    params = llama.llama_context_default_params()
    params.n_ctx = context_size
    params.n_batch = params.n_ubatch = chunk
    params.n_threads = params.n_threads_batch = threads
    context = llama.llama_init_from_model(model, params)
    assert context is not None
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_greedy())

    def decode(tokens: list[int]) -> None:
        ids = (llama.llama_token * len(tokens))(*tokens)
        batch = llama.llama_batch_get_one(ids, len(tokens))
        if llama.llama_decode(context, batch) != 0:
            raise RuntimeError("llama_decode failed")

    for start in range(0, prompt, chunk):
        decode([(i % 250) + 4 for i in range(start, min(prompt, start + chunk))])
    token = llama.llama_sampler_sample(chain, context, -1)
    begun = time.perf_counter()
    for _ in range(new):
        decode([token])
        token = llama.llama_sampler_sample(chain, context, -1)
    speed = new / (time.perf_counter() - begun)
    print(json.dumps({"tok_per_s": speed, "buffers_mib": buffers}))


if __name__ == "__main__":
    main()
