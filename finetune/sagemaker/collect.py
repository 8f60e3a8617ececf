"""Fetches from S3 into the run folder: adapter, training.json, metrics, checkpoint.

Afterwards the run folder is one that was trained here: it is evaluated, reported and
converted as any other, and a training goes on in it.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.errors import FinetuneError
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.container import keeping
from finetune.sagemaker.errors import SageMakerError, told
from finetune.sagemaker.watch import checkpoints, objects, split_uri
from finetune.train.result import read_training
from finetune.train.training_folder import TrainingRun
from medassist.core.files import SHARED_FILE, give_name, sha256_of_file, write_whole
from medassist.core.progress import Watcher, unwatched
from medassist.core.run_folder import (
    ADAPTER,
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    METRICS,
    RECIPE,
    TRAINING,
)
from medassist.core.unpacked import is_gguf

LARGEST_PAPER = 64 * 2**20
"""Bytes of a file other than tensors: what is larger was not written by a job."""


@dataclass(frozen=True)
class FetchedJob:
    """Files that were fetched of a job."""

    run: str
    files: tuple[str, ...]
    bytes: int
    checkpoint: int | None
    """Its step, where one was fetched."""
    finished: bool
    """Whether there is a training.json, which a job that was killed has not."""


def fetch_result(
    aws: Aws, job: dict[str, Any], run: TrainingRun, watcher: Watcher = unwatched
) -> FetchedJob:
    """Put a job's adapter and its account into the run folder, whole or not at all.

    Args:
        aws: the account.
        job: as DescribeTrainingJob gives it.
        run: the run folder that it is of.
        watcher: is told how many bytes have come.

    Raises:
        SageMakerError: there is no adapter (yet), or it is not the one of this run.
    """
    uri = model_uri(job)
    half = run.root / ".fetched.half"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    try:
        names = _download(aws, uri, half, watcher)
        if not (half / ADAPTER / ADAPTER_WEIGHTS).is_file():
            raise SageMakerError(
                f"{uri} holds no adapter: {_no_adapter(job)}. `fetch --checkpoint` "
                "takes the newest checkpoint, if one is kept"
            )
        _check(half, run)
        _name_base(half / ADAPTER, run)
        size = sum(f.stat().st_size for f in half.rglob("*") if f.is_file())
        finished = (half / TRAINING).is_file()
        if run.adapter.exists():
            shutil.rmtree(run.adapter)
        give_name(half / ADAPTER, run.adapter)
        for name in (METRICS, TRAINING):  # who reads training.json finds the rest
            if (half / name).is_file():
                give_name(half / name, run.root / name)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return FetchedJob(str(run.root), names, size, None, finished)


def fetch_checkpoint(
    aws: Aws, job: dict[str, Any], run: TrainingRun, watcher: Watcher = unwatched
) -> FetchedJob:
    """Put the newest whole checkpoint, and the best one, into the run folder.

    Raises:
        SageMakerError: none is kept, or it is of another recipe.
    """
    uri = job["CheckpointConfig"]["S3Uri"]
    found = checkpoints(aws, uri)
    if not found:
        raise SageMakerError(
            f"{uri} holds no whole checkpoint yet; the first comes with the first "
            "validation, or after train.checkpoint_minutes"
        )
    bucket, prefix = split_uri(uri)
    half = run.root / ".fetched.half"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    try:
        for kept in found:
            folder = half / kept.prefix.removeprefix(prefix)
            _download(aws, f"s3://{bucket}/{kept.prefix}", folder, watcher)
        whole = keeping.usable(half)
        if not whole:
            raise SageMakerError(
                f"the checkpoints in {uri} changed while they were fetched; call it "
                "again"
            )
        _check_recipe(whole[-1].folder / keeping.STATE, run)
        run.checkpoints.mkdir(exist_ok=True)
        size = 0
        for each in whole:
            (each.folder / keeping.MARKER).unlink()
            size += sum(f.stat().st_size for f in each.folder.iterdir())
            to = run.checkpoints / each.folder.name
            shutil.rmtree(to, ignore_errors=True)
            give_name(each.folder, to)
        for other in run.checkpoints.glob("step-*"):
            if other.name > whole[-1].folder.name:
                shutil.rmtree(other)  # of an earlier try, further on another way
        key = prefix + METRICS
        if any(each["Key"] == key for each in objects(aws, uri)):
            _one(aws, bucket, key, half / METRICS)
            give_name(half / METRICS, run.root / METRICS)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    names = tuple(each.folder.name for each in whole)
    return FetchedJob(str(run.root), names, size, whole[-1].step, finished=False)


def model_uri(job: dict[str, Any]) -> str:
    """Address in S3 of a job's model folder, there already or not."""
    said = job.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    if said:
        return str(said)
    output = job["OutputDataConfig"]["S3OutputPath"].rstrip("/")
    return f"{output}/{job['TrainingJobName']}/output/model/"


