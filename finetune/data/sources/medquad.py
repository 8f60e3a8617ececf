"""MedQuAD: questions and answers from the web pages of the NIH and the CDC.

XML, one file a page: Document@source > Focus, QAPairs/QAPair > Question@qtype, Answer.
"""

from __future__ import annotations

import re
import tarfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finetune.data.documents import QuestionAnswer
from finetune.data.records import Licence
from finetune.data.sources.archive import Member, documents
from finetune.data.sources.contract import Broken, Read, SourceInfo
from finetune.data.sources.dialogue import dialogue
from finetune.data.sources.inputs import TARS, inputs
from finetune.errors import FinetuneError

SOURCE = "medquad"
ARCHIVE = "medquad-xml.tar.xz"
SHORTEST_ANSWER = 40  # characters; below stand remnants such as "See above."

# GARD's symptom answers hold a table of frequencies turned into text, with the same
# 900 characters of explanation in each of 2,000 answers. What stands before is prose.
_FREQUENCY_TABLE = re.compile(
    r"The Human Phenotype Ontology provides the following.*", re.DOTALL
)
# Answers that say where to read, or what an institute does, and nothing of a disease.
_ELSEWHERE = re.compile(
    r"^(?:These resources address|The mission of the National|New types of treatment "
    r"are being tested|(?:Yes\. )?(?:The )?(?:Genetic Testing Registry|GeneTests|Gene"
    r"Reviews)|The (?:NINDS|National \w+ (?:Institute|Institutes)[\w ]*(?:\(\w+\))?) "
    r"(?:conducts|supports))"
)
_LABEL = re.compile(r"^Summary ?: ")
_SIGNATURE = re.compile(r"\s*NIH: National [A-Z][A-Za-z, ]+$")
_CONTENTS_LIST = re.compile(r"^On this Page\b")
_KEY_POINTS = re.compile(r"^(?:Key Points\s*)?(?:-\s*)?")
# A question over an answer. A dot inside a name (15q13.3) ends no sentence, and with
# "you" a page asks its reader ("Is it hard for your child to sit still?"), and goes on
# from there.
_HEADING = re.compile(
    r"(?:What|Which|Who|Whom|Whose|When|Where|Why|How|Is|Are|Was|Were|Can|Could|Do|"
    r"Does|Did|Has|Have|Will|Would|Should|Might|May|If|Since|(?:At|In|By) what)\b"
    r"(?:(?!\byour?\b)(?:[^.?!]|[.!](?!\s))){2,250}\?(?:\s+|$)",
    re.IGNORECASE,
)
_BLANKS = re.compile(r"\s+")
_BLANKS_IN_A_LINE = re.compile(r"[^\S\n]+")
_LINE_ENDS = re.compile(r" ?\n ?(?:\n ?)*")


def read_medquad(folder: Path, dropped: Counter[str]) -> Iterator[QuestionAnswer]:
    """The questions of the MedQuAD archive in `folder`, cleaned, in a fixed order.

    Args:
        folder: holds `medquad-xml.tar.xz`.
        dropped: counts the reasons why questions were left out.

    Raises:
        FinetuneError: the archive is missing or cannot be read.
    """
    archive = folder / ARCHIVE
    if not archive.is_file():
        raise FinetuneError(
            f"{archive} is not there; MedQuAD is expected as an archive of its XML "
            "files under that name"
        )
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                opened = tar.extractfile(member) if member.isfile() else None
                if opened is not None and member.name.endswith(".xml"):
                    yield from read_page(opened.read(), member.name, dropped)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise FinetuneError(
            f"{archive} cannot be read as a compressed archive ({error}); copy it anew"
        ) from error


