"""`medassist finetune sagemaker ...`: a fine-tune on SageMaker, one file a verb."""

from __future__ import annotations

from finetune.commands.sagemaker import cost, plan, role, teardown
from medassist.core.verbs import verbs

app = verbs(
    "sagemaker",
    "The same fine-tune on Amazon SageMaker, under a budget. Needs the extras "
    "`finetune` and `sagemaker` (boto3).",
)
app.command("plan")(plan.plan)
app.command("role")(role.role)
app.command("cost")(cost.cost)
app.command("teardown")(teardown.teardown)
