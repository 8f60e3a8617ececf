"""`medassist finetune sagemaker ...`: a fine-tune on SageMaker, one file a verb."""

from __future__ import annotations

from finetune.commands.sagemaker import (
    ask,
    compare,
    cost,
    deploy,
    fetch,
    logs,
    plan,
    role,
    status,
    stop,
    teardown,
    train,
)
from medassist.core.verbs import verbs

app = verbs(
    "sagemaker",
    "The same fine-tune on Amazon SageMaker, under a budget. Needs the extras "
    "`finetune` and `sagemaker` (boto3).",
)
app.command("plan")(plan.plan)
app.command("role")(role.role)
app.command("train")(train.train)
app.command("status")(status.status)
app.command("logs")(logs.logs)
app.command("stop")(stop.stop)
app.command("fetch")(fetch.fetch)
app.command("deploy")(deploy.deploy)
app.command("ask")(ask.ask)
app.command("compare")(compare.compare)
app.command("cost")(cost.cost)
app.command("teardown")(teardown.teardown)
