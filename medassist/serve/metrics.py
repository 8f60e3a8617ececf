"""`GET /metrics`: counts and times for Prometheus.

No label comes from what somebody has sent: routes, panes and outcomes are our own
words, and users do not appear.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter
from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Summary,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from starlette.responses import Response

from medassist.serve.desk import Desk
from medassist.serve.ticket import QuestionReport

# In memory alone: else a variable of the environment names a folder to write to.
values.ValueClass = values.MutexValue
disable_created_metrics()

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


class Metrics:
    """Counts since the server was started."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "medassist_requests",
            "Requests, by route and status.",
            ["route", "status"],
            registry=registry,
        )
        self._answers = Counter(
            "medassist_answers",
            "Questions that went through the queue, by how they ended.",
            ["route", "outcome"],
            registry=registry,
        )
        self._tokens = Counter(
            "medassist_tokens",
            "Tokens read, taken from the cache, and written.",
            ["pane", "kind"],
            registry=registry,
        )
        self._waited = Summary(
            "medassist_queue_seconds", "Waiting in the queue.", registry=registry
        )
        self._ttft = Summary(
            "medassist_ttft_seconds",
            "From the beginning of the answer to its first token.",
            ["pane"],
            registry=registry,
        )
        self._speed = Gauge(
            "medassist_tokens_per_second",
            "Of the newest answer.",
            ["pane"],
            registry=registry,
        )
        Gauge(
            "medassist_start_time_seconds", "Start of the server.", registry=registry
        ).set_to_current_time()

    def answered(self, path: str, status: int) -> None:
        """A request was answered."""
        route = ROUTES.get(path) or ("models" if path.startswith("/v1/models/") else "")
        if path.startswith("/v1/compare/"):
            route = "compare"
        if path == "/" or path.startswith(("/page/", "/v1/page/")):
            route = "page"
        self._requests.labels(route or "other", str(status)).inc()

    def done(self, report: QuestionReport) -> None:
        """A question went through the queue."""
        self._answers.labels(report.route, report.outcome).inc()
        self._waited.observe(report.waited_s)
        for pane, figures in report.figures.items():
            self._tokens.labels(pane, "read").inc(figures.tokens_read)
            self._tokens.labels(pane, "reused").inc(figures.tokens_reused)
            self._tokens.labels(pane, "written").inc(figures.tokens_written)
            if figures.ttft_s is not None:
                self._ttft.labels(pane).observe(figures.ttft_s)
            if figures.tok_per_s is not None:
                self._speed.labels(pane).set(figures.tok_per_s)


@dataclass(frozen=True, eq=False)
class Now(Collector):
    """State of queue and models at the moment of the request."""

    desk: Desk

    def collect(self) -> Iterator[Metric]:
        """One value each."""
        queue, source = self.desk.queue, self.desk.source
        yield _gauge("queue_length", "Questions that wait.", queue.length)
        yield _gauge("questions_running", "Questions under way.", len(queue.running))
        yield _gauge("engine_up", "The models answer.", source.state == "ok")
        yield CounterMetricFamily(
            "medassist_engine_restarts",
            "Starts of the models' process after it ended.",
            source.restarts,
        )
        memory = source.memory()
        if memory is not None:
            yield _gauge("memory_bytes", "Memory of the models' process.", memory)


def router(desk: Desk, metrics: Metrics) -> APIRouter:
    """The route."""
    routes = APIRouter()
    metrics.registry.register(Now(desk))

    @routes.get("/metrics")
    async def show() -> Response:  # pyright: ignore[reportUnusedFunction]
        text = generate_latest(metrics.registry)
        return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return routes


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"medassist_{name}", text, value)