def read_page(xml: bytes, name: str, dropped: Counter[str]) -> Iterator[QuestionAnswer]:
    """The questions of one page; `name` is the file's, for errors.

    Raises:
        FinetuneError: the page is not XML.
    """
    try:
        page = ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise FinetuneError(f"{name} is not well-formed XML: {error}") from error
    focus = _one_line(page.findtext("Focus") or "")
    for pair in page.iter("QAPair"):
        asked = pair.find("Question")
        answer = _one_line(clean_answer(pair.findtext("Answer") or ""))
        if asked is None or not asked.text or not focus:
            dropped["without a question or a focus"] += 1
        elif len(answer) < SHORTEST_ANSWER:
            dropped["blank, a table or a list of contents"] += 1
        elif is_elsewhere(answer):
            dropped["names other pages or an institute's work"] += 1
        else:
            yield QuestionAnswer(
                source=SOURCE,
                focus=focus,
                kind=asked.get("qtype", "other"),
                question=clean_question(asked.text),
                answer=answer,
            )


def clean_question(text: str) -> str:
    """`What is (are) Asthma ?` as a person would write it."""
    return _one_line(text).replace("is (are)", "is").replace(" ?", "?")


def clean_answer(text: str) -> str:
    """The prose of an answer: no tables, no lists of contents, no echoed questions.

    Returns:
        A line for each of the page's; "" where nothing of it is prose.
    """
    text = _LINE_ENDS.sub("\n", _BLANKS_IN_A_LINE.sub(" ", text)).strip()
    text = _FREQUENCY_TABLE.sub("", text)
    if _CONTENTS_LIST.match(text):
        return ""
    text = _SIGNATURE.sub("", _LABEL.sub("", _KEY_POINTS.sub("", text)))
    while heading := _HEADING.match(text):
        text = text[heading.end() :]
    return text.strip()


def is_elsewhere(answer: str) -> bool:
    """Whether a cleaned answer says where to read, and nothing of a disease."""
    return _ELSEWHERE.match(answer) is not None


def _one_line(text: str) -> str:
    return _BLANKS.sub(" ", text).strip()


@dataclass(frozen=True)
class MedQuad:
    """The questions with the prose of their answers.

    What the web pages put around it is no part of a data set's text: an answer that is
    a table, a list of contents or a list of other pages is as blank as a missing one.
    """

    def files(self, root: Path) -> list[Path]:
        return inputs(root, (".xml", ".zip", *TARS), "MedQuAD")

    def read(self, file: Path) -> Iterator[Read]:
        for member in documents(file, (".xml",)):
            yield from [member] if isinstance(member, Broken) else _pairs(member, file)


def _pairs(member: Member, file: Path) -> Iterator[Read]:
    try:
        page = ElementTree.fromstring(member.content)
    except ElementTree.ParseError as error:
        yield Broken(member.name, str(file), f"is not well-formed XML: {error}")
        return
    if page.tag != "Document":
        yield Broken(
            member.name, str(file), f"is no page of MedQuAD: its root is <{page.tag}>"
        )
        return
    focus = _one_line(page.findtext("Focus") or "")
    key = Path(member.name).stem
    publisher = page.get("source", "")
    for number, pair in enumerate(page.iter("QAPair"), start=1):
        asked = pair.find("Question")
        answer = clean_answer(pair.findtext("Answer") or "")
        yield dialogue(
            SOURCE,
            f"{publisher}-{key}-{number}",
            clean_question((asked.text if asked is not None else "") or ""),
            "" if is_elsewhere(answer) else answer,
            LICENCE,
            group=focus.casefold() or f"{publisher}-{key}",
            title=focus,
            meta={
                "type": asked.get("qtype", "") if asked is not None else "",
                "publisher": publisher,
                "url": page.get("url", ""),
            },
        )


LICENCE = Licence(name="CC BY 4.0", evidence="the set's readme: CC BY 4.0")
INFO = SourceInfo(
    name=SOURCE,
    title="MedQuAD",
    about="47,457 questions about diseases and drugs with answers from web pages of "
    "the NIH and the CDC; XML, one file a page, in folders or an archive.",
    licence=LICENCE.name,
    terms="The answers of three of its publishers were taken out for their copyright; "
    "they come as blank and are left out.",
    kind="dialogue",
    open_source=MedQuad,
    fetch="web",
)
