"""Serve a GGUF and a LoRA on it by llama.cpp's own server, until the input ends.

A program of its own, since the server holds native code of another llama.cpp than the
program's. Prints its address once it answers.

    python llama_server.py BASE ADAPTER CONTEXT
"""

from __future__ import annotations

import sys
from typing import Any


def main(base: str, adapter: str, context: str) -> None:
    import xllamacpp  # pyright: ignore[reportMissingImports]

    own: Any = xllamacpp
    params = own.CommonParams()
    params.model.path = base
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = int(context)
    params.n_parallel = 1
    params.cpuparams.n_threads = 1
    params.lora_adapters = [own.CommonAdapterLoraInfo(adapter, 1.0)]
    server = own.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()
    del server


if __name__ == "__main__":
    main(*sys.argv[1:])
