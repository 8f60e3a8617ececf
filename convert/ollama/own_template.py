"""Decides whose template an Ollama from 0.30 on renders: ours, or the GGUF's.

It takes the GGUF's own where that can do more than TEMPLATE, and looks for that by
words in it (server/images.go, read in August 2026). A TEMPLATE of ours knows neither
tools nor thinking.
"""

from __future__ import annotations

FIRST = "0.30"
"""The first version that renders a GGUF's own template."""
GO_ALONE = "OLLAMA_GO_TEMPLATE=1"
"""The variable with which a server renders TEMPLATE whatever the GGUF has."""
TOOLS = ("tools", "tool_call")
THOUGHTS = ("<think>", "</think>")
CUTS_THOUGHTS = ("content.split('</think>')", 'content.split("</think>")')
NOT_CUT_ONLY = ("reasoning_content", "<SPECIAL_12>")


def renders_own(template: str) -> bool:
    """Whether such a server takes `template`, the GGUF's, in the place of ours."""
    return any(word in template for word in TOOLS) or knows_thinking(template)


def knows_thinking(template: str) -> bool:
    """Whether such a server takes `think` for a model with the Jinja `template`."""
    if all(mark in template for mark in THOUGHTS):
        return True
    return any(cut in template for cut in CUTS_THOUGHTS) and not any(
        word in template for word in NOT_CUT_ONLY
    )
