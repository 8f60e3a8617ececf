"""Parses untrusted XML without fetching or expanding entities.

https://jats.nlm.nih.gov/archiving/tag-library/1.3/
"""

from __future__ import annotations

from html.entities import html5

from lxml import etree

from finetune.errors import FinetuneError

_ARTICLE_SETS = ("pmc-articleset", "OAI-PMH")


class NotAnArticle(FinetuneError):
    """The document is not JATS or not safe to read; the message says why."""


def parse_articles(xml: bytes) -> list[etree._Element]:
    """The `article` elements of a document: one, or all of a set of PMC's services.

    Raises:
        NotAnArticle: it is no well-formed XML, declares entities, or is not JATS.
    """
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(xml, parser)
    except etree.XMLSyntaxError as error:
        raise NotAnArticle(f"is not well-formed XML: {error.msg}") from error
    subset = root.getroottree().docinfo.internalDTD
    if subset is not None and next(subset.iterentities(), None) is not None:
        raise NotAnArticle(
            "declares entities of its own, as XML bombs do; no publisher's article does"
        )
    _write_out_entities(root)
    name = etree.QName(root)
    if name.namespace:
        _strip_namespace(root, name.namespace)
    if root.tag == "article":
        return [root]
    found = list(root.iter("article", "{*}article"))
    if root.tag not in _ARTICLE_SETS or not found:
        raise NotAnArticle(
            f"is not JATS: its root is <{name.localname}>, not <article>"
        )
    for article in found:
        if namespace := etree.QName(article).namespace:
            _strip_namespace(article, namespace)
    return found


def _write_out_entities(root: etree._Element) -> None:
    """Put characters for `&alpha;` and its like, which the DTD names."""
    for entity in list(root.iter(etree.Entity)):
        # An entity's text is as it was written: `&alpha;`.
        text = html5.get((entity.text or "&")[1:], "") + (entity.tail or "")
        parent, before = entity.getparent(), entity.getprevious()
        if parent is None:
            continue
        if before is not None:
            before.tail = (before.tail or "") + text
        else:
            parent.text = (parent.text or "") + text
        entity.tail = None
        parent.remove(entity)


def _strip_namespace(root: etree._Element, namespace: str) -> None:
    """Take a default namespace off, as some services put one on."""
    for element in root.iter(f"{{{namespace}}}*"):
        element.tag = etree.QName(element).localname
