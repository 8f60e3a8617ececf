"""Starting a job: refused before anything is sent, broken off anywhere, found again."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finetune.recipe import parse_recipe
from finetune.sagemaker import bucket as buckets
from finetune.sagemaker import collect, places, start, watch
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.bundle import Bundle
from finetune.sagemaker.channel import channel_of
from finetune.sagemaker.errors import QuotaReached, SageMakerError
from finetune.sagemaker.job_request import JobOptions, JobOrder
from finetune.sagemaker.resource_ledger import Books, open_books
from finetune.sagemaker.teardown import How, take_down
from finetune.train.training_folder import TrainingRun
from tests.finetune.sagemaker.conftest import Cloud
from tests.finetune.sagemaker.fake_words import REGION
from tests.finetune.sagemaker.test_job_request import order as an_order

CREATES = (
    "CreateBucket", "PutPublicAccessBlock", "PutBucketLifecycleConfiguration",
    "PutObject", "CreateTrial", "CreateBudget", "CreateTrainingJob",
)  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> TrainingRun:
    recipe = parse_recipe({"name": "small", "base": "no/base"}, "the test's recipe")
    root = tmp_path / "run"
    root.mkdir()
    recipe.write(root / "recipe.yaml")
    return TrainingRun(root, recipe)


@pytest.fixture
def books(aws: Aws, run: TrainingRun) -> Books:
    return open_books(run.root, aws.account, aws.region)


@pytest.fixture
def bundle(run: TrainingRun, tmp_path: Path) -> Bundle:
    for name in ("entry.py", "model.safetensors"):
        (tmp_path / name).write_text(name, "utf-8")
    return Bundle(
        channel_of("code", "code", {"entry.py": tmp_path / "entry.py"}),
        channel_of("run", "run", {"recipe.yaml": run.recipe_file}),
        channel_of("base", "base", {"model": tmp_path / "model.safetensors"}),
    )


@pytest.fixture
def place() -> start.RunPrefix:
    return start.RunPrefix("ours", "medassist", "medassist/runs/one")


@pytest.fixture
def order(bundle: Bundle, place: start.RunPrefix) -> JobOrder:
    return an_order(
        image=places.training_image(REGION, "ml.m5.large"),
        instance="ml.m5.large",
        inputs={
            each.name: f"s3://ours/{each.prefix(place.under(each.name))}"
            for each in bundle.channels
        },
        output=f"{place.own_uri}output",
        checkpoints=f"{place.own_uri}checkpoints/1",
        options=JobOptions(experiment="trials", alarm="lab@hospital.example"),
    )


@pytest.fixture(autouse=True)
def _without_https(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto is spoken to without https, and would keep all of it out."""
    allowed = {"Effect": "Allow", "Principal": "*", "Action": "s3:*"}
    monkeypatch.setattr(
        buckets,
        "_https_alone",
        lambda aws, name: {
            "Version": "2012-10-17",
            "Statement": [{**allowed, "Resource": [f"arn:aws:s3:::{name}/*"]}],
        },
    )


def under(s3: Any, prefix: str) -> list[str]:
    try:
        found = s3.list_objects_v2(Bucket="ours", Prefix=prefix)
    except s3.exceptions.NoSuchBucket:
        return []
    return [each["Key"] for each in found.get("Contents", ())]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("operation", CREATES)
def test_what_a_broken_off_start_left_is_found_and_taken_down(
    aws: Aws,
    cloud: Cloud,
    s3: Any,
    books: Books,
    run: TrainingRun,
    bundle: Bundle,
    order: JobOrder,
    place: start.RunPrefix,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    after: bool,
) -> None:
    real = type(s3)._make_api_call
    seen = 0

    def die(self: Any, name: str, arguments: dict[str, Any]) -> Any:
        nonlocal seen
        seen += name == operation
        # Of several objects the second: then something of the run may lie there.
        if name == operation and seen >= (2 if name == "PutObject" else 1):
            if after:
                real(self, name, arguments)
            raise KeyboardInterrupt
        return real(self, name, arguments)

    with monkeypatch.context() as patch:
        patch.setattr("botocore.client.BaseClient._make_api_call", die)
        with pytest.raises(start.BrokenOff, match="status") as stopped:
            start.start(aws, books, run, bundle, place, order)
    assert stopped.value.exit_code == 130

    again = open_books(run.root, aws.account, aws.region)
    taken = take_down(aws, again, How(data=True, sleep=cloud.fake.turn))
    assert not taken.failed
    assert under(s3, place.own) == []
    assert (cloud.fake.trials, cloud.fake.budgets) == ({}, {})
    for job in cloud.fake.jobs.values():
        state, *_ = cloud.fake._state(job)
        assert state in ("Stopped", "Completed")


