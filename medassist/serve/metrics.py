"""`GET /metrics`: counts and times for Prometheus, by hand, since the form is simple.

No label comes from what somebody has sent: routes, panes and outcomes are our own
words, and users do not appear.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from medassist.serve.desk import Desk
from medassist.serve.queue import QuestionReport

MEDIA_TYPE: Final = "text/plain; version=0.0.4"
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
Labels = tuple[tuple[str, str], ...]


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

    def lines(self, desk: Desk) -> Iterator[str]:
        """The text that Prometheus reads."""
        yield from _family(
            "requests_total",
            "counter",
            "Requests, by route and status.",
            {
                (("route", route), ("status", str(status))): count
                for (route, status), count in self.requests.items()
            },
        )
        yield from _family(
            "answers_total",
            "counter",
            "Questions that went through the queue, by how they ended.",
            {
                (("route", route), ("outcome", outcome)): count
                for (route, outcome), count in self.answers.items()
            },
        )
        yield from _family(
            "tokens_total",
            "counter",
            "Tokens read, taken from the cache, and written.",
            {
                (("pane", pane), ("kind", kind)): count
                for (pane, kind), count in self.tokens.items()
            },
        )
        yield from _summary("queue_seconds", "Waiting in the queue.", {(): self.waited})
        yield from _summary(
            "ttft_seconds",
            "From the beginning of the answer to its first token.",
            {(("pane", pane),): total for pane, total in self.ttft.items()},
        )
        yield from _family(
            "tokens_per_second",
            "gauge",
            "Of the newest answer.",
            {(("pane", pane),): value for pane, value in self.speed.items()},
        )
        yield from self._now(desk)

    def _now(self, desk: Desk) -> Iterator[str]:
        source = desk.source
        now: Mapping[str, tuple[str, str, float | None]] = {
            "queue_length": ("gauge", "Questions that wait.", desk.queue.length),
            "engine_up": ("gauge", "The models answer.", float(source.state == "ok")),
            "engine_restarts_total": (
                "counter",
                "Starts of the models' process after it ended.",
                source.restarts,
            ),
            "memory_bytes": (
                "gauge",
                "Memory of the models' process.",
                source.memory(),
            ),
            "start_time_seconds": ("gauge", "Start of the server.", self.started),
        }
        for name, (kind, text, value) in now.items():
            if value is not None:
                yield from _family(name, kind, text, {(): value})


def router(desk: Desk, metrics: Metrics) -> APIRouter:
    """The route."""
    routes = APIRouter()

    @routes.get("/metrics")
    async def show() -> Response:  # pyright: ignore[reportUnusedFunction]
        text = "\n".join(metrics.lines(desk)) + "\n"
        return PlainTextResponse(text, media_type=MEDIA_TYPE)

    return routes


def _family(
    name: str, kind: str, text: str, values: Mapping[Labels, float]
) -> Iterator[str]:
    if not values:
        return
    yield f"# HELP medassist_{name} {text}"
    yield f"# TYPE medassist_{name} {kind}"
    for labels, value in values.items():
        yield f"medassist_{name}{_labels(labels)} {value}"


def _summary(name: str, text: str, totals: Mapping[Labels, Total]) -> Iterator[str]:
    if not totals:
        return
    yield f"# HELP medassist_{name} {text}"
    yield f"# TYPE medassist_{name} summary"
    for labels, total in totals.items():
        yield f"medassist_{name}_sum{_labels(labels)} {total.sum}"
        yield f"medassist_{name}_count{_labels(labels)} {total.count}"


def _labels(labels: Labels) -> str:
    said = ",".join(f'{name}="{value}"' for name, value in labels)
    return f"{{{said}}}" if said else ""
