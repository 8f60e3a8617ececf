"""Downloads PMC Open Access articles: by number, by query, or by an old list.

The bucket speaks S3 over HTTPS without a login; queries go to NCBI's E-utilities.
https://pmc.ncbi.nlm.nih.gov/tools/pmcaws/ · https://www.ncbi.nlm.nih.gov/books/NBK25499/
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx2
from lxml import etree

from finetune.data.fetch.download_plan import DownloadPlan
from finetune.data.sources.csv_rows import csv_rows
from finetune.data.sources.data_source import Broken
from finetune.data.sources.pmc_layouts import versioned
from finetune.data.sources.text_lines import lines
from finetune.errors import FinetuneError
from medassist.core.download import Checksum, Wanted, ask
from medassist.core.network import connected
from medassist.core.progress import Watcher
from medassist.core.way_out import WayOut

BUCKET = "https://pmc-oa-opendata.s3.amazonaws.com"
SEARCH = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils/esearch.fcgi"
PAGE = 500  # numbers of a query's page
BETWEEN = 0.34  # seconds: NCBI allows three requests a second
MOST = 100_000
_NUMBER = re.compile(r"(?:PMC)?(\d{1,12})(?:\.(\d+))?", re.IGNORECASE)


def plan_pmc(
    *, ids: str, query: str, limit: int | None, watcher: Watcher, way: WayOut
) -> DownloadPlan:
    """Plan of the newest version of each article, with its metadata.

    Args:
        ids: numbers with commas or blanks between, or a file with one a line or a file
            list of PMC.
        query: as on PMC's page; only what is in the open-access part is found.
        limit: the most articles.
        watcher: is told how far the look-ups are.
        way: how the services are reached.

    Raises:
        NetworkError: a service does not answer.
        FinetuneError: the ids are none, or none of the articles is in the bucket.
    """
    if bool(ids) == bool(query):
        raise FinetuneError(
            "PMC has millions of articles: say which by --ids PMC1,PMC2 (or a file "
            "with them) or by --query, and how many at most by --limit"
        )
    hosts = [_host(BUCKET)]
    if query:
        hosts.append(_host(SEARCH))
    files: list[Wanted] = []
    missing: list[str] = []
    with connected(hosts, way) as client:
        numbers = read_ids(ids) if ids else search(client, query, limit)
        numbers = list(dict.fromkeys(numbers))[:limit]
        for done, number in enumerate(numbers):
            watcher("looking up articles", done, len(numbers))
            found = newest_version(client, number)
            if not found:
                missing.append(number)
            files += found
        watcher("looking up articles", len(numbers), len(numbers))
    if not files:
        raise FinetuneError(
            f"none of {len(numbers)} articles is in PMC's open-access bucket"
            + (f" ({', '.join(missing[:5])} ...)" if missing else "")
        )
    notes = []
    if missing:
        shown = ", ".join(missing[:10])
        notes.append(f"{len(missing)} are not in the open-access bucket: {shown}")
    what = f"PMC: {len(numbers) - len(missing)} articles"
    return DownloadPlan("pmc-oa", what, tuple(hosts), tuple(files), tuple(notes))


def read_ids(given: str) -> list[str]:
    """`PMC123` for each number in a list, a file, or a file list of PMC.

    Raises:
        FinetuneError: something in it is no number of PMC.
    """
    file = Path(given).expanduser()
    if file.is_file():
        return list(_ids_of_file(file))
    return [_pmcid(word, "--ids") for word in re.split(r"[\s,;]+", given) if word]


def search(client: httpx2.Client, query: str, limit: int | None) -> list[str]:
    """The numbers of open-access articles that PMC finds for a query.

    Raises:
        NetworkError: the service refuses the query.
        FinetuneError: it finds nothing.
    """
    wanted = min(limit or MOST, MOST)
    found: list[str] = []
    total = 1
    while len(found) < min(wanted, total):
        if found:
            time.sleep(BETWEEN)
        answer = ask(
            client,
            SEARCH,
            {
                "db": "pmc",
                "term": f"({query}) AND open access[filter]",
                "retmode": "json",
                "retstart": str(len(found)),
                "retmax": str(min(PAGE, wanted - len(found))),
            },
        )
        try:
            result = answer.json()["esearchresult"]
            total, page = int(result["count"]), [str(n) for n in result["idlist"]]
        except (ValueError, KeyError, TypeError) as error:
            raise FinetuneError(
                f"{_host(SEARCH)} answered, but with no result of a search; look at "
                "the query, and try again later"
            ) from error
        if not page:
            break
        found += [f"PMC{number}" for number in page]
    if not found:
        raise FinetuneError(f"PMC finds no open-access article for {query!r}")
    return found[:wanted]


def newest_version(client: httpx2.Client, pmcid: str) -> list[Wanted]:
    """The XML and metadata of an article's newest version in the bucket."""
    by_version: dict[int, list[Wanted]] = {}
    token = ""
    while True:
        params = {"list-type": "2", "prefix": f"{pmcid}."}
        if token:
            params["continuation-token"] = token
        listing = _listing(ask(client, BUCKET + "/", params))
        for entry in listing.iter("{*}Contents"):
            key = entry.findtext("{*}Key") or ""
            found = versioned(key)
            if found is None or found[0] != pmcid:
                continue
            etag = (entry.findtext("{*}ETag") or "").strip('"')
            # In pieces, an upload's tag is no checksum of its bytes.
            is_sum = re.fullmatch(r"[0-9a-f]{32}", etag)
            size = entry.findtext("{*}Size") or ""
            by_version.setdefault(found[1], []).append(
                Wanted(
                    url=f"{BUCKET}/{quote(key)}",
                    file=key,
                    size=int(size) if size.isdigit() else None,
                    checksum=Checksum("md5", etag) if is_sum else None,
                )
            )
        token = listing.findtext("{*}NextContinuationToken") or ""
        if not token:
            break
    if not by_version:
        return []
    newest = by_version[max(by_version)]
    return newest if any(each.file.endswith(".xml") for each in newest) else []


def _listing(answer: httpx2.Response) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        return etree.fromstring(answer.content, parser)
    except etree.XMLSyntaxError as error:
        raise FinetuneError(
            f"{_host(BUCKET)} did not answer with a listing ({error.msg}); try again "
            "later"
        ) from error


def _ids_of_file(file: Path) -> Iterator[str]:
    first = next(lines(file), None)
    if first is not None and "Accession" in first.text:
        column = "Accession ID" if "Accession ID" in first.text else "AccessionID"
        for row in csv_rows(file, (column,), "a file list of PMC"):
            if not isinstance(row, Broken):
                yield _pmcid(row.cells[column], f"{file}, row {row.number}")
        return
    for line in lines(file):
        if word := line.text.strip():
            yield _pmcid(word.split()[0].strip(","), f"{file}, line {line.number}")


def _pmcid(word: str, where: str) -> str:
    found = _NUMBER.fullmatch(word.strip())
    if found is None:
        raise FinetuneError(
            f"{where}: {word[:40]!r} is no number of PMC; expected PMC1234567"
        )
    return f"PMC{int(found[1])}"


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
