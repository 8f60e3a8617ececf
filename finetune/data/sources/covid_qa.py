"""COVID-QA: questions about articles, answered by a piece of the article's text.

SQuAD format: data/paragraphs > context, qas > question, answers > text, answer_start.
What is asked about is the sentences around the answer, since an article is longer than
what a small model can hold.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from finetune.data.documents import QuestionAnswer, sentences
from finetune.data.sources.xz_json import read_xz_json
from finetune.errors import FinetuneError

SOURCE = "covid-qa"
FILES = ("covidqa_ccby_train.json.xz",)
AROUND = 900  # characters of the article that go with a question
LONGEST_ANSWER = 400  # characters
_BLANKS = re.compile(r"\s+")


def read_covid_qa(folder: Path, dropped: Counter[str]) -> Iterator[QuestionAnswer]:
    """The questions in `folder`, each with the passage that answers it.

    Raises:
        FinetuneError: the file is missing or is not in SQuAD's format.
    """
    file = folder / FILES[0]
    try:
        for article in read_xz_json(file, "COVID-QA")["data"]:
            for paragraph in article["paragraphs"]:
                context = str(paragraph["context"])
                title = context.partition("\n")[0].strip()
                for asked in paragraph["qas"]:
                    found = asked["answers"][0] if asked["answers"] else None
                    if found is None or len(found["text"]) > LONGEST_ANSWER:
                        dropped["without an answer, or with one of many lines"] += 1
                        continue
                    yield _question(
                        title, context, str(asked["question"]), found["answer_start"]
                    )
    except (KeyError, TypeError, IndexError) as error:
        raise FinetuneError(
            f"{file} is not in SQuAD's format: {error!r} is missing"
        ) from error


def _question(title: str, context: str, question: str, start: int) -> QuestionAnswer:
    """The sentence that holds the answer, in a passage of the sentences around it."""
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
    return QuestionAnswer(
        source=SOURCE,
        focus=title,
        kind="reading",
        question=f"{_one_line(' '.join(pieces[low:high]))}\n\n{_one_line(question)}",
        answer=_one_line(pieces[hit]),
    )


def _one_line(text: str) -> str:
    return _BLANKS.sub(" ", text).strip()
