from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.costs import costs, costs_of_all, told_costs
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.job_request import RUN_TAG
from finetune.sagemaker.policies import RoleScope
from finetune.sagemaker.resource_ledger import Books, open_books, read_ledger
from finetune.sagemaker.role import create_role
from finetune.sagemaker.tagged import find
from finetune.sagemaker.teardown import (
    How,
    TakenDown,
    bucket_and_prefix,
    take_down,
    told_steps,
)
from tests.finetune.sagemaker.conftest import Cloud
from tests.finetune.sagemaker.fake_words import arn
from tests.finetune.sagemaker.test_fake import request

PREFIX = "s3://ours/medassist/run"
Act = Callable[[], object]


@pytest.fixture
def books(aws: Aws, cloud: Cloud, tmp_path: Path) -> Books:
    return open_books(tmp_path, aws.account, aws.region, lambda: cloud.fake.clock)


def how(cloud: Cloud, **more: Any) -> How:
    return How(sleep=cloud.fake.turn, **more)


def creates(aws: Aws, cloud: Cloud, books: Books) -> list[tuple[str, str, Act]]:
    """Everything that may be made for a run, in its order: kind, name, the request."""
    s3, sagemaker = aws.client("s3"), aws.client("sagemaker")
    fake = cloud.fake

    def objects() -> None:
        s3.put_object(Bucket="ours", Key="medassist/run/data.jsonl", Body=b"x" * 1000)
        s3.create_multipart_upload(Bucket="ours", Key="medassist/run/base")

    def schedule() -> None:
        fake.schedules["expiry"] = {"at": fake.clock + 7200, "Target": {}}

    scope = RoleScope(aws.region, aws.account, "ours")
    return [
        ("bucket", "ours", lambda: s3.create_bucket(Bucket="ours")),
        ("objects", PREFIX, objects),
        ("role", "ours", lambda: create_role(aws, scope, "ours")),
        (
            "training-job",
            "job-1",
            lambda: sagemaker.create_training_job(**request("job-1")),
        ),
        ("model", "m-1", lambda: fake.models.update({"m-1": {}})),
        ("endpoint-config", "c-1", lambda: fake.endpoint_configs.update({"c-1": {}})),
        ("schedule", "expiry", schedule),
        (
            "endpoint",
            "e-1",
            lambda: fake.endpoints.update({"e-1": {"created": fake.clock}}),
        ),
    ]


def make(books: Books, what: tuple[str, str, Act]) -> None:
    kind, name, act = what
    facts: dict[str, Any] = {}
    if kind == "training-job":
        facts = {"price": Decimal("1.515"), "hard_s": 3600}
    with books.making(kind, name, **facts):  # pyright: ignore[reportArgumentType]
        act()


def what_stands(aws: Aws, cloud: Cloud) -> list[str]:
    s3, fake = aws.client("s3"), cloud.fake
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    uploads = [
        upload
        for bucket in buckets
        for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", ())
    ]
    running = [
        each["TrainingJobName"]
        for each in fake.ListTrainingJobs({})["TrainingJobSummaries"]
        if each["TrainingJobStatus"] in ("InProgress", "Stopping")
    ]
    roles = [role["RoleName"] for role in aws.client("iam").list_roles()["Roles"]]
    standing = [*fake.endpoints, *fake.endpoint_configs, *fake.models, *fake.schedules]
    return [*buckets, *map(str, uploads), *running, *roles, *standing]


class Killed(BaseException):
    pass


@pytest.mark.parametrize("arrived", [True, False])
@pytest.mark.parametrize("killed_at", range(8))
def test_a_kill_at_each_create_leaves_what_teardown_needs(
    aws: Aws, cloud: Cloud, books: Books, killed_at: int, arrived: bool
) -> None:
    plan = creates(aws, cloud, books)
    for what in plan[:killed_at]:
        make(books, what)
    kind, name, act = plan[killed_at]

    def broken_off() -> None:
        if arrived:
            act()
        raise Killed

    with pytest.raises(Killed):
        make(books, (kind, name, broken_off))
    assert bool(what_stands(aws, cloud)) == (arrived or killed_at > 0)
    # Another process: it knows what is on the disk.
    found = open_books(books.file.parent, aws.account, aws.region)
    taken = take_down(aws, found, how(cloud, data=True))
    assert not taken.failed, told_steps(taken)
    assert what_stands(aws, cloud) == []
    done = {step.name: step.done for step in taken.steps if step.kind == kind}
    assert done[name] in (("deleted", "stopped") if arrived else ("already gone",))
    assert not take_down(aws, found, how(cloud, data=True)).steps


def whole(aws: Aws, cloud: Cloud, books: Books) -> None:
    for what in creates(aws, cloud, books):
        make(books, what)


def done(taken: TakenDown) -> list[tuple[str, str]]:
    return [(step.kind, step.done) for step in taken.steps]


