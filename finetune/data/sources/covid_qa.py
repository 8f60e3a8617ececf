"""COVID-QA: questions about articles, answered by a piece of the article's text.

SQuAD format: data/paragraphs > context, qas > question, answers > text, answer_start.
What is asked about is the sentences around the answer, since an article is longer than
what a small model can hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.data.documents import sentences
from finetune.data.prepared_records import Licence
from finetune.data.sources.data_source import Broken, Read, SourceInfo, unlike
from finetune.data.sources.dialogue import dialogue
from finetune.data.sources.inputs import compressed, inputs
from finetune.data.sources.json_items import json_items

SOURCE = "covid-qa"
FILES = ("covidqa_ccby_train.json.xz",)
AROUND = 900  # characters of the article that go with a question
_BLANKS = re.compile(r"\s+")


def _passage(context: str, start: int) -> tuple[str, str]:
    """The sentences around an answer, and the one in which it begins."""
    # The paragraph of the article in which the answer begins.
    first = context.rfind("\n\n", 0, start) + 2 if "\n\n" in context[:start] else 0
    last = context.find("\n\n", start)
    paragraph = context[first : last if last >= 0 else len(context)]
    offset = start - first
    pieces = sentences(paragraph)
    position, hit = 0, len(pieces) - 1
    for index, piece in enumerate(pieces):
        position += len(piece) + 1
        if offset < position:
            hit = index
            break
    low, high = hit, hit + 1
    while True:
        wider = (max(0, low - 1), min(len(pieces), high + 1))
        if wider == (low, high) or sum(map(len, pieces[wider[0] : wider[1]])) > AROUND:
            break
        low, high = wider
    return _one_line(" ".join(pieces[low:high])), _one_line(pieces[hit])


def _one_line(text: str) -> str:
    return _BLANKS.sub(" ", text).strip()


@dataclass(frozen=True)
class CovidQa:
    """The questions, each under the passage around its answer.

    Attributes:
        longest: characters of an answer's extract; a question with a longer one has no
            answer. 0: however long.
    """

    longest: int = 0

    def files(self, root: Path) -> list[Path]:
        return inputs(root, compressed(".json"), "COVID-QA")

    def read(self, file: Path) -> Iterator[Read]:
        for number, article in json_items(file, "COVID-QA", "data"):
            try:
                paragraphs = [
                    (str(p["context"]), p["qas"]) for p in article["paragraphs"]
                ]
            except (KeyError, TypeError) as error:
                reason = f"is no article in SQuAD's format: no {error}"
                yield Broken(f"article {number}", str(file), reason)
                continue
            for context, asked in paragraphs:
                for position, each in enumerate(asked):
                    place = f"{number}-{position}"
                    yield _record(context, each, place, file, self.longest)


def _record(context: str, asked: Any, place: str, file: Path, longest: int) -> Read:
    title = context.partition("\n")[0].strip()
    try:
        key = str(asked.get("id") or place)
        question = str(asked["question"])
        found = next(iter(asked["answers"]), None)
        if found is not None and longest and len(found["text"]) > longest:
            found = None
        start = 0 if found is None else int(found["answer_start"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        return Broken(place, str(file), unlike("question in SQuAD's format", error))
    answer = ""
    if found is not None:
        if not 0 <= start < len(context):
            reason = f"its answer begins at {start}, outside of its article"
            return Broken(key, str(file), reason)
        passage, answer = _passage(context, start)
        question = f"{passage}\n\n{_one_line(question)}"
    return dialogue(
        SOURCE, key, question, answer, _licence(context), group=title, title=title
    )


def _licence(context: str) -> Licence:
    """The questions are Apache's; each article says its own at its head."""
    head = _LICENCE_LINE.search(context[:HEAD])
    if head is None:
        evidence = f"no licence in the first {HEAD} characters of the article"
        return Licence(name="unknown", evidence=evidence)
    name = head[1].strip().upper().replace("CC-", "CC ", 1)
    return Licence(
        name=name,
        evidence=f"{head[0].strip()} at the head of the article; questions Apache 2.0",
    )


HEAD = 2000
_LICENCE_LINE = re.compile(r"^Licen[sc]e:[ \t]*(\S.*)$", re.IGNORECASE | re.MULTILINE)
INFO = SourceInfo(
    name=SOURCE,
    title="COVID-QA",
    about="Questions about articles on COVID-19, answered by a sentence of the "
    "article; JSON in SQuAD's format.",
    licence="per article; the questions Apache 2.0",
    terms="",
    kind="dialogue",
    open_source=CovidQa,
    fetch="web",
)
