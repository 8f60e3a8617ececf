"""Reads an article: title, abstract, digest, body, identifiers and licence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from finetune.data.jats.blocks import plain_text
from finetune.data.jats.inline import make_readable, text_of
from finetune.data.jats.licence import licence_of
from finetune.data.jats.parse import NotAnArticle, parse_articles
from finetune.data.jats.tex import write_out_tex
from finetune.data.prepared_records import Licence

NOTICES = frozenset(
    {
        *("correction", "corrected-article", "erratum", "addendum", "retraction"),
        *("partial-retraction", "expression-of-concern", "withdrawal", "removal"),
    }
)
"""Kinds of `article-type` that speak of another article and are none themselves."""

ABSTRACTS = (None, "main", "abstract", "structured", "section")
DIGESTS = (
    *("executive-summary", "plain-language-summary", "summary", "lay-abstract"),
    *("lay-summary", "author-summary", "editors-summary"),
)
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_DOI_LINE = re.compile(r"^DOI:.*$", re.MULTILINE)
_LINES = re.compile(r"\n{3,}")
_RETRACTED_TITLE = re.compile(r"^\W*(?:retracted|withdrawn)\b", re.IGNORECASE)
_CONCERN_TITLE = re.compile(r"^\W*expression of concern\b", re.IGNORECASE)
_CONCERNS = (
    "expression-of-concern",
    "expression-of-concern-forward",
    "concern-forward",
)
# As the retracted article itself has it; `retracted-article` is in the notice.
_RETRACTIONS = ("retraction-forward", "retraction-forwarded", "withdrawal-forward")


@dataclass(frozen=True)
class Article:
    """The parts of a JATS article as plain text; blank lines between paragraphs."""

    title: str
    article_type: str
    licence: Licence
    abstract: str = ""
    digest: str = ""
    """The plain-language digest or the authors' summary, where there is one."""
    body: str = ""
    numbers: dict[str, str] = field(default_factory=dict)
    """`pmcid` (with PMC before it), `pmid`, `doi` and what else the article has."""
    journal: str = ""
    year: str = ""
    language: str = ""
    retracted: str = ""
    """Evidence that it was retracted; empty if there is none."""
    concern: str = ""
    """Evidence that its editors published a concern about it; empty: none."""

    @property
    def is_notice(self) -> bool:
        """Whether it is a correction or retraction of another article."""
        return self.article_type in NOTICES


def read_articles(xml: bytes) -> Iterator[Article]:
    """The articles of a document, mostly one.

    Raises:
        NotAnArticle: it cannot be read; the message says why.
    """
    for root in parse_articles(xml):
        yield _article(root)


def _article(root: etree._Element) -> Article:
    meta = root.find("front/article-meta")
    if meta is None:
        raise NotAnArticle("has no front/article-meta")
    licence = licence_of(meta)  # before the texts, which change the tree
    kind = root.get("article-type", "")
    title = meta.find("title-group/article-title")
    words = ""
    if title is not None:
        etree.strip_elements(title, "fn", "xref", with_tail=False)
        write_out_tex(title)
        make_readable(title)
        words = text_of(title)
    abstracts: list[str] = []
    digests: list[str] = []
    for abstract in meta.iterfind("abstract"):
        wanted = abstract.get("abstract-type")
        chosen = (
            abstracts if wanted in ABSTRACTS else digests if wanted in DIGESTS else None
        )
        if chosen is not None and (text := _abstract(abstract)):
            chosen.append(text)
    body = root.find("body")
    return Article(
        title=words,
        article_type=kind,
        licence=licence,
        abstract="\n\n".join(abstracts),
        digest="\n\n".join(digests),
        body="" if body is None else plain_text(body),
        numbers=_numbers(meta),
        journal=_journal(root),
        year=_year(meta),
        language=root.get(_XML_LANG, "").lower(),
        retracted=_retraction(meta, kind, words),
        concern=_concern(meta, kind, words),
    )


def _abstract(abstract: etree._Element) -> str:
    """An abstract's text without a heading that only says what it is."""
    first = abstract.find("title")
    if first is not None:
        abstract.remove(first)
    text = _DOI_LINE.sub("", plain_text(abstract))
    return _LINES.sub("\n\n", text).strip()


def _numbers(meta: etree._Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in meta.iterfind("article-id"):
        kind, value = each.get("pub-id-type", ""), (each.text or "").strip()
        if kind in ("pmc", "pmcid") and value:
            found["pmcid"] = f"PMC{value.removeprefix('PMC').partition('.')[0]}"
        elif kind and value:
            found.setdefault(kind, value)
    return found


def _journal(root: etree._Element) -> str:
    for place in ("journal-title-group/journal-title", "journal-title"):
        if name := root.findtext(f"front/journal-meta/{place}"):
            return " ".join(name.split())
    return ""


def _year(meta: etree._Element) -> str:
    years = [
        text.strip()
        for date in meta.iterfind("pub-date")
        if (text := date.findtext("year")) and text.strip().isdigit()
    ]
    return min(years, default="")


def _retraction(meta: etree._Element, kind: str, title: str) -> str:
    if kind == "retracted-article":
        return "article/@article-type: retracted-article"
    for related in meta.iterfind("related-article"):
        if (found := related.get("related-article-type")) in _RETRACTIONS:
            return f"related-article/@related-article-type: {found}"
    if kind not in NOTICES and _RETRACTED_TITLE.match(title):
        return "the title begins with the word that it was retracted or withdrawn"
    return ""


def _concern(meta: etree._Element, kind: str, title: str) -> str:
    for related in meta.iterfind("related-article"):
        if (found := related.get("related-article-type")) in _CONCERNS:
            return f"related-article/@related-article-type: {found}"
    if kind not in NOTICES and _CONCERN_TITLE.match(title):
        return "the title begins with the words of an expression of concern"
    return ""
