"""`medassist finetune ...`, also `python -m finetune ...`: one file a verb.

A verb's file holds its options and what it prints; it imports its room when it is
called, so that `--help` waits for no torch.
"""

from __future__ import annotations

from finetune.commands import (
    evaluate,
    fetch,
    prepare,
    push,
    report,
    sagemaker,
    sweep,
    train,
)
from medassist.core.verbs import verbs

app = verbs(
    "finetune",
    "Make models from text: data, LoRA, figures, report. "
    "Needs the extra `finetune` (torch).",
)
app.command("prepare")(prepare.prepare)
app.command("train")(train.train)
app.command("sweep")(sweep.sweep)
app.command("evaluate")(evaluate.evaluate)
app.command("fetch")(fetch.fetch)
app.command("report")(report.report)
app.command("push")(push.push)
app.add_typer(sagemaker.app)
