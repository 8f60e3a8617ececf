"""`GET /v1/models`: the models of the pair, and which of them was tuned from which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter

from medassist.serve.desk import Desk
from medassist.serve.served_pair import ServedModel


def router(desk: Desk) -> APIRouter:
    """The routes of the list of models."""
    routes = APIRouter()

    @routes.get("/v1/models")
    async def list_models() -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        every = [one for model in desk.source.models for one in _objects(model)]
        return {"object": "list", "data": every}

    @routes.get("/v1/models/{name:path}")
    async def one_model(name: str) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        found = desk.model(name)
        return next(one for one in _objects(found) if one["id"] == name)

    return routes


def _objects(model: ServedModel) -> Iterator[dict[str, Any]]:
    """One for each of its names, in the form that vLLM gives the LoRA of a base."""
    for name in model.names:
        pair = name.removesuffix(model.pane)
        yield {
            "id": name,
            "object": "model",
            "created": model.created,
            "owned_by": "medassist",
            "root": model.root,
            "parent": f"{pair}{model.parent}" if model.parent else None,
        }
