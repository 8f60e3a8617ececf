"""A plan for other hands: SageMaker's request as JSON, or a task of SkyPilot's.

Neither needs a library of its own, and nothing is made. A SkyPilot task rents a plain
computer in the same region and runs the same training there, under the same budget.
"""

from __future__ import annotations

import shlex
from decimal import Decimal
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from finetune.sagemaker import places, strict
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.bucket import default_bucket
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.hosts import partition_of
from finetune.sagemaker.job_limits import HOUR, JobLimits
from finetune.sagemaker.job_request import VOLUME_GB, JobOrder, job_name, request
from finetune.sagemaker.obstacles import PlanRequest
from finetune.sagemaker.own_wheel import PACKAGES
from finetune.sagemaker.price import Price
from finetune.sagemaker.role import DEFAULT_ROLE
from finetune.sagemaker.tagged import PREFIX
from finetune.sagemaker.training_plan import Plan
from finetune.sagemaker.wheelhouse import requirements
from finetune.train.base_model import find_base
from medassist.core.run_folder import DATA, RECIPE, RunFolder

IDLE_MINUTES = 10
"""Minutes of idleness after which SkyPilot gives the computer back."""


def as_request(aws: Aws, plan: Plan, wish: PlanRequest, now: float) -> dict[str, Any]:
    """The arguments of CreateTrainingJob, as `train` would send them.

    Of the three channels it names the place alone: the keys under it are made of what
    the files hold, which is read when they are sent.

    Raises:
        SageMakerError: the plan refuses, or SageMaker would.
    """
    limits, price = _may_begin(plan)
    name, bucket = job_name(plan.recipe, now), wish.bucket or default_bucket(aws)
    own = f"{PREFIX}/runs/{name}"
    base = f"s3://{bucket}/{PREFIX}/base/"
    if wish.base_from is not None and wish.base_from.startswith("s3://"):
        base = wish.base_from.rstrip("/") + "/"
    partition = partition_of(plan.region)
    made = request(
        JobOrder(
            name=name,
            recipe=plan.recipe,
            run=own,
            role=f"arn:{partition}:iam::{aws.account}:role/{DEFAULT_ROLE}",
            image=plan.image,
            instance=plan.instance,
            instances=plan.instances,
            price=price.dollars,
            limits=limits,
            inputs={
                "code": f"s3://{bucket}/{PREFIX}/code/",
                "run": f"s3://{bucket}/{own}/input/",
                "base": base,
            },
            output=f"s3://{bucket}/{own}/output",
            checkpoints=f"s3://{bucket}/{own}/checkpoints",
        )
    )
    found = strict.complaints(aws.client("sagemaker"), "CreateTrainingJob", made)
    if found:
        raise SageMakerError("SageMaker would not take this: " + "; ".join(found))
    return made


def as_skypilot(plan: Plan, wish: PlanRequest, recipe_file: Path) -> str:
    """A task for `sky launch`, as YAML.

    The recipe, the data that is trained on, the base and this very program go along;
    not the test part. The price is SageMaker's, which is above that of the same
    computer by itself: so the training ends rather too early than too late.

    Raises:
        FinetuneError: the plan refuses, it takes several computers, or the base is not
            here.
    """
    limits, price = _may_begin(plan)
    if plan.instances > 1:
        raise SageMakerError(
            "--export skypilot writes a task for one computer; leave out --instances"
        )
    machine = places.instance(plan.instance)
    run, words = RunFolder(wish.root), ["-m", "finetune", "train", "run"]
    words += ["--base", "base", "--resume", "--yes"]
    words += ["--price", f"{price.dollars.normalize():f}"]
    hours = Decimal(limits.inside_s) / HOUR
    words += ["--budget", f"{hours * price.dollars:.2f}"]
    if machine.gpus > 1:
        each = ["-m", "torch.distributed.run", "--nproc-per-node", str(machine.gpus)]
        words = [*each, *words]
    resources: dict[str, Any] = {
        "infra": f"aws/{plan.region}",
        "use_spot": plan.spot,
        "disk_size": VOLUME_GB,
        "autostop": {"idle_minutes": IDLE_MINUTES, "down": True},
    }
    if machine.gpus:
        resources["accelerators"] = f"{machine.gpu}:{machine.gpus}"
    else:
        resources["instance_type"] = plan.instance.removeprefix("ml.")
    torch = f"torch=={version('torch').partition('+')[0]}"
    pins = requirements(qlora=wish.recipe.lora.method == "qlora")
    task = {
        "name": job_name(plan.recipe).lower(),
        "resources": resources,
        "file_mounts": {
            f"~/run/{RECIPE}": str(recipe_file.resolve()),
            **{
                f"~/run/{DATA}/{name}.jsonl": str(run.split(name).resolve())
                for name in ("train", "validation")
                if run.split(name).is_file()
            },
            "~/base": _base(wish),
            **{f"~/program/{name}": str(_package(name)) for name in PACKAGES},
        },
        "setup": "pip install " + shlex.join([torch, *pins]) + "\n",
        "run": f"cd ~\nPYTHONPATH=~/program exec python {shlex.join(words)}\n",
    }
    head = (
        "# sky launch FILE rents the computer and trains; what came of it lies there\n"
        f"# in ~/run, until it is given back after {IDLE_MINUTES} idle minutes:\n"
        f"# rsync -r {task['name']}:run/ {shlex.quote(str(wish.root))}/\n"
    )
    return head + yaml.safe_dump(task, sort_keys=False, width=2**20)


def _may_begin(plan: Plan) -> tuple[JobLimits, Price]:
    if plan.limits is None or plan.price is None or plan.reasons:
        raise SageMakerError(plan.refusal)
    return plan.limits, plan.price


def _base(wish: PlanRequest) -> str:
    if wish.base_from is not None:
        s3 = wish.base_from.startswith("s3://")
        return wish.base_from if s3 else str(Path(wish.base_from).resolve())
    return str(find_base(wish.recipe.base, wish.recipe.revision).resolve())


def _package(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None and spec.origin is not None  # they are one program
    return Path(spec.origin).parent
