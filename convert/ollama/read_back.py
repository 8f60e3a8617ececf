"""Compares what a server stored with what it was sent.

A server may write a GGUF anew when it makes a model of it (it does so to look whether
its own tools can read it), so that the digest of what it keeps says nothing. Tensors
are compared one by one: by name, type and shape as the server tells them, and by their
bytes where its store lies on this computer and can be read.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convert.errors import ConvertError
from convert.gguf.contents import GgufFacts, same_number
from convert.gguf.head import TensorFact, read_head, tensor_bytes
from convert.go_template.source import ChatSource
from convert.ollama.model_settings import OllamaSettings
from convert.ollama.ollama_server import OllamaServer
from convert.ollama.prompts_back import prompt_checks
from convert.ollama.publish_plan import PublishPlan
from convert.ollama.read_back_check import ReadBackCheck, short

STORED = re.compile(r"^(FROM|ADAPTER) (.*sha256-([0-9a-f]{64}))\s*$", re.MULTILINE)
# The server leaves these out of what it tells, or they say how a file was cut up.
NOT_TOLD = {"general.name", "tokenizer.chat_template"}
NOT_TOLD_FRONT = "split."


def read_back(
    server: OllamaServer, plan: PublishPlan, *, adapter: str | None
) -> list[ReadBackCheck]:
    """Compare what `server` says of the model of `plan` with what it was sent.

    Args:
        server: has just made it.
        plan: what was to be made.
        adapter: the sha256 of the adapter, where there is one.

    Raises:
        ConvertError: the server does not answer.
    """
    told = server.show(str(plan.name))
    settings = plan.settings
    stored = {
        word: (path, digest)
        for word, path, digest in STORED.findall(str(told.get("modelfile", "")))
    }
    # The server tells the one that it renders.
    own = told.get("template") == plan.source.template
    return [
        _tensors(told, plan, stored.get("FROM"), local=server.host.is_local),
        _metadata(told, plan.facts),
        *([_adapter(adapter, stored)] if adapter else []),
        _template(told, plan.source, settings),
        _stops(told, settings),
        _parameters(told, settings),
        _text("system", told.get("system"), settings.system or ""),
        _text("licence", told.get("license"), "\n".join(settings.licences)),
        _messages(told, settings),
        *prompt_checks(server, plan, own=own),
    ]


def _tensors(
    told: dict[str, Any],
    plan: PublishPlan,
    stored: tuple[str, str] | None,
    *,
    local: bool,
) -> ReadBackCheck:
    listed = told.get("tensors")
    if not isinstance(listed, list) or not listed:
        return ReadBackCheck(what="tensors", equal=None, said="the server lists none")
    there = {
        str(t.get("name")): TensorFact(
            str(t.get("name")), str(t.get("type")), tuple(t.get("shape") or ())
        )
        for t in listed
    }
    sent = {tensor.name: tensor for tensor in plan.facts.tensors}
    for name, tensor in sent.items():
        if name not in there:
            return ReadBackCheck(what="tensors", equal=False, said=f"{name} is missing")
        found = there[name]
        if (found.type.upper(), found.shape) != (tensor.type, tensor.shape):
            said = (
                f"{name} is {found.type} {list(found.shape)}; sent was {tensor.type} "
                f"{list(tensor.shape)}"
            )
            return ReadBackCheck(what="tensors", equal=False, said=said)
    if more := sorted(there.keys() - sent.keys()):
        said = f"{len(more)} that were not sent, {more[0]} first"
        return ReadBackCheck(what="tensors", equal=False, said=said)
    said = f"{len(sent)} by name, type and shape"
    if local and stored and _readable(path := Path(stored[0])):
        if differs := _other_bytes(plan.files, path):
            return ReadBackCheck(
                what="tensors", equal=False, said=f"the bytes of {differs}"
            )
        said += " and byte for byte"
    if stored:
        said += f"; kept as sha256:{stored[1][:12]}"
    return ReadBackCheck(what="tensors", equal=True, said=said)


def _readable(path: Path) -> bool:
    try:
        with path.open("rb"):
            return True
    except OSError:
        return False


def _other_bytes(files: Sequence[Path], stored: Path) -> str | None:
    """The name of the first tensor whose bytes differ, if one's do."""
    try:
        kept = {tensor.name: tensor for tensor in read_head(stored).tensors}
    except ConvertError:
        return f"all: {stored} is no GGUF that can be read"
    for file in files:
        for tensor in read_head(file).tensors:
            if tensor.name not in kept or not np.array_equal(
                tensor_bytes(file, tensor), tensor_bytes(stored, kept[tensor.name])
            ):
                return tensor.name
    return None


