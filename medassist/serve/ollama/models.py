"""`/api/tags`, `/api/show`, `/api/version`: what can be asked, as Ollama tells it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter

from medassist import __version__
from medassist.serve.desk import Desk
from medassist.serve.ollama.request_parameters import LATEST, ShowRequest
from medassist.serve.served_pair import ServedModel

SPEAKS: Final = "0.9.0"
"""The version of Ollama whose API this is a part of: the first with `think`."""
SCALES: Final = ((10**9, "B"), (10**6, "M"), (10**3, "K"))


def router(desk: Desk) -> APIRouter:
    """The routes of the list of models."""
    routes = APIRouter()

    @routes.get("/api/version")
    async def version() -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        return {"version": SPEAKS, "medassist": __version__}

    @routes.get("/api/tags")
    async def tags() -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        return {
            "models": [
                _tag(desk, model, f"{name}{LATEST}")
                for model in desk.source.models
                for name in model.names
            ]
        }

    @routes.post("/api/show")
    async def show(body: ShowRequest) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        name = (body.model or body.name).removesuffix(LATEST)
        return _shown(desk, desk.model(name))

    return routes


def _tag(desk: Desk, model: ServedModel, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "model": name,
        "modified_at": _time(model.created),
        "size": model.size,
        "digest": _digest(desk.source.provenance(model.pane)),
        "details": _details(model),
    }


def _shown(desk: Desk, model: ServedModel) -> dict[str, Any]:
    sampling = desk.sampling(model.pane, {})
    parameters = {
        "temperature": sampling.temperature,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repeat_penalty,
        "seed": sampling.seed,
        "num_predict": sampling.max_tokens or -1,
    }
    return {
        "modelfile": "",
        # The template lies in the model's file, which the confined process alone reads.
        "template": "",
        "system": desk.source.system(model.pane),
        "parameters": "\n".join(
            f"{name} {value}" for name, value in parameters.items()
        ),
        "modified_at": _time(model.created),
        "details": _details(model),
        "model_info": _info(model),
        "capabilities": ["completion", *(["thinking"] if model.thinks else [])],
        "medassist": {"root": model.root, "notice": model.notice or None},
    }


def _details(model: ServedModel) -> dict[str, Any]:
    info = model.info
    family = info.architecture if info else ""
    return {
        "parent_model": model.parent,
        "format": "gguf" if info else "",
        "family": family,
        "families": [family] if family else [],
        "parameter_size": _rounded(info.parameters) if info else "",
        "quantization_level": info.quantization if info else "",
    }


def _info(model: ServedModel) -> dict[str, Any]:
    info = model.info
    if info is None:
        return {}
    return {
        "general.architecture": info.architecture,
        "general.parameter_count": info.parameters,
        # What it is loaded with, which is what a client has to know.
        f"{info.architecture}.context_length": info.context,
    }


def _rounded(parameters: int) -> str:
    """Such as 134.5M."""
    for scale, letter in SCALES:
        if parameters >= scale:
            return f"{parameters / scale:.1f}{letter}"
    return str(parameters)


def _digest(provenance: dict[str, Any]) -> str:
    """Digest of a model's files, once hashed; of two files, that of their sums."""
    sums = [provenance.get(key) for key in ("sha256", "adapter_sha256")]
    known = [str(one) for one in sums if one]
    if provenance.get("adapter") and len(known) < len(sums):
        return ""
    if len(known) > 1:
        return hashlib.sha256("".join(known).encode()).hexdigest()
    return known[0] if known else ""


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
