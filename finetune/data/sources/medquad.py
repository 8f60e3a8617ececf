"""MedQuAD: questions and answers from the web pages of the NIH and the CDC.

XML, one file a page: Document@source > Focus, QAPairs/QAPair > Question@qtype, Answer.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finetune.data.prepared_records import Licence
from finetune.data.sources.archive import Member, documents
from finetune.data.sources.data_source import Broken, PassedOver, Read, SourceInfo
from finetune.data.sources.dialogue import dialogue
from finetune.data.sources.inputs import inputs
from finetune.data.sources.packed import TARS

SOURCE = "medquad"
ARCHIVE = "medquad-xml.tar.xz"
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

    Attributes:
        elsewhere: give lists of other pages all the same.
    """

    elsewhere: bool = False

    def files(self, root: Path) -> list[Path]:
        return inputs(root, (".xml", ".zip", *TARS), "MedQuAD")

    def read(self, file: Path) -> Iterator[Read]:
        for member in documents(file, (".xml",)):
            if isinstance(member, Broken):
                yield member
            else:
                yield from _pairs(member, file, self.elsewhere)


def _pairs(member: Member, file: Path, elsewhere: bool) -> Iterator[Read]:
    try:
        page = ElementTree.fromstring(member.content)
    except ElementTree.ParseError as error:
        yield Broken(member.name, str(file), f"is not well-formed XML: {error}")
        return
    if page.find("Focus") is None:  # not by the root, which one of the pages has wrong
        reason = f"is no page of MedQuAD: its root is <{page.tag}>"
        yield PassedOver(member.name, str(file), reason)
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
            answer if elsewhere or not is_elsewhere(answer) else "",
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
    reads_archives=True,
    open_source=MedQuad,
    fetch="web",
)
