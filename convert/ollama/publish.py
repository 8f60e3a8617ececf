"""Publishes GGUFs to Ollama: uploads missing files, creates, reads back."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import BaseModel

from convert.errors import ConvertError
from convert.ollama.adapter_support import NO_ADAPTER_SINCE, makes_adapted
from convert.ollama.model_settings import OllamaWishes
from convert.ollama.ollama_server import AdapterRefusedError, OllamaServer
from convert.ollama.parameters import Parameter
from convert.ollama.publish_plan import PublishPlan, merged_plan
from convert.ollama.read_back import read_back
from convert.ollama.read_back_check import ReadBackCheck
from convert.run_card import write_on_card
from medassist.core.card import Card
from medassist.core.files import sha256_of_file
from medassist.core.progress import Watcher
from medassist.core.run_folder import card_of_run

UNVERIFIED = (
    "A file that came from elsewhere, without the model that it was made from, is "
    "published as it is with --unverified"
)


class SentFile(BaseModel):
    """A file of a published model."""

    file: Path
    sha256: str
    bytes: int
    was_there: bool = False


class Published(BaseModel):
    """Result for one model."""

    name: str
    quantization: str
    verified: bool
    missing_proofs: list[str] = []
    """Why `publish` would refuse it; only a dry run has any."""
    host: str
    ollama: str | None = None
    """The server's version; `None` in a dry run."""
    manifest: str | None = None
    """The digest of the model's manifest."""
    files: list[SentFile]
    checks: list[ReadBackCheck] = []
    pushed: bool = False
    notes: list[str]
    template: str
    stops: list[str]
    parameters: dict[str, float | int | bool | str | list[str]]
    origins: list[Parameter] = []
    """Every parameter, each stop for itself, with who named it."""


class PublishReport(BaseModel):
    """Output of `convert publish --json`."""

    dry_run: bool
    models: list[Published]


@dataclass(frozen=True)
class Proofs:
    """Proofs of the gate for the files of one model."""

    sha256: dict[Path, str] = field(default_factory=dict[Path, str])
    """Hash of each verified file."""
    missing: tuple[str, ...] = ()
    """The proofs that are missing, each as a sentence with how to get it."""

    def require(self) -> None:
        """Check that none is missing.

        Raises:
            ConvertError: one is.
        """
        if self.missing:
            raise ConvertError(f"{'. '.join(self.missing)}. {UNVERIFIED}")


def proofs_of(plan: PublishPlan) -> Proofs:
    """Collects what the gate has seen and passed of the files of `plan`.

    Raises:
        ConvertError: a file or a verify.json cannot be read.
    """
    from convert.verify.result import NotVerifiedError, require_verified

    first = plan.files[0]
    proven: dict[Path, str] = {}
    missing: list[str] = []
    model = None
    try:
        typed = shlex.quote(first.name)
        quantized = f"{typed} --against F16.gguf" if plan.facts.quantized else ""
        found = require_verified(first, quantized)
        model = found.model_sha256
        proven[first] = found.sha256
        proven |= {first.with_name(n): sha256 for n, sha256 in found.parts.items()}
    except NotVerifiedError as error:
        missing.append(str(error))
    if plan.adapter is not None:
        typed = shlex.quote(plan.adapter.name)
        way = f"F16.gguf --adapter ADAPTER --adapter-gguf {typed}"
        try:
            lora = require_verified(plan.adapter, way)
            if model in (None, lora.base_model_sha256):
                proven[plan.adapter] = lora.sha256
            else:
                missing.append(
                    f"{plan.adapter} was verified on another model than {first} was "
                    "made from, which nothing is proven of; verify it on that model: "
                    f"medassist convert verify MODEL {way}"
                )
        except NotVerifiedError as error:
            missing.append(str(error))
    return Proofs(proven, tuple(missing))


def dry_run(
    plan: PublishPlan, host: str, *, proofs: Proofs, merge: bool, watcher: Watcher
) -> Published:
    """The plan of `publish`, without any connection."""
    found = _published(plan, host, proofs=proofs, watcher=watcher)
    if plan.adapter is None:
        return found
    from convert.merge.proven_merge import merged_file

    out = merged_file(plan.files[0], plan.adapter)
    since = f"Ollama from {NO_ADAPTER_SINCE} on"
    when = "" if merge else f"Where the server takes no adapter ({since}) "
    note = f"{when}the two are merged into {out} first, which is what is published."
    if plan.facts.quantized:
        note += " The quantized weights that the adapter changes become F16 in it."
    return found.model_copy(
        update={"notes": [note[:1].upper() + note[1:], *found.notes]}
    )