def test_what_costs_most_goes_first_and_the_bucket_last(
    aws: Aws, cloud: Cloud, books: Books
) -> None:
    whole(aws, cloud, books)
    taken = take_down(aws, books, how(cloud, data=True))
    assert [kind for kind, _ in done(taken)] == [
        "endpoint", "training-job", "endpoint-config", "model", "schedule",
        "objects", "role", "bucket",
    ]  # fmt: skip


def test_a_dry_run_does_nothing(aws: Aws, cloud: Cloud, books: Books) -> None:
    whole(aws, cloud, books)
    before = what_stands(aws, cloud)
    taken = take_down(aws, books, how(cloud, data=True, dry_run=True))
    assert {state for _, state in done(taken)} == {
        "would be deleted",
        "would be stopped",
    }
    assert what_stands(aws, cloud) == before
    assert all(made.state == "there" for made in books.ledger.made)


def test_a_model_that_was_not_fetched_is_kept_until_that_is_said(
    aws: Aws, cloud: Cloud, books: Books
) -> None:
    whole(aws, cloud, books)
    taken = take_down(aws, books, how(cloud))
    kept = {step.kind: step.why for step in taken.steps if step.done == "kept"}
    assert set(kept) == {"objects", "bucket"}
    assert "(1.0 kB, $0.00 a month)" in kept["objects"]
    take_down(aws, books, how(cloud, data=True))
    assert what_stands(aws, cloud) == []


def test_what_other_runs_use_is_left(aws: Aws, cloud: Cloud, books: Books) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="ours")
    for name, shared in (("run", False), ("run-2", True)):
        s3.put_object(Bucket="ours", Key=f"medassist/{name}/x", Body=b"x")
        with books.making("objects", f"s3://ours/medassist/{name}", shared=shared):
            pass
    take_down(aws, books, how(cloud, data=True))
    left = s3.list_objects_v2(Bucket="ours")["Contents"]
    assert [each["Key"] for each in left] == ["medassist/run-2/x"]


def test_old_versions_are_deleted_as_well(aws: Aws, cloud: Cloud, books: Books) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="ours")
    s3.put_bucket_versioning(
        Bucket="ours", VersioningConfiguration={"Status": "Enabled"}
    )
    for body in (b"one", b"two"):
        s3.put_object(Bucket="ours", Key="medassist/run/x", Body=body)
    s3.delete_object(Bucket="ours", Key="medassist/run/x")
    with books.making("objects", PREFIX):
        pass
    take_down(aws, books, how(cloud, data=True))
    found = s3.list_object_versions(Bucket="ours")
    assert "Versions" not in found
    assert "DeleteMarkers" not in found


def test_one_failure_keeps_nothing_else_from_going(
    aws: Aws, cloud: Cloud, books: Books
) -> None:
    whole(aws, cloud, books)
    cloud.fake.fail["sagemaker", "DeleteModel"] = ("AccessDeniedException", "no")
    taken = take_down(aws, books, how(cloud, data=True))
    assert [(step.kind, step.name) for step in taken.failed] == [("model", "m-1")]
    assert "call it again" in told_steps(taken)
    assert what_stands(aws, cloud) == ["m-1"]
    again = take_down(aws, books, how(cloud, data=True))
    assert done(again) == [("model", "deleted")]


def test_an_answer_that_is_lost_is_no_harm(
    aws: Aws, cloud: Cloud, books: Books
) -> None:
    whole(aws, cloud, books)
    cloud.fake.drop.add(("sagemaker", "StopTrainingJob"))
    cloud.fake.drop.add(("sagemaker", "DeleteEndpointConfig"))
    taken = take_down(aws, books, how(cloud, data=True))
    assert not taken.failed, told_steps(taken)
    assert what_stands(aws, cloud) == []


def test_a_job_that_does_not_end_is_said_to_be_billed(
    aws: Aws, cloud: Cloud, books: Books
) -> None:
    whole(aws, cloud, books)
    cloud.fake.turn(300)
    taken = take_down(aws, books, How(sleep=lambda _: None, wait_s=20))
    ((_, name, _, why),) = [(s.kind, s.name, s.done, s.why) for s in taken.failed]
    assert name == "job-1"
    assert "billed until it does" in why


def test_what_was_billed_is_written_down(aws: Aws, cloud: Cloud, books: Books) -> None:
    whole(aws, cloud, books)
    cloud.fake.turn(360)
    take_down(aws, books, how(cloud, data=True))
    found = read_ledger(books.file.parent)
    assert found is not None
    (job,) = found.of("training-job")
    assert job.billed_s == 330
    assert found.spent == Decimal("0.1389")


@pytest.mark.parametrize(
    "address", ["s3://ours", "s3://ours/", "ours/prefix", "s3:///x", "https://ours/x"]
)
def test_all_of_a_bucket_is_nobodys_run(address: str) -> None:
    with pytest.raises(SageMakerError, match="no address"):
        bucket_and_prefix(address)
    assert bucket_and_prefix("s3://ours/a/b") == ("ours", "a/b/")


