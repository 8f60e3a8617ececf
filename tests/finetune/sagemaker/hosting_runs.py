"""Run folders for endpoints, and the commands on the fakes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from finetune.commands import app
from finetune.sagemaker import bucket as buckets
from finetune.sagemaker.aws_session import Aws
from medassist.core.errors import MedassistError
from tests.convert.tiny_hf import HfFolders
from tests.finetune.evaluate.conftest import make_run
from tests.finetune.sagemaker.conftest import Cloud
from tests.finetune.sagemaker.fake import ACCOUNT

ROLE = f"arn:aws:iam::{ACCOUNT}:role/medassist-sagemaker-hosting"
SCHEDULE = f"arn:aws:iam::{ACCOUNT}:role/medassist-sagemaker-schedule"
HOURS = 2.0


def hosted_run(folder: Path, pair: HfFolders) -> Path:
    """A run folder with a plain adapter, a recipe and held-out data."""
    run = make_run(folder, pair)
    recipe = {
        "name": "small",
        "base": str(pair.base),
        "evaluate": {"generate": 3, "max_new_tokens": 8, "examples": False},
    }
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe), "utf-8")
    return run


def call(*words: str, code: int = 0, answers: str | None = None) -> Result:
    done = CliRunner().invoke(app, ["sagemaker", *words], input=answers)
    mistake = not isinstance(done.exception, SystemExit | MedassistError | None)
    if done.exception is not None and (mistake or not code):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def refused(*words: str) -> str:
    """The sentence by which a command ends."""
    done = CliRunner().invoke(app, ["sagemaker", *words])
    assert done.exit_code != 0, done.output
    return str(done.exception)


def deploy(run: Path, *more: str, hours: float = HOURS) -> dict[str, Any]:
    return json.loads(call(*words(run, *more, hours=hours)).stdout)


def words(run: Path, *more: str, hours: float = HOURS) -> list[str]:
    roles = ["--role", ROLE, "--schedule-role", SCHEDULE]
    return [
        "deploy", str(run), "--hours", str(hours), *roles, "--yes", "--json", *more,
    ]  # fmt: skip


@contextmanager
def on_the_fakes_clock(cloud: Cloud) -> Iterator[None]:
    """The program's time is the fake's, and waiting turns it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: cloud.fake.clock)
        patch.setattr(time, "sleep", cloud.fake.turn)
        # moto is spoken to without https, and would keep all of it out.
        patch.setattr(buckets, "_https_alone", _open_to_http)
        yield


def _open_to_http(aws: Aws, name: str) -> dict[str, Any]:
    arn = f"arn:aws:s3:::{name}"
    allowed = {"Effect": "Allow", "Principal": "*", "Action": "s3:*"}
    return {
        "Version": "2012-10-17",
        "Statement": [{**allowed, "Resource": [arn, f"{arn}/*"]}],
    }
