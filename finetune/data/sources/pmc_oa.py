"""Articles as JATS XML: PMC Open Access in its new and old layout, and publishers' own.

Files (`.xml`, `.nxml`), folders, and tars. Of an article with several versions the
newest counts. Each is one record: title, abstract, digest, body.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from finetune.data.jats.article import Article, read_articles
from finetune.data.jats.parse import NotAnArticle
from finetune.data.prepared_records import TextRecord
from finetune.data.sources import pmc_layouts
from finetune.data.sources.archive import Member, documents
from finetune.data.sources.data_source import (
    ARTICLE_TYPE,
    CONCERN,
    LANGUAGE,
    RETRACTED,
    Broken,
    PassedOver,
    Read,
    SourceInfo,
)
from finetune.data.sources.inputs import compressed, inputs
from finetune.data.sources.nearest import did_you_mean
from finetune.data.sources.packed import TARS, is_archive, member_names
from finetune.errors import FinetuneError
from medassist.core.compressed import ENDINGS as COMPRESSIONS

NAME = "pmc-oa"
WHAT = "JATS articles"
PARTS = ("title", "abstract", "digest", "body")
ENDINGS = (".xml", ".nxml")


@dataclass(frozen=True)
class FoundArticle:
    """An article with where it stood and what lies beside it."""

    key: str
    article: Article
    beside: pmc_layouts.ArticleMetadata | None


@dataclass(frozen=True)
class PmcOpenAccess:
    """The articles as running text.

    Attributes:
        parts: what of an article is taken, in the order title, abstract, digest, body.
        file_list: PMC's list with licences, for copies in the old layout; by default
            one that lies beside the archive or above the articles.
    """

    parts: tuple[str, ...] = PARTS
    file_list: str = ""

    def __post_init__(self) -> None:
        for part in self.parts:
            if part not in PARTS:
                raise FinetuneError(
                    f"{NAME}: an article has no part {part}{did_you_mean(part, PARTS)} "
                    f"(there are {', '.join(PARTS)})"
                )

    def files(self, root: Path) -> list[Path]:
        return article_files(root)

    def read(self, file: Path) -> Iterator[Read]:
        for found in found_articles(file, self.file_list):
            yield found if isinstance(found, Broken) else self._record(found)

    def _record(self, found: FoundArticle) -> TextRecord:
        article = found.article
        by_part = {
            "title": article.title,
            "abstract": article.abstract,
            "digest": article.digest,
            "body": article.body,
        }
        texts = [by_part[part] for part in PARTS if part in self.parts]
        return TextRecord(
            id=found.key,
            source=NAME,
            group=found.key,
            licence=pmc_layouts.with_beside(article.licence, found.beside),
            title=article.title,
            meta=article_meta(found),
            text="\n\n".join(text for text in texts if text),
        )


def article_files(root: Path) -> list[Path]:
    """The inputs with articles; of single files in PMC's layout the newest versions."""
    found = inputs(root, (*compressed(*ENDINGS), *TARS, ".zip"), WHAT)
    latest = pmc_layouts.newest(file.as_posix() for file in found)
    return [
        file
        for file in found
        if (version := pmc_layouts.versioned(file.as_posix())) is None
        or latest[version[0]] == version[1]
    ]


def found_articles(file: Path, file_list: str = "") -> Iterator[FoundArticle | Broken]:
    """The articles of an input, without corrections and other notices.

    Raises:
        FinetuneError: the input as a whole cannot be read.
    """
    listed = pmc_layouts.file_list_for(file, file_list)
    archive: _Versions | None = None
    for member in documents(file, ENDINGS):
        if isinstance(member, Broken):
            yield member
            continue
        version = pmc_layouts.versioned(member.name)
        beside = None
        if version and is_archive(file):
            archive = archive or _Versions.of(file)
            if archive.latest[version[0]] != version[1]:
                yield PassedOver(
                    member.name,
                    str(file),
                    f"is version {version[1]} of {version[0]}; there is a newer one",
                )
                continue
            beside = archive.metadata.get(f"{version[0]}.{version[1]}")
        elif version:
            beside = pmc_layouts.metadata_beside(file)
        yield from _read(member, file, beside, listed)


def article_meta(found: FoundArticle) -> dict[str, str]:
    """Facts about the article of a record."""
    article, beside = found.article, found.beside
    retracted = article.retracted
    if beside is not None and beside.retracted:
        told = beside.where.rpartition(" ")[0]
        retracted = f"{told} says that it is retracted"
    every = {
        ARTICLE_TYPE: article.article_type,
        "journal": article.journal,
        "year": article.year,
        LANGUAGE: article.language,
        RETRACTED: retracted,
        CONCERN: article.concern,
        **{k: v for k, v in article.numbers.items() if k in ("pmcid", "pmid", "doi")},
    }
    return {name: value for name, value in every.items() if value}


@dataclass(frozen=True)
class _Versions:
    """Versions in an archive of the new layout, found by a first reading of it."""

    latest: dict[str, int]
    metadata: dict[str, pmc_layouts.ArticleMetadata]

    @classmethod
    def of(cls, file: Path) -> _Versions:
        # Versions and metadata may lie behind the articles that they speak of.
        names = member_names(file)
        latest = pmc_layouts.newest(name for name in names if name.endswith(".xml"))
        jsons = (m for m in documents(file, (".json",)) if isinstance(m, Member))
        return cls(latest, pmc_layouts.metadata_in((m.name, m.content) for m in jsons))


def _read(
    member: Member,
    file: Path,
    beside: pmc_layouts.ArticleMetadata | None,
    listed: pmc_layouts.FileList | None,
) -> Iterator[FoundArticle | Broken]:
    name = member.name
    stem = PurePosixPath(name).name
    for ending in (*COMPRESSIONS, *ENDINGS):
        stem = stem.removesuffix(ending)
    try:
        for article in read_articles(member.content):
            numbers = article.numbers
            key = numbers.get("pmcid") or numbers.get("doi") or stem
            if article.is_notice:
                kind = article.article_type.replace("-", " ")
                yield PassedOver(key, str(file), f"is a {kind}, not an article")
                continue
            own = beside
            if own is None and listed is not None and "pmcid" in numbers:
                own = listed.find(numbers["pmcid"])
            elif own is None and listed is not None:
                own = listed.find(stem)
            yield FoundArticle(key, article, own)
    except NotAnArticle as error:
        yield Broken(name, str(file), str(error))


INFO = SourceInfo(
    name=NAME,
    title="PMC Open Access, and other articles as JATS XML",
    about="Articles with licences of their own: .xml and .nxml files, folders, tars; "
    "PMC's layout since 2026 and the one before it with its file lists.",
    licence="per article",
    terms="Each article says its own licence. NC, ND, text-mining-only and retracted "
    "articles are left out unless you ask for them.",
    kind="text",
    reads_archives=True,
    open_source=PmcOpenAccess,
    options=("parts", "file_list"),
    fetch="pmc",
)
