"""Names of speakers in conversations, and the role that each has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Role = Literal["system", "user", "assistant"]
_ASKS = (
    *("user", "human", "patient", "prompter", "customer", "client", "person"),
    *("seeker", "caregiver", "parent"),
)
_ANSWERS = (
    *("assistant", "gpt", "chatgpt", "doctor", "physician", "clinician", "nurse"),
    *("pharmacist", "provider", "therapist", "counselor", "counsellor", "supporter"),
    *("model", "bot", "chatbot", "ai", "agent", "claude"),
)
ROLES: Mapping[str, Role] = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(_ASKS, "user"),
    **dict.fromkeys(_ANSWERS, "assistant"),
}
TOOLS = frozenset(
    (
        *("tool", "tools", "tool_call", "tool_calls", "tool_response", "tool_result"),
        *("function", "function_call", "function_response", "function-call"),
        *("function-response", "observation", "ipython", "environment"),
    )
)
