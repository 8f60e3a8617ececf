"""Asks an engine what it is and which of its models are the pair."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from medassist.core.clean import clean_line
from medassist.core.values import PaneName
from medassist.serve.errors import ServeError
from medassist.serve.upstream.forms import (
    Adapters,
    LoadedLora,
    ModelEntry,
    Models,
    Properties,
    read,
)
from medassist.serve.upstream.http_client import HttpClient, NoAnswer
from medassist.serve.upstream.options import Kind, UpstreamOptions
from medassist.serve.upstream.request_body import LlamaServer, UpstreamModel

OWNERS: Final[dict[str, Kind]] = {"vllm": "vllm", "llamacpp": "llama-server"}
"""Whom the engines that tell it call the owner of their models."""
AT_ONCE: Final[dict[Kind, int]] = {"vllm": 16}
"""Questions, of two answers each; what its memory is too small for, vLLM has wait."""


class UpstreamError(ServeError):
    """The engine cannot be used as it is; a sentence for the operator."""

    exit_code = 1


@dataclass(frozen=True)
class Found:
    """An engine that can be asked.

    Attributes:
        kind: what it is.
        panes: the model of each pane.
        server: what there is of a llama-server.
        notices: sentences for the operator.
        at_once: how many questions it is asked at one time.
    """

    kind: Kind
    panes: dict[PaneName, UpstreamModel]
    server: LlamaServer = LlamaServer()
    notices: tuple[str, ...] = ()
    at_once: int = 1


async def discover(client: HttpClient, options: UpstreamOptions) -> Found:
    """Ask the engine what it has.

    Raises:
        UpstreamError: it does not answer, or has not what was named.
    """
    models = await _models(client)
    owner = models[0].owned_by if models else ""
    kind = options.kind or OWNERS.get(owner, "openai")
    if kind == "llama-server":
        if options.at_once not in (None, 1):
            raise UpstreamError(
                f"{client.place.host} is a llama-server, which is asked one question "
                "at a time: each of its slots is a pane's. Leave out "
                "--upstream-at-once."
            )
        return await _llama_server(client, options, models)
    return _by_names(client, options, kind, models)


async def _models(client: HttpClient) -> Sequence[ModelEntry]:
    host = client.place.host
    try:
        status, body = await client.get("/v1/models")
    except NoAnswer as error:
        raise UpstreamError(f"Nothing answers at {host}: {error}.") from None
    if status in (401, 403):
        raise UpstreamError(
            f"{host} lets nobody in with the key that it was sent ({status}). Name the "
            "file of another with --upstream-key-file."
        )
    listed = read(Models, body) if status == 200 else None
    if listed is None or not listed.data:
        raise UpstreamError(
            f"{host} has no list of models at /v1/models ({status}); expected an "
            "engine that speaks OpenAI's API."
        )
    return listed.data


def _by_names(
    client: HttpClient,
    options: UpstreamOptions,
    kind: Kind,
    models: Sequence[ModelEntry],
) -> Found:
    """The models by the names that were given, or as they say what they stem from."""
    by_id = {model.id: model for model in models}
    base, tuned = options.base, options.tuned
    for name in filter(None, (base, tuned)):
        if name not in by_id:
            raise UpstreamError(_no_such(client, name, by_id))
    if not base and not tuned:
        base = _only([m.id for m in models if not m.parent]) or ""
        tuned = _only([m.id for m in models if base and m.parent == base]) or ""
    elif not base and (parent := by_id[tuned].parent) in by_id:
        base = parent or ""
    if not base and not tuned:
        raise UpstreamError(
            f"{client.place.host} has several models: {_listed(by_id)}. Name two with "
            "--upstream-base and --upstream-tuned."
        )
    notices: list[str] = []
    if base and tuned and by_id[tuned].parent != base and kind == "vllm":
        notices.append(
            f"{clean_line(tuned)} does not say that it was tuned from "
            f"{clean_line(base)}; that they are a pair is your word."
        )
    panes: dict[PaneName, UpstreamModel] = {}
    if base:
        panes["base"] = _served(by_id[base])
    if tuned:
        child = bool(base) and by_id[tuned].parent == base
        panes["tuned"] = _served(by_id[tuned], child=child)
    at_once = options.at_once or AT_ONCE.get(kind, 1)
    return Found(kind, panes, notices=tuple(notices), at_once=at_once)


async def _llama_server(
    client: HttpClient, options: UpstreamOptions, models: Sequence[ModelEntry]
) -> Found:
    """One model, with a LoRA that is switched on for the tuned pane."""
    adapters = await _adapters(client)
    by_name = {PurePosixPath(one.path).name: one.id for one in adapters}
    if len({model.id for model in models}) > 1:
        return _by_names(client, options, "llama-server", models)
    model = models[0]
    if options.base and options.base != model.id:
        raise UpstreamError(_no_such(client, options.base, [model.id]))
    tuned = options.tuned
    if tuned and tuned not in by_name:
        raise UpstreamError(_no_such(client, tuned, by_name))
    if not tuned and len(by_name) > 1:
        raise UpstreamError(
            f"{client.place.host} has several adapters: {_listed(by_name)}. "
            "Name one with --upstream-tuned."
        )
    name = tuned or next(iter(by_name), "")
    slots = read(Properties, (await _got(client, "/props")) or b"")
    panes: dict[PaneName, UpstreamModel] = {"base": _served(model)}
    if name:
        panes["tuned"] = _served(model, child=True, adapter=name)
    server = LlamaServer(
        tuple(one.id for one in adapters),
        by_name.get(name),
        slots.total_slots if slots else 1,
    )
    return Found("llama-server", panes, server)


async def _adapters(client: HttpClient) -> Sequence[LoadedLora]:
    body = await _got(client, "/lora-adapters")
    listed = read(Adapters, b'{"adapters":' + body + b"}") if body else None
    if listed is None:
        raise UpstreamError(
            f"{client.place.host} does not say which adapters it has, at "
            "/lora-adapters; expected a llama-server."
        )
    return listed.adapters


async def _got(client: HttpClient, path: str) -> bytes | None:
    try:
        status, body = await client.get(path)
    except NoAnswer as error:
        raise UpstreamError(f"{client.place.host} broke off: {error}.") from None
    return body if status == 200 else None


def _served(
    model: ModelEntry, *, child: bool = False, adapter: str = ""
) -> UpstreamModel:
    label = clean_line(PurePosixPath(model.id).name)[:200]
    adapter = clean_line(adapter)[:200]
    return UpstreamModel(
        model.id,
        f"{label} with {adapter}" if adapter else label,
        adapter,
        child,
        max(0, min(model.created, 2**40)),
        model.context,
    )


def _only(names: Sequence[str]) -> str | None:
    return names[0] if len(names) == 1 else None


def _no_such(client: HttpClient, name: str, known: Iterable[str]) -> str:
    return f"{client.place.host} has no {name!r}. It has: {_listed(known)}."


def _listed(names: Iterable[str]) -> str:
    few = [clean_line(name)[:100] for name in [*names][:10]]
    return ", ".join(few) or "none"
