"""`GET /metrics`: counts and times for Prometheus.

No label comes from what somebody has sent: routes, panes and outcomes are our own
words, and users do not appear. The counts are kept here and only written down by the
library, whose own ones would go to a folder that the environment names.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector
from starlette.responses import Response

from medassist.serve.desk import Desk
from medassist.serve.queue import QuestionReport

ROUTES: Final = {
    "/health": "health",
    "/metrics": "metrics",
    "/v1/models": "models",
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/responses": "responses",
    "/v1/compare": "compare",
    "/api/chat": "ollama",
    "/api/generate": "ollama",
    "/api/show": "ollama",
    "/api/tags": "ollama",
    "/api/version": "ollama",
}


@dataclass
class Total:
    """The sum of what was measured, and how often it was."""

    sum: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        self.sum += value
        self.count += 1


@dataclass
class Metrics:
    """What has been counted since the server was started."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    answers: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    tokens: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    waited: Total = field(default_factory=Total)
    ttft: dict[str, Total] = field(default_factory=lambda: defaultdict(Total))
    speed: dict[str, float] = field(default_factory=dict[str, float])
    started: float = field(default_factory=time.time)

    def answered(self, path: str, status: int) -> None:
        """A request was answered."""
        route = ROUTES.get(path) or ("models" if path.startswith("/v1/models/") else "")
        if path.startswith("/v1/compare/"):
            route = "compare"
        if path == "/" or path.startswith(("/page/", "/v1/page/")):
            route = "page"
        self.requests[route or "other", status] += 1

    def done(self, report: QuestionReport) -> None:
        """A question went through the queue."""
        self.answers[report.route, report.outcome] += 1
        self.waited.add(report.waited_s)
        for pane, figures in report.figures.items():
            self.tokens[pane, "read"] += figures.tokens_read
            self.tokens[pane, "reused"] += figures.tokens_reused
            self.tokens[pane, "written"] += figures.tokens_written
            if figures.ttft_s is not None:
                self.ttft[pane].add(figures.ttft_s)
            if figures.tok_per_s is not None:
                self.speed[pane] = figures.tok_per_s

    def families(self, desk: Desk) -> Iterator[Metric]:
        """Everything as it stands now."""
        yield _counter(
            "requests",
            "Requests, by route and status.",
            ("route", "status"),
            {(route, str(status)): n for (route, status), n in self.requests.items()},
        )
        yield _counter(
            "answers",
            "Questions that went through the queue, by how they ended.",
            ("route", "outcome"),
            self.answers,
        )
        yield _counter(
            "tokens",
            "Tokens read, taken from the cache, and written.",
            ("pane", "kind"),
            self.tokens,
        )
        waited = SummaryMetricFamily(
            "medassist_queue_seconds",
            "Waiting in the queue.",
            self.waited.count,
            self.waited.sum,
        )
        ttft = SummaryMetricFamily(
            "medassist_ttft_seconds",
            "From the beginning of the answer to its first token.",
            labels=["pane"],
        )
        for pane, total in self.ttft.items():
            ttft.add_metric([pane], total.count, total.sum)
        speed = _gauge("tokens_per_second", "Of the newest answer.", labels=["pane"])
        for pane, value in self.speed.items():
            speed.add_metric([pane], value)
        yield from (waited, ttft, speed)
        source = desk.source
        yield _gauge("queue_length", "Questions that wait.", desk.queue.length)
        yield _gauge("engine_up", "The models answer.", source.state == "ok")
        restarts = "Starts of the models' process after it ended."
        yield _counter("engine_restarts", restarts, (), {(): source.restarts})
        memory = source.memory()
        if memory is not None:
            yield _gauge("memory_bytes", "Memory of the models' process.", memory)
        yield _gauge("start_time_seconds", "Start of the server.", self.started)


def router(desk: Desk, metrics: Metrics) -> APIRouter:
    """The route."""
    routes = APIRouter()

    @routes.get("/metrics")
    async def show() -> Response:  # pyright: ignore[reportUnusedFunction]
        text = generate_latest(_Now(metrics, desk))
        return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return routes


@dataclass(frozen=True)
class _Now(Collector):
    """What the library asks for the families, each time that they are shown."""

    metrics: Metrics
    desk: Desk

    def collect(self) -> Iterator[Metric]:
        return self.metrics.families(self.desk)


def _counter(
    name: str,
    text: str,
    labels: Sequence[str],
    counts: Mapping[tuple[str, ...], float],
) -> Metric:
    family = CounterMetricFamily(f"medassist_{name}", text, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family


def _gauge(
    name: str, text: str, value: float | None = None, labels: Sequence[str] = ()
) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"medassist_{name}", text, value, labels or None)
