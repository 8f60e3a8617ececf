"""Figures of an answer in the words of OpenAI's API, and of llama-server's."""

from __future__ import annotations

from typing import Any, Final

from medassist.core.values import Figures, StopReason

FINISH: Final[dict[StopReason, str]] = {
    "end": "stop",
    "length": "length",
    "stopped": "stop",
}


def finish_reason(figures: Figures, *, cut_off: bool) -> str:
    """Why an answer ended; one that took too long was cut off like one too long."""
    return "length" if cut_off else FINISH[figures.ending]


def usage(figures: Figures) -> dict[str, Any]:
    """Tokens read and written, of chat and completions."""
    read = figures.tokens_read + figures.tokens_reused
    return {
        "prompt_tokens": read,
        "completion_tokens": figures.tokens_written,
        "total_tokens": read + figures.tokens_written,
        "prompt_tokens_details": {"cached_tokens": figures.tokens_reused},
        "completion_tokens_details": {"reasoning_tokens": figures.tokens_thought},
    }


def timings(figures: Figures) -> dict[str, Any]:
    """Timings as llama-server tells them, where they are known."""
    return {
        "prompt_n": figures.tokens_read,
        "cache_n": figures.tokens_reused,
        "predicted_n": figures.tokens_written,
        "predicted_per_second": figures.tok_per_s,
        "ttft_s": figures.ttft_s,
    }
