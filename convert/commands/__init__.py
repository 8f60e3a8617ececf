"""`medassist convert ...`, also `python -m convert ...`: one file a verb.

A verb's file holds its options and what it prints; it imports its room when it is
called, so that `--help` waits for no torch.
"""

from __future__ import annotations

from convert.commands import (
    adapter,
    gguf,
    merge,
    modelfile,
    publish,
    quantize,
    run,
    starter,
    verify,
)
from medassist.core.verbs import verbs

app = verbs(
    "convert",
    "Make GGUF files of what was trained, prove them, publish them to Ollama. "
    "Needs the extra `convert` (torch).",
)
app.command("starter")(starter.starter)
app.command("gguf", help=gguf.HELP)(gguf.gguf)
app.command("modelfile")(modelfile.modelfile)
app.command("publish")(publish.publish)
app.command("quantize")(quantize.quantize)
app.command("merge")(merge.merge)
app.command("adapter")(adapter.adapter)
app.command("verify")(verify.verify)
app.command("run")(run.run)
