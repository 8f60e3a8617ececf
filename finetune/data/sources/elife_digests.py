"""The plain-language digests of eLife's articles: what a paper found, for everybody.

JATS, one file an article, in a tar: article-meta > title-group > article-title and
abstract[@abstract-type] > p. Some digests are called executive summaries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finetune.data.sources import pmc_layouts
from finetune.data.sources.data_source import Broken, Read, SourceInfo
from finetune.data.sources.dialogue import dialogue
from finetune.data.sources.pmc_oa import article_files, article_meta, found_articles

SOURCE = "elife-digests"
FILES = ("elife-articles-xml.tar.xz",)
TASK = "Explain this research in plain language:"


@dataclass(frozen=True)
class Digests:
    """The digests of any JATS articles, eLife's and others'.

    Attributes:
        file_list: see `pmc_oa.PmcOpenAccess`.
    """

    file_list: str = ""

    def files(self, root: Path) -> list[Path]:
        return article_files(root)

    def read(self, file: Path) -> Iterator[Read]:
        for found in found_articles(file, self.file_list):
            if isinstance(found, Broken):
                yield found
                continue
            article = found.article
            yield dialogue(
                SOURCE,
                found.key,
                f"{TASK} {article.title}" if article.title else "",
                article.digest,
                pmc_layouts.with_beside(article.licence, found.beside),
                group=found.key,
                title=article.title,
                meta=article_meta(found),
            )


INFO = SourceInfo(
    name=SOURCE,
    title="Plain-language digests of articles",
    about="What an article found, for everybody, asked for by its title; from JATS "
    "articles of eLife, PLOS and others that have one.",
    licence="per article",
    terms="Each article says its own licence. Articles without a digest come as "
    "missing answers.",
    kind="dialogue",
    open_source=Digests,
    options=("file_list",),
    fetch="pmc",
)
