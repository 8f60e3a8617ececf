"""Downloads a data set by its name: finds the provider, plans, fetches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune.data.fetch import clinical_trials, hub, kaggle, pmc, web
from finetune.data.fetch.download_plan import (
    DownloadPlan,
    FetchedFile,
    FetchRecord,
    announced,
    carry_out,
)
from finetune.data.sources.data_source import SourceInfo
from finetune.data.sources.registry import SOURCES, source_info
from finetune.errors import FinetuneError
from medassist.core.errors import told_as
from medassist.core.progress import Watcher
from medassist.core.way_out import DIRECT, WayOut

REPOSITORIES = {"pmc-patients": "zhengyun21/PMC-Patients"}
"""On the Hub, of sets whose makers put them there."""
KAGGLE = "kaggle:"


@dataclass(frozen=True)
class FetchWish:
    """Request to download a data set."""

    source: str
    out: Path
    ids: str = ""
    query: str = ""
    repository: str = ""
    """OWNER/NAME on the Hub, or kaggle:OWNER/NAME."""
    patterns: Sequence[str] = ()
    revision: str = "main"
    limit: int | None = None
    dry_run: bool = False
    way: WayOut = DIRECT
    """Connection to the servers."""


@told_as(FinetuneError)
def fetch(
    wish: FetchWish, announce: Callable[[str], None], watcher: Watcher
) -> FetchRecord:
    """Download a data set; `announce` is told hosts and sizes first.

    Raises:
        FinetuneError: the wish cannot be fulfilled, or a server refuses or fails; the
            message says why.
    """
    info = source_info(wish.source)
    if wish.out.is_file():
        raise FinetuneError(f"{wish.out} is a file; name a folder for what comes")
    if wish.limit is not None and wish.limit < 1:
        raise FinetuneError(f"--limit is {wish.limit}; expected 1 or more")
    if info.fetch not in ("pmc", "ctgov") and (wish.ids or wish.query):
        raise FinetuneError(
            f"{wish.source} has no --ids and --query; those are for pmc-oa and "
            "clinical-trials"
        )
    handle = wish.repository.removeprefix(KAGGLE)
    plan: DownloadPlan
    if wish.repository.startswith(KAGGLE) or (info.fetch == "kaggle" and handle):
        plan = kaggle.plan_kaggle(wish.source, handle)
        announce(announced(plan, wish.way))
        if wish.dry_run:
            return _dry(plan, wish.out)
        return kaggle.carry_out_kaggle(plan, wish.out, watcher, wish.way)
    if info.fetch == "ctgov":
        plan = clinical_trials.plan_trials(ids=wish.ids, query=wish.query)
        announce(announced(plan, wish.way))
        if wish.dry_run:
            return _dry(plan, wish.out)
        return clinical_trials.carry_out_trials(
            plan,
            wish.out,
            watcher,
            ids=wish.ids,
            query=wish.query,
            limit=wish.limit,
            way=wish.way,
        )
    plan = _plan(info, wish, watcher)
    announce(announced(plan, wish.way))
    if wish.dry_run:
        return _dry(plan, wish.out)
    return carry_out(plan, wish.out, watcher, wish.way)


def _plan(info: SourceInfo, wish: FetchWish, watcher: Watcher) -> DownloadPlan:
    repository = wish.repository or REPOSITORIES.get(wish.source, "")
    if repository:
        return hub.plan_hub(
            wish.source,
            repository,
            patterns=wish.patterns,
            revision=wish.revision,
            limit=wish.limit,
            way=wish.way,
        )
    match info.fetch:
        case "pmc":
            return pmc.plan_pmc(
                ids=wish.ids,
                query=wish.query,
                limit=wish.limit,
                watcher=watcher,
                way=wish.way,
            )
        case "web":
            return web.plan_web(wish.source, wish.way)
        case "hub" | "kaggle":
            raise FinetuneError(
                f"say where {wish.source} lies: --repo OWNER/NAME on the Hugging Face "
                f"Hub, or --repo {KAGGLE}OWNER/NAME"
            )
        case _:
            free = ", ".join(name for name, each in SOURCES.items() if each.fetch)
            raise FinetuneError(
                f"{info.title} is not openly downloadable. {info.terms} "
                f"(what can be fetched: {free})"
            )


def _dry(plan: DownloadPlan, out: Path) -> FetchRecord:
    return FetchRecord(
        source=plan.source,
        what=plan.what,
        hosts=plan.hosts,
        out=str(out),
        notes=plan.notes,
        dry_run=True,
        files=tuple(
            FetchedFile(file=w.file, url=w.url, bytes=w.size or 0, sha256="")
            for w in plan.files
        ),
    )
