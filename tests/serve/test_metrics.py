"""Counts and times for Prometheus, with no label from what somebody has sent."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.serve.serving import HEART, QUESTION, chat_body, said, served

LINE = re.compile(r'^medassist_[a-z_]+(\{([a-z_]+="[\w ]+",?)+\})? [0-9.e+-]+$')


async def test_requests_answers_tokens_and_times_are_counted() -> None:
    async with served(named=["anna"]) as server, server.http("anna") as client:
        for _ in range(2):
            await client.post("/v1/chat/completions", json=chat_body(text=HEART))
        await client.post("/v1/compare", json={"messages": said()})
        await client.get(f"/{QUESTION}")
        await client.get("/v1/models/base")
        assert (await client.get("/metrics", headers={"Authorization": ""})).is_error
        answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    values = [line for line in lines if not line.startswith("#")]
    assert all(LINE.match(line) for line in values), values
    for wanted in (
        'medassist_requests_total{route="chat",status="200"} 2.0',
        'medassist_requests_total{route="other",status="404"} 1.0',
        'medassist_requests_total{route="models",status="200"} 1.0',
        'medassist_answers_total{outcome="answered",route="chat"} 2.0',
        'medassist_answers_total{outcome="answered",route="compare"} 1.0',
        'medassist_tokens_total{kind="read",pane="tuned"} 6144.0',
        'medassist_tokens_total{kind="read",pane="base"} 2048.0',
        'medassist_ttft_seconds_count{pane="tuned"} 3.0',
        'medassist_ttft_seconds_sum{pane="tuned"} 0.75',
        'medassist_tokens_per_second{pane="tuned"} 20.0',
        "medassist_queue_seconds_count 3.0",
        "medassist_queue_length 0.0",
        "medassist_engine_up 1.0",
        "medassist_engine_restarts_total 0.0",
        "medassist_memory_bytes 1.234e+09",
    ):
        assert wanted in lines
    # Each family says its kind once, before its values.
    kinds = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(kinds) == len(set(kinds))
    for content in ("anna", "crushing", "asthma"):
        assert content not in answer.text


def test_no_variable_of_the_environment_has_counts_written_to_a_folder(
    tmp_path: Path,
) -> None:
    script = "from medassist.serve.metrics import Metrics; Metrics().answered('/', 200)"
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", script], check=True, env=env)
    assert [*tmp_path.iterdir()] == []
