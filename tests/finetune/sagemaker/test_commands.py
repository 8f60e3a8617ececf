"""The commands as their user has them: what they print, ask and end with."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from finetune.commands import app
from finetune.commands.sagemaker.logs import going_on
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.resource_ledger import open_books
from finetune.sagemaker.start import BrokenOff
from tests.finetune.sagemaker.conftest import Cloud
from tests.finetune.sagemaker.fake_words import arn
from tests.finetune.sagemaker.test_fake import request
from tests.finetune.sagemaker.test_training_plan import prepared

ROOT = Path(__file__).parents[3]
LLAMA = "llama2-7b-qlora-24gb"


def call(*words: object, answer: str = "") -> Result:
    return CliRunner().invoke(
        app, ["sagemaker", *(str(word) for word in words)], input=answer
    )


def plan(run: Path, *more: object) -> Result:
    asked = ["--out", run, "--tokens", 32_000_000, "--base-from", "s3://ours/llama"]
    return call("plan", LLAMA, *asked, *more)


def test_plan_ends_with_0_where_nothing_stands_in_the_way(
    cloud: Cloud, tmp_path: Path
) -> None:
    run = prepared(tmp_path / "run")
    good = plan(run)
    assert (good.exit_code, good.exception) == (0, None)
    assert "Nothing stands in the way" in good.output
    little = plan(run, "--budget", "5")
    assert little.exit_code == 1
    assert "Refused:" in little.output


def test_plan_gives_a_program_what_it_needs(cloud: Cloud, tmp_path: Path) -> None:
    result = plan(prepared(tmp_path / "run"), "--json")
    found = json.loads(result.stdout)
    assert found["reasons"] == []
    assert found["fits"] is True
    assert float(found["price"]["dollars"]) == 1.515
    assert found["quota"]["value"] == 1
    assert found["seconds"]["orderly"] < found["seconds"]["runtime"]
    assert found["seconds"]["runtime"] < found["seconds"]["hard"]
    assert float(found["cost"]["worst"]) <= 25


def test_plan_asks_nobody_offline(no_account: Path, tmp_path: Path) -> None:
    run = prepared(tmp_path / "run")
    result = plan(run, "--offline", "--region", "us-east-1")
    assert result.exit_code == 0
    assert "2026-08-20" in result.output
    without = plan(run, "--offline")
    assert "no region is configured" in str(without.exception)


def test_the_policies_are_shown_and_nothing_is_made(cloud: Cloud, aws: Aws) -> None:
    result = call("role", "--bucket", "ours", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert set(found) == {"training", "hosting", "schedule", "caller"}
    assert set(found["hosting"]) == {"name", "trust", "policy"}
    assert call("role", "--bucket", "ours", "--print").exit_code == 0
    assert aws.client("iam").list_roles()["Roles"] == []


def test_a_role_is_made_after_a_yes_alone(
    cloud: Cloud, aws: Aws, tmp_path: Path
) -> None:
    no = call("role", "--bucket", "ours", "--create", answer="n\n")
    assert no.exit_code == 1
    assert aws.client("iam").list_roles()["Roles"] == []
    yes = call("role", "--bucket", "ours", "--create", "--run", tmp_path, answer="y\n")
    assert yes.exit_code == 0
    for name in ("", "-hosting", "-schedule"):
        arn = f"arn:aws:iam::123456789012:role/medassist-sagemaker{name}  ("
        assert arn in yes.stdout
    away = call("teardown", tmp_path, "--yes")
    assert away.exit_code == 0
    assert aws.client("iam").list_roles()["Roles"] == []


def test_a_run_that_nothing_was_made_for_has_no_teardown(
    cloud: Cloud, tmp_path: Path
) -> None:
    for verb in ("teardown", "cost"):
        result = call(verb, tmp_path)
        assert isinstance(result.exception, SageMakerError)
        assert "nothing was made" in str(result.exception)


def test_teardown_ends_with_1_where_something_may_be_left(
    cloud: Cloud, aws: Aws, tmp_path: Path
) -> None:
    aws.client("sagemaker").create_training_job(**request("job-1"))
    cloud.fake.turn(2000)
    books = open_books(tmp_path, aws.account, aws.region)
    with books.making("training-job", "job-1"):
        pass
    cloud.fake.fail["sagemaker", "DescribeTrainingJob"] = (
        "AccessDeniedException",
        "no",
    )
    assert call("teardown", tmp_path, "--yes").exit_code == 1
    again = call("teardown", tmp_path, "--yes", "--json")
    assert again.exit_code == 0
    (step,) = json.loads(again.stdout)["steps"]
    assert step["why"] == "720 s billed"


def test_cost_takes_the_region_of_the_run(
    cloud: Cloud, aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_books(tmp_path, aws.account, "eu-central-1").making("role", "r"):
        pass
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    result = call("cost", tmp_path, "--json")
    assert (result.exit_code, result.exception) == (0, None)
    assert json.loads(result.stdout)["lines"] == []


def test_a_lost_ledger_is_no_hindrance_to_a_teardown(cloud: Cloud) -> None:
    fake = cloud.fake
    fake.endpoints["medassist-e"] = {"created": fake.clock}
    fake.endpoints["theirs"] = {"created": fake.clock}
    tag = {"Key": "medassist:run", "Value": "medassist/runs/one"}
    fake.tags[arn("endpoint", "medassist-e")] = [tag]
    shown = call("teardown", "--all", "--dry-run")
    assert "would be deleted endpoint medassist-e" in shown.stdout
    assert "left alone: endpoint theirs" in shown.stderr
    assert call("teardown", "--all", "--yes").exit_code == 0
    assert list(fake.endpoints) == ["theirs"]


@pytest.mark.parametrize("verb", ["cost", "teardown"])
def test_a_run_or_all_of_them_are_meant_and_never_both(
    cloud: Cloud, tmp_path: Path, verb: str
) -> None:
    assert call(verb).exit_code == 2
    assert call(verb, tmp_path, "--all").exit_code == 2


def test_cost_shows_what_runs_in_the_whole_region(cloud: Cloud) -> None:
    everything = call("cost", "--all")
    assert everything.exit_code == 0
    assert "notebook instance leftover" in everything.stdout


def test_the_real_program_has_a_sentence_for_who_has_no_account(
    no_account: Path, tmp_path: Path
) -> None:
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "medassist", "finetune", "sagemaker", "cost"),
            *("--all", "--region", "eu-central-1"),
        ],
        capture_output=True,
        text=True,
        env=dict(os.environ),
    )
    assert ended.returncode == 1
    assert "no AWS credentials were found" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_boto3_it_is_said_what_to_install(
    no_account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    result = call("cost", "--all")
    assert "pip install 'medassist[finetune,sagemaker]'" in str(result.exception)


def test_ctrl_c_while_following_says_that_the_job_goes_on(tmp_path: Path) -> None:
    with (
        pytest.raises(BrokenOff, match=r"job-1 goes on and costs.*stop") as stopped,
        going_on("job-1", tmp_path),
    ):
        raise KeyboardInterrupt
    assert stopped.value.exit_code == 130


def test_the_guide_names_verbs_and_options_that_there_are() -> None:
    (group,) = (
        command
        for name, command in typer.main.get_command(app).commands.items()  # pyright: ignore[reportAttributeAccessIssue]
        if name == "sagemaker"
    )
    known = {
        option
        for verb in group.commands.values()
        for parameter in verb.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    text = (ROOT / "docs/sagemaker.md").read_text("utf-8")
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    assert named - known == set()
    verbs = set(re.findall(r"medassist finetune sagemaker ([a-z]+)", text))
    assert verbs <= set(group.commands)
    # And the other way round: what a run needs to be started stands in the guide.
    asked = {o for p in group.commands["train"].params for o in p.opts if o[:2] == "--"}
    assert asked - named <= {"--yes", "--out"}
