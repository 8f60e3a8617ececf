"""BioRead and BioReadLite: gaps in biomedical texts, to be filled with an entity.

Text shards: context with `@entityN`, a dashed line, the question with `XXXXXX`, a
dashed line, the entities `@entityN:name`, a dashed line, the answer `@entityN:name`.
https://aclanthology.org/L18-1439/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from finetune.data.prepared_records import DialogueRecord, Licence
from finetune.data.sources.data_source import LONGEST_RECORD, Broken, Read, SourceInfo
from finetune.data.sources.dialogue import dialogue
from finetune.data.sources.inputs import compressed, inputs
from finetune.data.sources.text_lines import lines

NAME = "bioread"
GAP = "XXXXXX"
TASK = f"Which term belongs in the place of {GAP}?"
LICENCE = Licence(
    name="unknown", evidence="made of PMC articles without a licence for each of them"
)
_DASHES = re.compile(r"\s*-{3,}\s*$")
_ENTITY = re.compile(r"@entity\d+")
_NAMED = re.compile(r"(@entity\d+)\s*:\s*(.*?)\s*(?=@entity\d+\s*:|$)")


@dataclass
class _Passage:
    """A passage, as far as it has been read."""

    begins: int
    context: list[str] = field(default_factory=list)
    question: list[str] = field(default_factory=list)
    named: list[list[tuple[str, str]]] = field(default_factory=list)
    """The entities, by the segments that they stand in; the answer is the last."""
    size: int = 0


@dataclass(frozen=True)
class BioRead:
    """The gaps with their passages; entities by their names instead of numbers.

    Attributes:
        names: write names for `@entityN`; without it the numbers stay.
    """

    names: bool = True

    def files(self, root: Path) -> list[Path]:
        return inputs(root, compressed(".txt", ".data", ".question"), "BioRead")

    def read(self, file: Path) -> Iterator[Read]:
        passage = _Passage(1)
        for line in lines(file):
            if line.problem:
                yield Broken(f"line {line.number}", str(file), line.problem)
                continue
            text = line.text.strip()
            if not text or _DASHES.match(text):
                if passage.named and passage.named[-1]:
                    passage.named.append([])
                continue
            named = _NAMED.findall(text) if text.startswith("@entity") else []
            if passage.named and not named:
                yield self._record(passage, file)
                passage = _Passage(line.number)
            if named:
                if not passage.named:
                    passage.named.append([])
                passage.named[-1] += named
            elif GAP in text:
                passage.question.append(text)
            else:
                passage.context.append(text)
            passage.size += len(text)
            if passage.size > LONGEST_RECORD:
                reason = "has no question within the length of a record"
                yield Broken(f"line {passage.begins}", str(file), reason)
                passage = _Passage(line.number + 1)
        if passage.context or passage.question:
            yield self._record(passage, file)

    def _record(self, passage: _Passage, file: Path) -> DialogueRecord | Broken:
        key = f"{file.stem}:{passage.begins}"
        segments = [segment for segment in passage.named if segment]
        if not (passage.context and passage.question and segments):
            lacking = (
                "a context"
                if not passage.context
                else "a question with a gap"
                if not passage.question
                else "an answer"
            )
            return Broken(
                key, str(file), f"is no passage of BioRead: {lacking} is missing"
            )
        by_number = {number: name for segment in segments for number, name in segment}
        number, answer = segments[-1][-1]
        context = "\n\n".join(passage.context)
        question = " ".join(passage.question)
        if self.names:
            context, question = (
                _ENTITY.sub(lambda m: by_number.get(m[0], m[0]), text)
                for text in (context, question)
            )
        return dialogue(
            NAME,
            key,
            f"{context}\n\n{question}\n\n{TASK}",
            answer if self.names else number,
            LICENCE,
        )


INFO = SourceInfo(
    name=NAME,
    title="BioRead and BioReadLite",
    about="Gaps in biomedical texts to be filled with a named entity: 16.4 million, "
    "the lite part 900,000; text shards.",
    licence=LICENCE.name,
    terms="No licence is known for the articles, so it is left out unless you allow "
    "`unknown`.",
    kind="dialogue",
    open_source=BioRead,
    options=("names",),
)