def test_costs_are_what_was_billed_and_what_still_runs(
    aws: Aws, cloud: Cloud, books: Books
) -> None:
    fake = cloud.fake
    whole(aws, cloud, books)
    books.note("endpoint", "e-1", price=Decimal("1.515"), until=fake.clock + 7200)
    fake.turn(360)  # the job has been starting for 60 s of it
    found = costs(aws, books.ledger, fake.clock)
    (
        job,
        endpoint,
    ) = [
        next(line for line in found.lines if line.what.startswith(kind))
        for kind in ("job", "endpoint")
    ]
    assert job.dollars == Decimal("0.1263")
    assert job.at_worst == Decimal("1.515")
    assert endpoint.dollars == Decimal("0.1515")
    # Two hours, and a quarter until a deletion that is late.
    assert endpoint.at_worst == Decimal("3.4088")
    assert found.spent == Decimal("0.2778")
    assert "Not seen here" in told_costs(found)
    take_down(aws, books, how(cloud, data=True))
    fake.turn(100_000)
    after = costs(aws, books.ledger, fake.clock)
    assert after.spent == after.at_worst
    assert after.spent < Decimal("0.40")


def test_a_job_that_never_began_cost_nothing(aws: Aws, books: Books) -> None:
    with books.making("training-job", "lost", price=Decimal(2), hard_s=3600):
        pass
    found = costs(aws, books.ledger, 0)
    assert found.spent == found.at_worst == 0


def test_what_else_runs_in_the_account_is_looked_for(aws: Aws, cloud: Cloud) -> None:
    fake = cloud.fake
    fake.endpoints["forgotten"] = {"created": fake.clock, "config": "c"}
    fake.endpoint_configs["c"] = {}
    fake.apps = [{"AppName": "lab", "Status": "InService"}]
    fake.apps += [{"AppName": "old", "Status": "Deleted"}]
    fake.tracking_servers = {"runs": "Active", "asleep": "Inactive"}
    fake.fail["sagemaker", "ListTrainingJobs"] = ("AccessDeniedException", "no")
    others = costs_of_all(aws, fake.clock).others
    assert "endpoint forgotten on 1 x ml.m5.large, $0.12 an hour" in others
    assert any("training job is not known" in other for other in others)
    assert {"notebook instance leftover", "Studio app lab"} <= set(others)
    assert "MLflow tracking server runs" in others
    assert len(others) == 5


def test_what_no_ledger_tells_of_is_found_by_its_tag(aws: Aws, cloud: Cloud) -> None:
    fake, ours = cloud.fake, [{"Key": RUN_TAG, "Value": "medassist/runs/one"}]
    sagemaker = aws.client("sagemaker")
    asked = request("medassist-one")
    asked["Environment"] = {"MEDASSIST_PRICE": "1.515"}
    sagemaker.create_training_job(**asked, Tags=ours)
    fake.turn(360)
    fake.quotas["ml.g5.2xlarge for training job usage"] = 2
    sagemaker.create_training_job(**request("theirs"))
    for made, kind in (
        (fake.endpoints, "endpoint"),
        (fake.endpoint_configs, "endpoint-config"),
        (fake.models, "model"),
    ):
        for name in ("medassist-e", "medassist-untagged"):
            made[name] = {"created": fake.clock}
        fake.tags[arn(kind, "medassist-e")] = ours
    fake.schedules["medassist-e"] = {"at": fake.clock + 7200, "Target": {}}
    budget = {"TimeUnit": "MONTHLY", "BudgetType": "COST"}
    for name in ("medassist-e", "theirs"):
        fake.budgets[name] = {"BudgetName": name, **budget}

    fake.turn(3600)
    found = costs_of_all(aws, fake.clock)
    by_name = {line.what: line for line in found.lines}
    assert by_name["job medassist-one"].dollars > Decimal("0.1")
    assert by_name["endpoint medassist-e"].dollars == Decimal("0.115")
    assert "no end of it is known" in by_name["endpoint medassist-e"].told
    assert not any("untagged" in name for name in by_name)

    ledger = find(aws, ended=False).ledger
    assert {made.name for made in ledger.made} == {"medassist-e"}
    assert [made.kind for made in ledger.made] == [
        "endpoint", "endpoint-config", "model", "schedule", "budget"
    ]  # fmt: skip


def test_a_job_that_runs_is_taken_down_by_its_tag_alone(
    aws: Aws, cloud: Cloud, tmp_path: Path
) -> None:
    ours = [{"Key": RUN_TAG, "Value": "medassist/runs/one"}]
    aws.client("sagemaker").create_training_job(**request("medassist-one"), Tags=ours)
    cloud.fake.turn(300)
    books = Books(tmp_path / "sagemaker.json", find(aws, ended=False).ledger)
    taken = take_down(aws, books, how(cloud))
    assert done(taken) == [("training-job", "stopped")]
    assert find(aws, ended=False).ledger.made == ()