def _no_adapter(job: dict[str, Any]) -> str:
    state = job["TrainingJobStatus"]
    if state in ("InProgress", "Stopping"):
        return f"the job is not done ({state}); `stop` ends it with an adapter"
    return f"the job has ended ({state}) without one"


def _download(aws: Aws, uri: str, folder: Path, watcher: Watcher) -> tuple[str, ...]:
    bucket, prefix = split_uri(uri)
    found = objects(aws, uri)
    total, done = sum(int(each["Size"]) for each in found), 0
    names: list[str] = []
    for each in found:
        path = str(each["Key"]).removeprefix(prefix)
        to = _inside(folder, path)
        if to is None:
            continue
        tensors = to.suffix == ".safetensors"
        if not tensors and int(each["Size"]) > LARGEST_PAPER:
            raise SageMakerError(
                f"s3://{bucket}/{each['Key']} has {each['Size']:,} bytes; it was not "
                "written by a job"
            )
        _one(aws, bucket, each["Key"], to)
        names.append(path)
        done += int(each["Size"])
        watcher("fetching", done, total)
    return tuple(names)


def _inside(folder: Path, path: str) -> Path | None:
    """The file that an object becomes; None for what cannot be one of a result."""
    parts = path.split("/")
    if not path or path.endswith("/") or any(p in ("", ".", "..") for p in parts):
        return None
    if len(parts) > 2 or "\\" in path or "\0" in path:
        return None
    return folder.joinpath(*parts)


def _one(aws: Aws, bucket: str, key: str, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    with told(f"fetch s3://{bucket}/{key}"), to.open("wb") as out:
        body = aws.client("s3").get_object(
            Bucket=bucket, Key=key, ExpectedBucketOwner=aws.account
        )["Body"]
        for part in body.iter_chunks(2**20):
            out.write(part)


def _check(half: Path, run: TrainingRun) -> None:
    """Check that what was fetched is this run's, and whole."""
    recipe = half / RECIPE
    if recipe.is_file() and recipe.read_text("utf-8") != run.recipe_file.read_text(
        "utf-8"
    ):
        raise SageMakerError(
            f"{run.recipe_file} was changed since the job began; put it back, or fetch "
            "into a folder of the old recipe"
        )
    if not (half / TRAINING).is_file():
        return
    try:
        result = read_training(half)
    except FinetuneError as error:
        raise SageMakerError(f"the job left a broken training.json: {error}") from error
    if sha256_of_file(half / ADAPTER / ADAPTER_WEIGHTS) != result.adapter_sha256:
        raise SageMakerError(
            "the adapter that has come is not the one that was trained (its SHA-256 "
            "is another); call it again"
        )


def _check_recipe(state: Path, run: TrainingRun) -> None:
    said = json.loads(state.read_text("utf-8")).get("recipe_sha256")
    if said != run.recipe_sha256:
        raise SageMakerError(
            f"{run.recipe_file} was changed since the job began, so that its "
            "checkpoints do not fit; put it back"
        )


def _name_base(adapter: Path, run: TrainingRun) -> None:
    """Write the path of the base on this computer in place of the container's."""
    file = adapter / ADAPTER_CONFIG
    config = json.loads(file.read_text("utf-8"))
    base = run.recipe.base
    folder = Path(base).expanduser()
    if folder.is_dir() or is_gguf(base):
        base = str(folder.resolve())
    config["base_model_name_or_path"] = base
    write_whole(file, json.dumps(config, indent=2, sort_keys=True), SHARED_FILE)