def _metadata(told: dict[str, Any], facts: GgufFacts) -> ReadBackCheck:
    info = told.get("model_info")
    if not isinstance(info, dict) or not info:
        return ReadBackCheck(what="metadata", equal=None, said="the server tells none")
    compared = 0
    for key, value in facts.values.items():
        if key in NOT_TOLD or key.startswith(NOT_TOLD_FRONT):
            continue
        if key not in info:
            return ReadBackCheck(what="metadata", equal=False, said=f"{key} is missing")
        found = info[key]
        if found is None and isinstance(value, list):
            continue  # an older server shortens long lists to nothing
        if isinstance(value, list) and isinstance(found, list):
            same = len(value) == len(found) and all(map(same_number, value, found))
        else:
            same = same_number(value, found)
        if not same:
            said = f"{key} is {short(found)}; sent was {short(value)}"
            return ReadBackCheck(what="metadata", equal=False, said=said)
        compared += 1
    return ReadBackCheck(what="metadata", equal=True, said=f"{compared} entries")


def _adapter(sent: str, stored: dict[str, tuple[str, str]]) -> ReadBackCheck:
    if not stored:
        return ReadBackCheck(
            what="adapter", equal=None, said="the server names no files"
        )
    if "ADAPTER" not in stored:
        return ReadBackCheck(what="adapter", equal=False, said="the model has none")
    found = stored["ADAPTER"][1]
    said = f"sha256:{found[:12]}" + ("" if found == sent else f"; sent {sent[:12]}")
    return ReadBackCheck(what="adapter", equal=found == sent, said=said)


def _template(
    told: dict[str, Any], source: ChatSource, settings: OllamaSettings
) -> ReadBackCheck:
    found = told.get("template")
    if found == settings.template:
        said = "as sent; the server renders TEMPLATE"
        return ReadBackCheck(what="template", equal=True, said=said)
    if found == source.template:
        said = "the server renders the chat template in the GGUF"
        return ReadBackCheck(what="template", equal=True, said=said)
    said = f"{short(found)}; sent was {short(settings.template)}"
    return ReadBackCheck(what="template", equal=False, said=said)


def told_parameters(text: str) -> dict[str, list[object]]:
    """A server's parameters, one a line, with values as Go writes them."""
    found: dict[str, list[object]] = {}
    for line in filter(None, text.splitlines()):
        name, _, value = line.partition(" ")
        value = value.strip()
        try:
            known: object = {"true": True, "false": False}[value]
        except KeyError:
            try:
                known = ast.literal_eval(value)
            except (ValueError, SyntaxError):
                known = value
        found.setdefault(name, []).append(known)
    return found


def _stops(told: dict[str, Any], settings: OllamaSettings) -> ReadBackCheck:
    found = told_parameters(str(told.get("parameters") or "")).get("stop", [])
    if sorted(map(str, found)) == sorted(settings.stops):
        return ReadBackCheck(what="stops", equal=True, said=", ".join(settings.stops))
    said = f"{found}; sent were {list(settings.stops)}"
    return ReadBackCheck(what="stops", equal=False, said=said)


def _parameters(told: dict[str, Any], settings: OllamaSettings) -> ReadBackCheck:
    found = told_parameters(str(told.get("parameters") or ""))
    found.pop("stop", None)
    for name, value in settings.parameters.items():
        if name not in found or not same_number(found[name][0], value):
            there = found.get(name, ["missing"])[0]
            said = f"{name} is {there}; sent was {value}"
            return ReadBackCheck(what="parameters", equal=False, said=said)
    if more := sorted(found.keys() - settings.parameters.keys()):
        said = f"{more[0]} was not sent"
        return ReadBackCheck(what="parameters", equal=False, said=said)
    return ReadBackCheck(what="parameters", equal=True, said=f"{len(found)} of them")


def _text(what: str, found: object, sent: str) -> ReadBackCheck:
    if (found or "") == sent:
        said = f"{len(sent)} characters" if sent else "none"
        return ReadBackCheck(what=what, equal=True, said=said)
    said = f"{short(found)}; sent was {short(sent)}"
    return ReadBackCheck(what=what, equal=False, said=said)


def _messages(told: dict[str, Any], settings: OllamaSettings) -> ReadBackCheck:
    found = [(m.get("role"), m.get("content")) for m in told.get("messages") or []]
    if found == list(settings.messages):
        return ReadBackCheck(what="messages", equal=True, said=f"{len(found)} of them")
    said = f"{short(found)}; sent was {short(list(settings.messages))}"
    return ReadBackCheck(what="messages", equal=False, said=said)
