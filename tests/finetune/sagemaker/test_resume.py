"""A job that begins with the checkpoint of another training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finetune.errors import FinetuneError
from finetune.recipe import parse_recipe
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.container import keeping
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.resume import found_in, send
from finetune.sagemaker.watch import checkpoints
from finetune.train.checkpoint import State, folder_of
from finetune.train.training_folder import TrainingRun

URI = "s3://ours/medassist/runs/one/checkpoints/abc"


@pytest.fixture
def run(tmp_path: Path) -> TrainingRun:
    recipe = parse_recipe({"name": "small", "base": "no/base"}, "the test's recipe")
    root = tmp_path / "run"
    root.mkdir()
    recipe.write(root / "recipe.yaml")
    return TrainingRun(root, recipe)


def checkpoint(run: TrainingRun, step: int, best: int, **changes: Any) -> Path:
    folder = folder_of(run.checkpoints, step)
    folder.mkdir(parents=True)
    fields = {
        "step": step, "recipe_sha256": run.recipe_sha256, "tokens": 10,
        "seconds": 1.0, "step_seconds": 1.0, "best_step": best, "groups": [],
        "scheduler": {},
    }  # fmt: skip
    state = State.model_validate({**fields, **changes})
    (folder / "state.json").write_text(state.model_dump_json(), "utf-8")
    for name in ("state", "adapter_model"):
        (folder / f"{name}.safetensors").write_bytes(bytes(step))
    (folder / "adapter_config.json").write_text("{}", "utf-8")
    return folder


def download(s3: Any, to: Path) -> Path:
    for each in s3.list_objects_v2(Bucket="ours")["Contents"]:
        file = to / each["Key"].removeprefix("medassist/runs/one/checkpoints/abc/")
        file.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file("ours", each["Key"], str(file))
    return to


def test_a_container_goes_on_from_what_was_sent(
    aws: Aws, s3: Any, run: TrainingRun, tmp_path: Path
) -> None:
    for step in (2, 4, 6):
        checkpoint(run, step, best=2)
    (run.checkpoints / keeping.TOKENIZER).mkdir()
    (run.checkpoints / keeping.TOKENIZER / "tokenizer.json").write_text("{}", "utf-8")
    (run.root / "metrics.jsonl").write_text('{"step":6}\n', "utf-8")
    s3.create_bucket(Bucket="ours")
    with found_in(run.root, run) as before:
        assert before.step == 6
        assert "the checkpoint of step 6" in before.told
        assert send(aws, before, URI) == sum(p.size for p in before.pieces)
        assert send(aws, before, URI) > 0  # again, and whole again
    assert [kept.step for kept in checkpoints(aws, URI)] == [2, 6]
    kept, other = download(s3, tmp_path / "kept"), tmp_path / "other"
    (other / "checkpoints").mkdir(parents=True)
    resumed = keeping.restore(kept, other)
    assert resumed is not None and resumed.step == 6
    assert (other / "metrics.jsonl").is_file()
    assert (other / "checkpoints/.tokenizer/tokenizer.json").is_file()


def test_an_upload_that_breaks_off_leaves_no_checkpoint(
    aws: Aws, s3: Any, run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint(run, 6, best=6)
    s3.create_bucket(Bucket="ours")
    with found_in(run.root, run) as before:
        send(aws, before, URI)
        real, seen = type(s3)._make_api_call, 0

        def die(self: Any, name: str, arguments: dict[str, Any]) -> Any:
            nonlocal seen
            seen += name == "PutObject"
            if seen == 2:
                raise KeyboardInterrupt
            return real(self, name, arguments)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr("botocore.client.BaseClient._make_api_call", die)
            send(aws, before, URI)
    assert checkpoints(aws, URI) == []


def test_jobs_that_are_further_are_not_thrown_back(
    aws: Aws, s3: Any, run: TrainingRun
) -> None:
    checkpoint(run, 6, best=6)
    s3.create_bucket(Bucket="ours")
    prefix = "medassist/runs/one/checkpoints/abc/step-0000008/"
    s3.put_object(Bucket="ours", Key=f"{prefix}state.json", Body=b"{}")
    marker = json.dumps({"state.json": 2}).encode()
    s3.put_object(Bucket="ours", Key=f"{prefix}whole.json", Body=marker)
    with (
        found_in(run.root, run) as before,
        pytest.raises(SageMakerError, match=r"come to step 8.*leave out --resume-from"),
    ):
        send(aws, before, URI)


def test_another_recipes_checkpoint_and_none_are_refused(run: TrainingRun) -> None:
    with pytest.raises(SageMakerError, match="--checkpoint"), found_in(run.root, run):
        raise AssertionError
    checkpoint(run, 6, best=6, recipe_sha256="0" * 64)
    with pytest.raises(FinetuneError, match="was changed"), found_in(run.root, run):
        raise AssertionError
