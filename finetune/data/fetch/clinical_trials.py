"""Downloads studies of ClinicalTrials.gov by its API, version 2.

https://clinicaltrials.gov/data-api/api
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from urllib.parse import urlsplit

from finetune.data.fetch.download_plan import DownloadPlan, FetchRecord, record
from finetune.errors import FinetuneError
from medassist.core.download import Got, ask
from medassist.core.files import SHARED_FILE, write_whole
from medassist.core.network import connected
from medassist.core.progress import Watcher
from medassist.core.way_out import WayOut

STUDIES = "https://clinicaltrials.gov/api/v2/studies"
PAGE = 1000  # studies; the most that the API gives
FIELDS = (
    "NCTId,BriefTitle,OfficialTitle,BriefSummary,DetailedDescription,Condition,Phase,"
    "EligibilityModule,HasResults"
)


def plan_trials(*, ids: str, query: str) -> DownloadPlan:
    """Plan the download of a query's studies, or of a list of NCT numbers.

    Raises:
        FinetuneError: neither or both are given.
    """
    if bool(ids) == bool(query):
        raise FinetuneError(
            "say which studies by --query (a condition, as on ClinicalTrials.gov) or "
            "by --ids NCT...,NCT..."
        )
    host = urlsplit(STUDIES).hostname or ""
    what = f"ClinicalTrials.gov: {query or ids}"
    return DownloadPlan("clinical-trials", what, (host,), ())


def carry_out_trials(
    plan: DownloadPlan,
    out: Path,
    watcher: Watcher,
    *,
    ids: str,
    query: str,
    limit: int | None,
    way: WayOut,
) -> FetchRecord:
    """Download the pages that are not here yet.

    A page names the next one, so a broken-off download goes on behind the last whole
    page. Pages of another query in the folder are an error, not a mixture.

    Raises:
        NetworkError: the API refuses or does not answer.
        FinetuneError: the folder, or an answer, holds something else.
    """
    params = {"fields": FIELDS}
    params |= {"query.term": query} if query else {"filter.ids": ids}
    mark = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:12]
    out.mkdir(parents=True, exist_ok=True)
    others = [f for f in out.glob("studies-*.json") if f"-{mark}-" not in f.name]
    if others:
        raise FinetuneError(
            f"{out} holds studies of another query ({others[0].name}); name another "
            "folder, or take them away"
        )
    got: list[Got] = []
    seen = number = total = 0
    token = ""
    with connected(plan.hosts, way) as client:
        while True:
            number += 1
            file = out / f"studies-{mark}-{number:05}.json"
            was_there = file.is_file()
            if was_there:
                content = file.read_bytes()
            else:
                more = {"pageToken": token} if token else {"countTotal": "true"}
                more["pageSize"] = str(min(limit - seen, PAGE) if limit else PAGE)
                content = ask(client, STUDIES, params | more).content
            try:
                page = json.loads(content)
                studies, token = page["studies"], page.get("nextPageToken") or ""
                seen += len(studies)
                total = page.get("totalCount") or total
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                where = file if was_there else STUDIES
                raise FinetuneError(
                    f"{where} is no page of studies; take the file away and try again"
                ) from error
            if not was_there:
                write_whole(file, content, SHARED_FILE)
            digest = hashlib.sha256(content).hexdigest()
            got.append(Got(file.name, STUDIES, len(content), digest, was_there))
            watcher("studies", seen, min(limit or total, total) if total else 0)
            if not token or (limit and seen >= limit):
                break
    return record(plan, out, got)
