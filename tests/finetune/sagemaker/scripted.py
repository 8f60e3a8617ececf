"""SageMaker's part in a job: channels, container, log, checkpoints, result.

It runs the very command of the request, in a folder that stands for /opt/ml, and moves
files between it and S3 as SageMaker does.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import boto3

from finetune.sagemaker.watch import LOGS, split_uri
from tests.finetune.sagemaker.fake import Job, Outcome
from tests.finetune.sagemaker.fake_words import REGION


class Trainer:
    """`fake.trainer`: does the jobs that are asked for, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.s3: Any = boto3.client("s3", REGION)
        self.logs: Any = boto3.client("logs", REGION)
        self.stop_at_line = ""
        """The test's own StopTrainingJob: as soon as a line begins so."""

    def __call__(self, job: Job) -> Outcome:
        ml = self.folder / job.name
        for channel in job.request["InputDataConfig"]:
            uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
            self.down(uri, ml / "input/data" / channel["ChannelName"])
        kept = job.request["CheckpointConfig"]["S3Uri"]
        self.down(kept, ml / "checkpoints")
        config = ml / "input/config"
        config.mkdir(parents=True)
        host = {"current_host": "algo-1", "hosts": ["algo-1"]}
        (config / "resourceconfig.json").write_text(json.dumps(host), "utf-8")
        code, lines = self.contain(job, ml)
        self.say(job.name, lines)
        self.up(ml / "checkpoints", kept)
        output = job.request["OutputDataConfig"]["S3OutputPath"]
        stopped = job.stop.is_set()
        if code == 0 or stopped:
            self.up(ml / "model", f"{output}/{job.name}/output/model")
        if stopped:
            return Outcome("Stopped", seconds=30)
        if code:
            why = (ml / "output/failure").read_text("utf-8")
            return Outcome("Failed", f"AlgorithmError: {why}, exit code: {code}")
        return Outcome(seconds=60, metrics={"loss": 1.0})

    def contain(self, job: Job, ml: Path) -> tuple[int, list[str]]:
        algorithm = job.request["AlgorithmSpecification"]
        shell, flag = algorithm["ContainerEntrypoint"]
        (words,) = algorithm["ContainerArguments"]
        words = words.replace("/opt/ml", shlex.quote(str(ml)))
        words = words.replace("python", shlex.quote(sys.executable), 1)
        own = {name: v for name, v in os.environ.items() if name != "PYTHONPATH"}
        own |= job.request["Environment"] | {
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "MEDASSIST_JOB_FOLDER": str(ml),
            "MEDASSIST_SCRATCH": str(ml.with_name(f"{job.name}-scratch")),
        }
        process = subprocess.Popen(
            [shell, flag, words],
            env=own,
            cwd=ml,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ended = threading.Event()

        def listen() -> None:
            while not ended.is_set():
                if job.stop.wait(0.1):
                    process.send_signal(signal.SIGTERM)
                    return

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        lines: list[str] = []
        for line in process.stdout or ():
            lines.append(line.rstrip("\n"))
            if self.stop_at_line and line.startswith(self.stop_at_line):
                job.stop.set()
        code = process.wait(300)
        ended.set()
        listener.join(10)
        return code, lines

    def say(self, job: str, lines: list[str]) -> None:
        stream = f"{job}/algo-1-1800000000"
        with contextlib.suppress(self.logs.exceptions.ResourceAlreadyExistsException):
            self.logs.create_log_group(logGroupName=LOGS)
        self.logs.create_log_stream(logGroupName=LOGS, logStreamName=stream)
        now = int(1000 * time.time())
        events = [{"timestamp": now, "message": line or " "} for line in lines]
        self.logs.put_log_events(
            logGroupName=LOGS, logStreamName=stream, logEvents=events
        )

    def down(self, uri: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        bucket, prefix = split_uri(uri)
        pages = self.s3.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=bucket, Prefix=prefix):
            for each in page.get("Contents", ()):
                to = folder / each["Key"].removeprefix(prefix)
                to.parent.mkdir(parents=True, exist_ok=True)
                self.s3.download_file(bucket, each["Key"], str(to))

    def up(self, folder: Path, uri: str) -> None:
        bucket, prefix = split_uri(uri)
        for file in sorted(f for f in folder.rglob("*") if f.is_file()):
            key = prefix + file.relative_to(folder).as_posix()
            self.s3.upload_file(str(file), bucket, key)
