"""Resumes a training in a job: its checkpoints are sent beforehand.

They lie in a run folder of this computer: the run's own, trained here so far, or
another one's of the same recipe. Those of a job are fetched first.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.channel import ChannelFile
from finetune.sagemaker.container import keeping
from finetune.sagemaker.errors import SageMakerError, told
from finetune.sagemaker.upload import put
from finetune.sagemaker.watch import checkpoints, split_uri
from finetune.train.training_folder import TrainingRun, check_resumed
from medassist.core.files import sha256_of_file
from medassist.core.progress import Watcher, unwatched
from medassist.core.run_folder import METRICS, RunFolder
from medassist.core.words import size


@dataclass(frozen=True)
class ResumePoint:
    """The checkpoints that a job goes on with."""

    step: int
    root: Path
    pieces: tuple[ChannelFile, ...]
    """By their paths under the job's checkpoints; each marker after what it marks."""

    @property
    def told(self) -> str:
        """Lists what is sent of it, for the user."""
        total = size(sum(piece.size for piece in self.pieces))
        return (
            f"  start {total:>9}  the checkpoint of step {self.step:,} of {self.root}"
        )


@contextmanager
def found_in(root: Path, run: TrainingRun) -> Generator[ResumePoint]:
    """The newest checkpoint of the run folder `root`, and the best one.

    Args:
        root: the run folder that was trained in; `run`'s own may be meant.
        run: the run that goes on.

    Raises:
        FinetuneError: there is none, or it is of another recipe.
    """
    folder = RunFolder(root)
    there = keeping.in_folder(folder.checkpoints)
    if not there:
        raise SageMakerError(
            f"{folder.checkpoints} holds no checkpoint to go on from; `medassist "
            f"finetune sagemaker fetch {root} --checkpoint` brings the newest one of a "
            "job"
        )
    newest, best = there[-1], keeping.best_of(there)
    check_resumed(run, newest.folder)
    with tempfile.TemporaryDirectory() as marks:
        pieces = _marked(newest.folder, Path(marks))
        if best is not None and best.step != newest.step:
            pieces = _marked(best.folder, Path(marks)) + pieces
        tokenizer = folder.checkpoints / keeping.TOKENIZER
        if tokenizer.is_dir():
            pieces += _pieces(tokenizer, keeping.TOKENIZER)
        metrics = root / METRICS
        if metrics.is_file():
            pieces.append(_piece(metrics, METRICS))
        yield ResumePoint(newest.step, root, tuple(pieces))


def send(
    aws: Aws,
    before: ResumePoint,
    uri: str,
    *,
    kms_key: str | None = None,
    watcher: Watcher = unwatched,
) -> int:
    """Put the checkpoints where the job looks for its own.

    Args:
        aws: the account.
        before: what is sent.
        uri: the job's checkpoints in S3.
        kms_key: encrypts what is sent; None: as the bucket has it.
        watcher: is told how many bytes are there.

    Returns:
        The bytes that were sent.

    Raises:
        SageMakerError: jobs of this run are further already, or it broke off; then
            nothing that is there counts as a checkpoint.
    """
    further = [kept for kept in checkpoints(aws, uri) if kept.step > before.step]
    if further:
        raise SageMakerError(
            f"the jobs of this run have come to step {further[-1].step:,}, which is "
            f"further than step {before.step:,} of {before.root}; leave out "
            "--resume-from to go on from there, or name another folder by --out"
        )
    s3, (bucket, prefix) = aws.client("s3"), split_uri(uri)
    owned = {"Bucket": bucket, "ExpectedBucketOwner": aws.account}
    sent, total = 0, sum(piece.size for piece in before.pieces)
    with told(f"send the checkpoint of {before.root}"):
        for piece in before.pieces:
            if piece.path.endswith(f"/{keeping.MARKER}"):
                s3.delete_object(**owned, Key=prefix + piece.path)
        for piece in before.pieces:
            watcher("sending start", sent, total)
            sent += put(
                s3, {**owned, "Key": prefix + piece.path}, piece, kms_key=kms_key
            )
    watcher("sending start", sent, total)
    return sent


def _marked(checkpoint: Path, marks: Path) -> list[ChannelFile]:
    """A checkpoint as a job keeps it: its files, and then the marker of their sizes."""
    pieces = _pieces(checkpoint, checkpoint.name)
    marker = marks / f"{checkpoint.name}.json"
    sizes = {Path(piece.path).name: piece.size for piece in pieces}
    marker.write_text(json.dumps(sizes), "utf-8")
    return [*pieces, _piece(marker, f"{checkpoint.name}/{keeping.MARKER}")]


def _pieces(folder: Path, under: str) -> list[ChannelFile]:
    return [
        _piece(file, f"{under}/{file.name}")
        for file in sorted(folder.iterdir())
        if file.is_file()
    ]


def _piece(file: Path, path: str) -> ChannelFile:
    return ChannelFile(path, file, file.stat().st_size, sha256_of_file(file))
