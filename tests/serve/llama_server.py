"""llama.cpp's own server with a base and a LoRA, until the input ends.

A program of its own, since the server holds native code of another llama.cpp than the
program's. Prints its address once it answers.

    python -m tests.serve.llama_server BASE ADAPTER KEY CONTEXT
"""

from __future__ import annotations

import sys
from typing import Any


def main(base: str, adapter: str, key: str, context: str) -> None:
    import xllamacpp  # pyright: ignore[reportMissingImports]

    own: Any = xllamacpp
    params = own.CommonParams()
    params.model.path = base
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = 2 * int(context)
    params.n_parallel = 2
    params.cpuparams.n_threads = 1
    params.lora_adapters = [own.CommonAdapterLoraInfo(adapter, 1.0)]
    params.lora_init_without_apply = True
    params.cache_ram_mib = 0
    params.api_keys = [key]
    params.cors_origins = "localhost"
    server = own.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()
    del server


if __name__ == "__main__":
    main(*sys.argv[1:])
