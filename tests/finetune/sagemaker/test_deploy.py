"""An endpoint of vLLM on the fakes: put up, told apart, and gone at its time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.costs import costs
from finetune.sagemaker.hosting import deploy as work
from finetune.sagemaker.hosting import vllm as vllm_engine
from finetune.sagemaker.hosting.subject import SubjectWish
from finetune.sagemaker.places import instance
from finetune.sagemaker.resource_ledger import open_books, read_ledger
from finetune.sagemaker.start import BrokenOff
from finetune.sagemaker.teardown import How, take_down, told_steps
from medassist.core.run_folder import RunFolder
from tests.convert.tiny_hf import HfFolders
from tests.finetune.evaluate.conftest import tiny_pair as tiny_pair
from tests.finetune.sagemaker.conftest import Cloud
from tests.finetune.sagemaker.fake import price
from tests.finetune.sagemaker.fake_words import Refusal
from tests.finetune.sagemaker.hosting_runs import (
    HOURS,
    ROLE,
    SCHEDULE,
    call,
    deploy,
    hosted_run,
    on_the_fakes_clock,
    refused,
    words,
)
from tests.finetune.sagemaker.vllm_double import Vllm, vllm_server

CREATES = ["CreateModel", "CreateEndpointConfig", "CreateSchedule", "CreateEndpoint"]


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, tiny_pair: HfFolders
) -> Iterator[Vllm]:
    run = hosted_run(tmp_path_factory.mktemp("served") / "run", tiny_pair)
    with vllm_server(run) as server:
        yield server


@pytest.fixture
def vllm(server: Vllm, cloud: Cloud) -> Iterator[Vllm]:
    """What answers on the fake's endpoints, on the fake's clock."""
    cloud.fake.container = server.url
    server.asked.clear()
    server.forgets_adapter, server.fails = False, ""
    with on_the_fakes_clock(cloud):
        yield server


@pytest.fixture
def run(tmp_path: Path, tiny_pair: HfFolders) -> Path:
    return hosted_run(tmp_path / "run", tiny_pair)


def standing(cloud: Cloud) -> list[str]:
    fake = cloud.fake
    return [*fake.endpoints, *fake.endpoint_configs, *fake.models, *fake.schedules]


def created(cloud: Cloud) -> list[str]:
    return [name for name, _ in cloud.fake.calls if name in CREATES]


def test_the_end_stands_before_the_endpoint_and_comes_at_its_time(
    vllm: Vllm, cloud: Cloud, run: Path
) -> None:
    began = cloud.fake.clock
    found = deploy(run)
    assert created(cloud) == CREATES
    assert found["told_apart"] in ("words", "likelihoods")
    assert set(cloud.fake.endpoints) == {found["endpoint"]}
    until = found["until"]
    assert until == pytest.approx(began + HOURS * 3600, abs=60)
    cloud.fake.turn(until - cloud.fake.clock - 1)
    assert cloud.fake.endpoints
    cloud.fake.turn(2)
    assert not cloud.fake.endpoints and not cloud.fake.schedules


def test_what_is_made_is_closed_marked_and_named_by_the_run(
    vllm: Vllm, cloud: Cloud, run: Path
) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/one"
    own = ["--subnet", "subnet-1", "--security-group", "sg-1", "--kms-key", key]
    name = deploy(run, *own, "--tag", "owner=us")["endpoint"]
    model = cloud.fake.models[name]
    assert model["EnableNetworkIsolation"] is True
    assert model["VpcConfig"] == {
        "Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"],
    }  # fmt: skip
    assert {"Key": "owner", "Value": "us"} in model["Tags"]
    assert "medassist:run" in {tag["Key"] for tag in model["Tags"]}
    settings = model["PrimaryContainer"]["Environment"]
    assert settings["SM_VLLM_MAX_LORA_RANK"] == "8"
    assert settings["SM_VLLM_MAX_MODEL_LEN"] == "256"
    assert json.loads(settings["SM_VLLM_LORA_MODULES"])["name"] == "tuned"
    (variant,) = cloud.fake.endpoint_configs[name]["ProductionVariants"]
    assert variant["InferenceAmiVersion"].endswith("gpu-4-1")
    # Its own disk takes neither a volume nor a key for one.
    assert "VolumeSizeInGB" not in variant
    assert "KmsKeyId" not in cloud.fake.endpoint_configs[name]
    assert "DataCaptureConfig" not in cloud.fake.endpoint_configs[name]


def test_the_engine_is_set_by_the_instance(run: Path) -> None:
    served = vllm_engine.subject(RunFolder(run), SubjectWish())
    old = served.environment(instance("ml.g4dn.xlarge"))
    assert old["SM_VLLM_DTYPE"] == "half"  # which knows no bfloat16
    several = served.environment(instance("ml.g5.12xlarge"))
    assert several["SM_VLLM_TENSOR_PARALLEL_SIZE"] == "4"
    assert several["SM_VLLM_DTYPE"] == "bfloat16"
    whole = 4 * instance("ml.g5.2xlarge").gpu_memory * 2**20
    assert served.available(instance("ml.g5.12xlarge")) == int(0.9 * whole)


def test_the_place_of_the_base_on_this_computer_does_not_leave(
    vllm: Vllm, cloud: Cloud, run: Path, aws: Aws
) -> None:
    name = deploy(run)["endpoint"]
    source = cloud.fake.models[name]["PrimaryContainer"]
    address = source["AdditionalModelDataSources"][0]["S3DataSource"]["S3Uri"]
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    body = aws.client("s3").get_object(
        Bucket=bucket, Key=f"{prefix}adapter_config.json"
    )["Body"]
    assert str(run.parent) not in body.read().decode()


def test_price_and_worst_cost_are_told_and_asked_before_anything_is_made(
    vllm: Vllm, cloud: Cloud, run: Path
) -> None:
    roles = ["--role", ROLE, "--schedule-role", SCHEDULE]
    done = call("deploy", str(run), "--hours", "2", *roles, code=1, answers="n\n")
    assert "$1.515 an hour for hosting on ml.g5.2xlarge" in done.output
    assert "2 h, at worst $3.41 of $25.00" in done.output
    assert "us-east-1 (United States)" in done.output
    assert not created(cloud) and read_ledger(run) is None


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--budget", "3"), "over the budget of $3.00: 1.7 hours would do"),
        (("--budget", "1"), "a cheaper instance would do"),
        (("--instance", "ml.m5.xlarge"), "has no GPU"),
        (("--instance", "ml.g5.2xlrge"), "did you mean ml.g5.2xlarge"),
        (("--instance", "ml.g6.xlarge"), "no quota 'ml.g6.xlarge for endpoint usage'"),
        (("--role", ""), "name its ARN by --role"),
        (("--schedule-role", ""), "no endpoint is put up without its end"),
        (("--role", "me"), "nothing was sent"),
        (("--base-from", "/nowhere"), "--base-from s3://"),
        (("--region", "eu-nowhere-1"), "there is no region eu-nowhere-1"),
        (("--engine", "llama-cpp"), "base-*.gguf is not there"),
    ],
)
def test_what_cannot_be_is_a_sentence_before_anything_is_made(
    vllm: Vllm, cloud: Cloud, run: Path, more: tuple[str, ...], sentence: str
) -> None:
    assert sentence in refused(*words(run, *more))
    assert not created(cloud) and not cloud.fake.endpoints


def test_what_this_computer_can_tell_is_told_before_an_account_is_asked_for(
    no_account: Path, run: Path, tmp_path: Path
) -> None:
    missing, other = tmp_path / "nowhere", tmp_path / "other"
    other.mkdir()
    assert f"{missing} is not there" in refused(*words(missing))
    assert f"{other} holds no recipe.yaml" in refused(*words(other))
    assert "name its ARN by --role" in refused(*words(run, "--role", ""))
    assert "no run folder and no recipe" in refused(
        "train", str(missing), "--role", ROLE
    )
    assert "no region" in refused(*words(run))


def test_a_bucket_that_can_be_opened_to_the_public_is_refused(
    vllm: Vllm, cloud: Cloud, run: Path, aws: Aws
) -> None:
    aws.client("s3").create_bucket(Bucket="open")
    told = refused(*words(run, "--bucket", "open"))
    assert "the bucket open can be opened to the public" in told
    assert not created(cloud)


@pytest.mark.parametrize("hours", [0.0, -1.0, 0.4, 73.0, float("inf"), float("nan")])
def test_hours_are_bounded(vllm: Vllm, cloud: Cloud, run: Path, hours: float) -> None:
    assert "from 0.5 to 72" in refused(*words(run, hours=hours))


def test_a_quota_of_none_and_two_prices_refuse(
    vllm: Vllm, cloud: Cloud, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.fake.quotas["ml.g5.2xlarge for endpoint usage"] = 0.0
    assert "--desired-value 1" in refused(*words(run))
    cloud.fake.quotas["ml.g5.2xlarge for endpoint usage"] = 1.0
    cloud.fake.prices.append(price("ml.g5.2xlarge", "Hosting", "9.9"))
    monkeypatch.setattr("finetune.sagemaker.price.from_table", lambda *_: None)
    assert "no budget can be kept" in refused(*words(run))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"use_dora": True}, "is a DoRA"),
        ({"alora_invocation_tokens": [3]}, "an activated LoRA"),
        ({"r": 600}, "the rank 600"),
        ({"modules_to_save": ["lm_head"]}, "more than a LoRA"),
    ],
)
def test_an_adapter_that_vllm_cannot_serve_is_refused(
    vllm: Vllm, run: Path, change: dict[str, object], sentence: str
) -> None:
    file = run / "adapter/adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | change), "utf-8")
    assert sentence in refused(*words(run))


def test_a_second_endpoint_of_a_run_is_refused(vllm: Vllm, run: Path) -> None:
    name = deploy(run)["endpoint"]
    assert f"has the endpoint {name} already" in refused(*words(run))


def test_an_endpoint_whose_tuned_side_is_the_base_is_taken_down_and_told(
    vllm: Vllm, cloud: Cloud, run: Path
) -> None:
    vllm.forgets_adapter = True
    told = refused(*words(run))
    assert "the adapter is not at work" in told
    assert "Nothing of it costs by the hour any more" in told
    assert standing(cloud) == []


def test_an_endpoint_that_fails_or_never_comes_up_is_taken_down_and_told(
    vllm: Vllm, cloud: Cloud, run: Path
) -> None:
    cloud.fake.endpoint_failure = (
        "The primary container for production variant only did not pass the ping "
        "health check."
    )
    told = refused(*words(run))
    assert "did not pass the ping health check" in told and "too little memory" in told
    assert standing(cloud) == []
    cloud.fake.endpoint_failure, cloud.fake.stuck = "", True
    told = refused(*words(run, hours=1))
    assert "did not come up within 60 minutes" in told
    # AWS deletes none that is still coming up: the schedule stays until it can.
    assert "may still be there and cost" in told and "an endpoint still stands" in told
    assert list(cloud.fake.schedules) == list(cloud.fake.endpoints) != []
    cloud.fake.stuck = False
    cloud.fake.turn(60)
    assert not cloud.fake.endpoints


@pytest.mark.parametrize(
    ("operation", "code", "sentence"),
    [
        ("CreateSchedule", "AccessDeniedException", "without which none is put up"),
        ("CreateEndpoint", "ResourceLimitExceeded", "a quota of the account"),
        ("CreateModel", "AccessDeniedException", "make the model"),
    ],
)
def test_a_refusal_on_the_way_leaves_nothing_behind(
    vllm: Vllm, cloud: Cloud, run: Path, operation: str, code: str, sentence: str
) -> None:
    service = "scheduler" if operation == "CreateSchedule" else "sagemaker"
    cloud.fake.fail[service, operation] = (code, "no")
    told = refused(*words(run))
    assert sentence in told
    assert standing(cloud) == []
    if operation != "CreateEndpoint":
        assert "CreateEndpoint" not in created(cloud)


@pytest.mark.parametrize("operation", CREATES)
def test_a_lost_answer_is_no_second_thing(
    vllm: Vllm, cloud: Cloud, run: Path, operation: str
) -> None:
    service = "scheduler" if operation == "CreateSchedule" else "sagemaker"
    cloud.fake.drop.add((service, operation))
    name = deploy(run)["endpoint"]
    assert standing(cloud) == [name] * 4


def test_a_connection_or_an_answer_that_is_lost_for_a_while_is_waited_for(
    vllm: Vllm, cloud: Cloud, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = iter([True, True, False, True])
    real, say = cloud.fake.DescribeEndpoint, vllm.answer
    starting = iter([True, True])

    def describe(request: dict[str, str]) -> dict[str, object]:
        if next(lost, False):
            raise Refusal("ThrottlingException", "slow down")
        return real(request)

    def answer(body: dict[str, object]) -> tuple[int, bytes]:
        return (503, b"loading") if next(starting, False) else say(body)

    monkeypatch.setattr(cloud.fake, "DescribeEndpoint", describe)
    monkeypatch.setattr(vllm, "answer", answer)
    assert deploy(run)["endpoint"] in cloud.fake.endpoints


def test_a_schedule_that_is_another_than_asked_for_lets_no_endpoint_up(
    vllm: Vllm, cloud: Cloud, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = cloud.fake.GetSchedule
    monkeypatch.setattr(
        cloud.fake, "GetSchedule", lambda r: real(r) | {"State": "DISABLED"}
    )
    assert "so no endpoint is put up" in refused(*words(run))
    assert "CreateEndpoint" not in created(cloud)
    assert standing(cloud) == []


class Killed(BaseException):
    pass


@pytest.mark.parametrize("arrived", [True, False])
@pytest.mark.parametrize("killed_at", CREATES)
def test_a_kill_at_each_create_leaves_what_teardown_needs(
    vllm: Vllm,
    cloud: Cloud,
    run: Path,
    aws: Aws,
    monkeypatch: pytest.MonkeyPatch,
    killed_at: str,
    arrived: bool,
) -> None:
    ask = work._ask  # pyright: ignore[reportPrivateUsage]
    wanted = {
        "CreateModel": "the model",
        "CreateEndpointConfig": "configuration",
        "CreateSchedule": "the schedule",
        "CreateEndpoint": "put up the",
    }

    def killed(doing: str, request: work.Request) -> None:
        if wanted[killed_at] in doing.partition(", without")[0]:
            if arrived:
                ask(doing, request)
            raise Killed
        ask(doing, request)

    monkeypatch.setattr(work, "_ask", killed)
    with pytest.raises(Killed):
        call(*words(run), code=99)
    # Another process: it knows what is on the disk.
    books = open_books(run, aws.account, aws.region, lambda: cloud.fake.clock)
    taken = take_down(aws, books, How(data=True, sleep=cloud.fake.turn))
    assert not taken.failed, told_steps(taken)
    assert standing(cloud) == []
    assert (
        not aws.client("s3")
        .list_objects_v2(
            Bucket=f"medassist-{aws.account}-{aws.region}", Prefix="medassist/runs/"
        )
        .get("Contents")
    )


@pytest.mark.parametrize("at", ["an upload", "the wait"])
def test_ctrl_c_says_what_still_runs_and_costs(
    vllm: Vllm, cloud: Cloud, run: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(work, "upload" if at == "an upload" else "wait", pressed)
    done = call(*words(run), code=1)
    assert isinstance(done.exception, BrokenOff) and done.exception.exit_code == 130
    told = str(done.exception)
    assert f"teardown {run}" in told
    if at == "an upload":
        assert "nothing costs by the hour" in told and not cloud.fake.endpoints
    else:
        assert "at $1.52 an hour; its schedule deletes it at 2027-01-15 1" in told


def test_endpoint_hours_are_counted(
    vllm: Vllm, cloud: Cloud, run: Path, aws: Aws
) -> None:
    name = deploy(run)["endpoint"]
    asked_at = cloud.fake.endpoints[name]["created"]
    cloud.fake.turn(asked_at + 3600 - cloud.fake.clock)

    def line() -> tuple[float, float, str]:
        ledger = read_ledger(run)
        assert ledger is not None
        found = costs(aws, ledger, cloud.fake.clock)
        (mine,) = [each for each in found.lines if each.what == f"endpoint {name}"]
        return float(mine.dollars), float(mine.at_worst), mine.told

    dollars, worst, told = line()
    assert dollars == pytest.approx(1.515, abs=0.01)
    assert worst == pytest.approx(1.515 * (HOURS + 0.25), abs=0.01)
    assert "it is there" in told
    # One that its schedule has not deleted goes on costing, and that is told.
    cloud.fake.schedules.clear()
    cloud.fake.turn(3 * 3600)
    dollars, _, told = line()
    assert dollars == pytest.approx(1.515 * 4, abs=0.01)
    assert "should have deleted it" in told
    call("teardown", str(run), "--yes")
    cloud.fake.turn(7200)
    assert line()[0] == pytest.approx(1.515 * 4, abs=0.01)
    ledger = read_ledger(run)
    assert ledger is not None and float(ledger.spent) == pytest.approx(6.06, abs=0.02)


def test_the_next_endpoint_counts_the_one_before(
    vllm: Vllm, cloud: Cloud, run: Path
) -> None:
    deploy(run)
    cloud.fake.turn(HOURS * 3600)  # its schedule has deleted it
    assert "of which $3.0" in refused(*words(run, "--budget", "6"))
    assert deploy(run, "--budget", "7")["endpoint"] in cloud.fake.endpoints


def test_an_endpoint_that_comes_up_is_waited_for_before_it_is_deleted(
    vllm: Vllm, cloud: Cloud, run: Path, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "wait", lambda *_: (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
        call(*words(run), code=99)
    books = open_books(run, aws.account, aws.region)
    taken = take_down(aws, books, How(sleep=cloud.fake.turn))
    assert not taken.failed and standing(cloud) == []