def publish(
    plan: PublishPlan,
    server: OllamaServer,
    wishes: OllamaWishes,
    *,
    proofs: Proofs,
    merge: bool,
    force: bool,
    watcher: Watcher,
) -> Published:
    """Make the model of `plan`, of one merged file where its adapter is refused.

    A server that is known to refuse it is not sent what it would not use.

    Args:
        plan: what is to be made.
        server: where.
        wishes: the user's settings, for the model that is merged.
        proofs: of the files that are verified; what arrives has to be those.
        merge: merge an adapter without asking the server whether it takes one.
        force: take the place of a model of that name, and of a merged file.
        watcher: is told how it goes.

    Raises:
        ConvertError: the name is taken, the server refused or broke off, or the two
            cannot be merged.
    """
    version = server.version()
    name = str(plan.name)
    taken = {there.casefold() for there in server.models()}
    if name.casefold() in taken and not force:
        raise ConvertError(
            f"{server.host.url} has a model {name} already; --force puts this one in "
            "its place, or give another name"
        )
    why = ""
    if plan.adapter is not None and not merge:
        refused = f"it is Ollama {version}"
        if makes_adapted(version):
            try:
                return _create(plan, server, version, proofs=proofs, watcher=watcher)
            except AdapterRefusedError as error:
                refused = error.said
        why = f", since the server takes no adapter ({refused})"
        watcher("the server takes no adapter; merging it into the base", 0, 0)
    if plan.adapter is not None:
        plan, proofs = _merged(
            plan, wishes, why, proofs=proofs, force=force, watcher=watcher
        )
    return _create(plan, server, version, proofs=proofs, watcher=watcher)


def _create(
    plan: PublishPlan,
    server: OllamaServer,
    version: str,
    *,
    proofs: Proofs,
    watcher: Watcher,
) -> Published:
    """Upload missing files, create the model, and read it back."""
    name = str(plan.name)
    result = _published(plan, server.host.url, proofs=proofs, watcher=watcher)
    for sent in result.files:
        sent.was_there = server.has_blob(sent.sha256)
        if not sent.was_there:
            server.upload(sent.file, sent.sha256, watcher)
    weights, lora = result.files[: len(plan.files)], result.files[len(plan.files) :]
    server.create(name, _digests(weights), _digests(lora), plan.settings, watcher)
    watcher("reading back", 0, 0)
    checks = read_back(server, plan, adapter=lora[0].sha256 if lora else None)
    manifests = {n.casefold(): d for n, d in server.models().items()}
    manifest = manifests.get(name.casefold())
    notes = [*result.notes]
    if manifest and all(check.equal is not False for check in checks):
        notes += _on_card(plan, name, manifest)
    return result.model_copy(
        update={
            "ollama": version,
            "manifest": manifest,
            "checks": checks,
            "notes": notes,
        }
    )


def _merged(
    plan: PublishPlan,
    wishes: OllamaWishes,
    why: str,
    *,
    proofs: Proofs,
    force: bool,
    watcher: Watcher,
) -> tuple[PublishPlan, Proofs]:
    """One proven file of base and adapter of `plan`: its plan and its proofs.

    It counts as verified where base and adapter do.
    """
    from convert.merge.proven_merge import merge_proven, merged_file

    base, adapter = plan.files[0], plan.adapter
    assert adapter is not None
    out = merged_file(base, adapter)
    proof = merge_proven(base, adapter, out, force=force, watcher=watcher)
    known = {base, adapter} <= proofs.sha256.keys()
    found = Proofs({out: proof.sha256} if known else {})
    return merged_plan(plan, out, wishes, why), found


def _on_card(plan: PublishPlan, name: str, manifest: str) -> list[str]:
    """Put the model in Ollama on the card of the run that its file is of."""

    def change(card: Card) -> Card:
        ollama = card.lineage.ollama | {name: manifest.removeprefix("sha256:")}
        lineage = replace(card.lineage, ollama=ollama)
        return replace(card, lineage=lineage)

    return write_on_card(card_of_run(plan.facts.file), change)


def _digests(files: Sequence[SentFile]) -> dict[str, str]:
    return {sent.file.name: f"sha256:{sent.sha256}" for sent in files}


def _published(
    plan: PublishPlan, host: str, *, proofs: Proofs, watcher: Watcher
) -> Published:
    files: list[SentFile] = []
    for file in (*plan.files, *([plan.adapter] if plan.adapter else [])):
        size = file.stat().st_size
        if file not in proofs.sha256:
            watcher(f"hashing {file.name}", 0, size)
        digest = proofs.sha256.get(file) or sha256_of_file(file)
        files.append(SentFile(file=file, sha256=digest, bytes=size))
    return Published(
        name=str(plan.name),
        quantization=plan.facts.quantization,
        verified=all(sent.file in proofs.sha256 for sent in files),
        missing_proofs=list(proofs.missing),
        host=host,
        files=files,
        notes=list(plan.settings.notes),
        template=plan.settings.template,
        stops=list(plan.settings.stops),
        parameters=plan.settings.all_parameters(),
        origins=list(plan.settings.origins),
    )