def test_the_same_call_goes_on_where_it_was_broken_off(
    aws: Aws, s3: Any, books: Books, run: TrainingRun, bundle: Bundle, order: JobOrder,
    place: start.RunPrefix, monkeypatch: pytest.MonkeyPatch, cloud: Cloud,
) -> None:  # fmt: skip
    cloud.fake.fail["sagemaker", "CreateTrainingJob"] = (
        "ResourceLimitExceeded",
        "The account-level service limit is 0 Instances",
    )
    with pytest.raises(QuotaReached, match="quota"):
        start.start(aws, books, run, bundle, place, order)
    assert start.start(aws, books, run, bundle, place, order).sent == 0
    later = replace(order, name="medassist-small-later")
    assert start.place_of(books.ledger, "ours", "medassist", "small", 0) == place
    with pytest.raises(SageMakerError, match="still at work"):
        start.settle(aws, books, run, time.time())
    cloud.fake.turn(10_000)
    start.settle(aws, books, run, time.time())
    assert books.ledger.of("training-job")[0].billed_s
    assert start.start(aws, books, run, bundle, place, later).job == later.name


def test_a_job_whose_answer_was_lost_is_started_once(
    aws: Aws, cloud: Cloud, books: Books, run: TrainingRun, bundle: Bundle,
    order: JobOrder, place: start.RunPrefix,
) -> None:  # fmt: skip
    cloud.fake.drop.add(("sagemaker", "CreateTrainingJob"))
    started = start.start(aws, books, run, bundle, place, order)
    assert list(cloud.fake.jobs) == [started.job]
    made = books.ledger.find("training-job", started.job)
    assert made is not None and made.state == "there"


def test_a_role_that_is_new_is_waited_for(
    aws: Aws, cloud: Cloud, books: Books, run: TrainingRun, bundle: Bundle,
    order: JobOrder, place: start.RunPrefix,
) -> None:  # fmt: skip
    cloud.fake.fail["sagemaker", "CreateTrainingJob"] = (
        "ValidationException",
        f"The role {order.role} cannot be assumed by SageMaker",
    )
    waited: list[float] = []
    start.start(aws, books, run, bundle, place, order, sleep=waited.append)
    assert len(waited) == 1


def test_a_request_that_aws_would_refuse_sends_nothing(
    aws: Aws, s3: Any, books: Books, run: TrainingRun, bundle: Bundle,
    order: JobOrder, place: start.RunPrefix,
) -> None:  # fmt: skip
    with pytest.raises(SageMakerError, match="nothing was sent"):
        start.start(aws, books, run, bundle, place, replace(order, name="x" * 70))
    assert books.ledger.made == ()
    assert under(s3, "") == []


def put(s3: Any, uri: str, files: dict[str, bytes]) -> None:
    bucket, prefix = watch.split_uri(uri)
    for name, data in files.items():
        s3.put_object(Bucket=bucket, Key=prefix + name, Body=data)


@pytest.fixture
def job(
    aws: Aws, cloud: Cloud, books: Books, run: TrainingRun, bundle: Bundle,
    order: JobOrder, place: start.RunPrefix,
) -> dict[str, Any]:  # fmt: skip
    start.start(aws, books, run, bundle, place, order)
    cloud.fake.turn(10_000)
    return watch.describe(aws, order.name)


def test_half_a_checkpoint_in_s3_is_none(
    aws: Aws, s3: Any, job: dict[str, Any]
) -> None:
    uri = job["CheckpointConfig"]["S3Uri"]
    marker = json.dumps({"state.json": 2, "state.safetensors": 4}).encode()
    whole = {"state.json": b"{}", "state.safetensors": b"1234"}
    put(s3, f"{uri}/step-0000002", {**whole, "whole.json": marker})
    put(s3, f"{uri}/step-0000004", {"state.json": b"{}", "whole.json": marker})
    put(s3, f"{uri}/step-0000006", whole)
    assert [kept.step for kept in watch.checkpoints(aws, uri)] == [2]


def test_nothing_of_a_result_leaves_the_run_folder_or_is_taken_for_another_run(
    aws: Aws, s3: Any, job: dict[str, Any], run: TrainingRun
) -> None:
    uri = collect.model_uri(job)
    with pytest.raises(SageMakerError, match="holds no adapter"):
        collect.fetch_result(aws, job, run)
    adapter = {"adapter/adapter_model.safetensors": b"x"}
    adapter["adapter/adapter_config.json"] = b"{}"
    put(s3, uri, {**adapter, "a/../../../escaped": b"x", "a/b/c/deep": b"x"})
    put(s3, uri, {"recipe.yaml": b"name: another\n"})
    with pytest.raises(SageMakerError, match="was changed since"):
        collect.fetch_result(aws, job, run)
    assert not run.adapter.exists()
    put(s3, uri, {"recipe.yaml": run.recipe_file.read_bytes()})
    found = collect.fetch_result(aws, job, run)
    assert not found.finished
    assert {p.name for p in run.root.iterdir()} == {
        "adapter", "recipe.yaml", "sagemaker.json"
    }  # fmt: skip
    assert not list(run.root.parent.rglob("escaped"))
    config = json.loads((run.adapter / "adapter_config.json").read_text("utf-8"))
    assert config["base_model_name_or_path"] == "no/base"


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("CapacityError: Unable to provision", "try again later"),
        ("InternalServerError: We encountered", "AWS's side"),
        (
            "AlgorithmError: the training failed: no memory, exit code: 1",
            "the training failed: no memory",
        ),
        ("ClientError: Data download failed: 403", "may not read the bucket"),
    ],
)
def test_why_a_job_failed_is_said_with_what_to_do(reason: str, said: str) -> None:
    assert said in watch.failure({"FailureReason": reason})
