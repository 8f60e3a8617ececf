"""The plain-language digests of eLife's articles: what a paper found, for everybody.

JATS, one file an article, in a tar: article-meta > title-group > article-title and
abstract[@abstract-type] > p. Some digests are called executive summaries.
"""

from __future__ import annotations

import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from finetune.data.documents import QuestionAnswer
from finetune.data.sources import pmc_layouts
from finetune.data.sources.contract import Broken, Read, SourceInfo
from finetune.data.sources.dialogue import dialogue
from finetune.data.sources.pmc_oa import article_files, article_meta, found_articles
from finetune.errors import FinetuneError

SOURCE = "elife-digests"
FILES = ("elife-articles-xml.tar.xz",)
TASK = "Explain this research in plain language:"
KINDS = ("executive-summary", "plain-language-summary")
_BLANKS = re.compile(r"\s+")
_DOI = re.compile(r"^DOI:")


def read_elife_digests(folder: Path, dropped: Counter[str]) -> Iterator[QuestionAnswer]:
    """The digests of the articles in `folder`, asked for by the article's title.

    Raises:
        FinetuneError: the archive is missing or cannot be read.
    """
    archive = folder / FILES[0]
    if not archive.is_file():
        raise FinetuneError(
            f"{archive} is not there; eLife's articles are expected in it as JATS XML"
        )
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                opened = tar.extractfile(member) if member.isfile() else None
                if opened is None or not member.name.endswith(".xml"):
                    continue
                found = read_digest(opened.read(), member.name)
                if found is None:
                    dropped["an article without a digest"] += 1
                else:
                    yield found
    except (tarfile.TarError, EOFError, OSError) as error:
        raise FinetuneError(
            f"{archive} cannot be read as a compressed archive ({error}); copy it anew"
        ) from error


def read_digest(xml: bytes, name: str) -> QuestionAnswer | None:
    """The digest in an article's XML; `None` where it has none.

    Raises:
        FinetuneError: the article is not XML; `name` is in the message.
    """
    try:
        article = etree.fromstring(xml, _parser())
    except etree.XMLSyntaxError as error:
        raise FinetuneError(f"{name} is not well-formed XML: {error}") from error
    meta = article.find("front/article-meta")
    if meta is None:
        return None
    title = meta.find("title-group/article-title")
    for abstract in meta.iterfind("abstract"):
        if abstract.get("abstract-type") in KINDS and title is not None:
            paragraphs = [_text(p) for p in abstract.iter("p")]
            text = "\n".join(p for p in paragraphs if p and not _DOI.match(p))
            if text:
                return QuestionAnswer(
                    SOURCE, _text(title), "digest", f"{TASK} {_text(title)}", text
                )
    return None


def _parser() -> etree.XMLParser:
    """A parser for files from outside: it fetches nothing and expands nothing."""
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


def _text(element: etree._Element) -> str:
    return _BLANKS.sub(" ", "".join(element.itertext())).strip()


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
