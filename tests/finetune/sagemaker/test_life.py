"""A whole life of a job on the fakes, by the real commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from finetune.commands import app
from finetune.commands.prepare import prepare
from finetune.sagemaker import bucket as buckets
from finetune.sagemaker import wheelhouse
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.resource_ledger import read_ledger
from finetune.train.result import read_training
from tests.finetune.sagemaker.conftest import Cloud
from tests.finetune.sagemaker.fake_words import ACCOUNT, REGION
from tests.finetune.sagemaker.scripted import Trainer
from tests.finetune.train.conftest import llama as llama

ROWS = """
- kind: value
  asks: ["What is a normal {what} {n}?"]
  says: ["A normal {what} {n} is five."]
  words:
    what: [heart, liver, skin, lung, knee, ear]
    n: ["1", "2", "3", "4", "5", "6", "7", "8"]
"""
STEPS = 200
BUCKET = f"medassist-{ACCOUNT}-{REGION}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/medassist-sagemaker"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, llama: Path) -> Path:
    """A prepared run, long enough to be stopped on its way, with its manifest."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "rows").mkdir()
    (folder / "rows/own.yaml").write_text(ROWS, "utf-8")
    recipe = {
        "name": "small",
        "base": str(llama),
        "data": {
            "sources": [{"name": "own-rows", "path": "rows", "licence": "CC0"}],
            "split": {"train": 0.6, "validation": 0.2, "test": 0.2},
        },
        "train": {
            "steps": STEPS, "rows": 2, "rows_at_once": 1, "max_length": 96,
            "packing": False, "rate": 0.01, "patience": None,
        },
        "evaluate": {"generate": 2, "max_new_tokens": 8},
    }  # fmt: skip
    file = folder / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe), "utf-8")
    prepare([str(file)], out=folder / "run")
    return folder


@pytest.fixture
def run(prepared: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(prepared / "run", tmp_path / "run"))


@pytest.fixture
def trainer(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Trainer]:
    """Jobs are done for real; of their packages only medassist's own is installed."""
    nothing = tmp_path / "packages.txt"
    nothing.write_text("", "utf-8")
    monkeypatch.setattr(wheelhouse, "LIST", nothing)
    # moto is spoken to without https, and would keep all of it out.
    monkeypatch.setattr(buckets, "_https_alone", _open_to_http)
    trainer = Trainer(tmp_path / "containers")
    cloud.fake.trainer = trainer
    yield trainer


def _open_to_http(aws: Aws, name: str) -> dict[str, Any]:
    arn = f"arn:aws:s3:::{name}"
    allowed = {"Effect": "Allow", "Principal": "*", "Action": "s3:*"}
    return {
        "Version": "2012-10-17",
        "Statement": [{**allowed, "Resource": [arn, f"{arn}/*"]}],
    }


def call(*words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(app, ["sagemaker", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def train(run: Path, recipe: Path, *more: str) -> dict[str, Any]:
    done = call(
        *("train", str(recipe), "--out", str(run), "--role", ROLE, "--yes", "--json"),
        *("--instance", "ml.m5.large", "--budget", "2", *more),
    )
    return json.loads(done.stdout)


def test_a_life_from_the_plan_to_the_teardown(
    cloud: Cloud, trainer: Trainer, run: Path, prepared: Path
) -> None:
    """One life of a run, since each job in it takes its time: stopped, gone on with."""
    recipe = prepared / "recipe.yaml"
    little = ("--instance", "ml.m5.large", "--budget", "2")
    shown = call("plan", str(recipe), "--out", str(run), *little).stdout
    assert "Nothing stands in the way" in shown

    trainer.stop_at_line = '{"step":6'
    first = train(run, recipe, "--experiment", "trials", "--alarm", "us@lab.example")
    job = cloud.fake.wait(first["job"])
    assert job.request["EnableNetworkIsolation"] is True
    assert not any(run.glob("adapter/*"))
    assert cloud.fake.experiments == {"trials"}
    assert len(cloud.fake.budgets) == 1
    shown = json.loads(call("status", str(run), "--json").stdout)
    assert shown["status"] == "Stopped"
    call("fetch", str(run))
    stopped = read_training(run)
    assert stopped.stopped_why == "asked"
    assert 6 <= stopped.steps < STEPS

    # The same command goes on from where it stopped, under what is left.
    trainer.stop_at_line = ""
    cloud.fake.turn(2)
    second = train(run, recipe, "--tag", "owner=us")
    assert second["checkpoints"] == first["checkpoints"]
    assert second["sent"] == 0
    assert second["limits"]["hard_s"] < first["limits"]["hard_s"]
    cloud.fake.wait(second["job"])
    followed = call("logs", str(run), "--follow").stdout
    assert f"goes on from step {stopped.steps}" in followed
    assert f'"step":{STEPS}' in followed
    assert "Completed" in followed
    shown = json.loads(call("status", str(run), "--json").stdout)
    assert shown["status"] == "Completed"
    assert shown["checkpoint_step"] == STEPS
    ledger = read_ledger(run)
    assert ledger is not None
    assert all(made.billed_s for made in ledger.of("training-job"))

    # From then on it is a run of this computer.
    call("fetch", str(run))
    assert read_training(run).stopped_why == "finished"
    assert read_training(run).steps == STEPS
    done = CliRunner().invoke(app, ["evaluate", str(run), "--json"])
    assert done.exit_code == 0, done.output
    assert (run / "evaluation.json").is_file()
    # Its base is named as it lies here, so that it can be converted.
    config = json.loads((run / "adapter/adapter_config.json").read_text("utf-8"))
    assert Path(config["base_model_name_or_path"]).is_dir()

    # The data of the test part never left.
    names = [
        each["Key"] for each in trainer.s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    ]
    assert any(name.endswith("data/train.jsonl") for name in names)
    assert not any(name.endswith("test.jsonl") for name in names)

    costs = json.loads(call("cost", str(run), "--json").stdout)
    assert sum(line["what"].startswith("job ") for line in costs["lines"]) == 2
    told = call("teardown", str(run), "--data", "--yes").stdout
    assert "deleted          trial" in told
    assert (cloud.fake.budgets, cloud.fake.trials) == ({}, {})
    assert "kept             experiment trials" in told
