"""Looks for identifiers before a question leaves this computer.

An engine on loopback is this computer. Before a question goes to any other, what looks
like a name, a date or another identifier is marked: the client sends it again as it is
or has it replaced, and says which in a header. Programs that can send none have what
the operator has chosen. That nothing was found is no proof that nothing is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from medassist.core.values import Message, PaneName
from medassist.engine.wire import Question
from medassist.serve.desk import IDENTIFIERS
from medassist.serve.errors import Refusal
from medassist.serve.upstream.options import EngineAddress, Identifiers
from medassist.session.identifier_check import LookedFor, look_for_identifiers

CHOICES: Final[dict[str, Identifiers]] = {"replace": "replace", "keep": "keep"}
MOST_TOLD: Final = 500


class Cleared(Question):
    """A question that was looked at, and may leave this computer."""


@dataclass(frozen=True)
class Outgoing:
    """Looks at questions before they go.

    Attributes:
        place: where they go.
        otherwise: what is done where the client does not say.
    """

    place: EngineAddress
    otherwise: Identifiers

    @property
    def replaces(self) -> bool:
        """Whether identifiers are replaced unless the client says otherwise."""
        return self.otherwise == "replace" and not self.place.is_here

    async def prepare(self) -> None:
        """Read the rules, which takes half a second, before a question waits for it."""
        if not self.place.is_here and self.otherwise != "keep":
            await asyncio.to_thread(look_for_identifiers, ["the rules are read here"])

    async def cleared(
        self, questions: Mapping[PaneName, Question], said: str | None
    ) -> Mapping[PaneName, Question]:
        """The questions as they may go.

        Args:
            questions: of each pane.
            said: what the client said in its header; `None`: nothing.

        Raises:
            Refusal: they may tell who somebody is, and nobody has said what to do; or
                what was said is none of the choices.
        """
        if said is not None and said not in CHOICES:
            sentence = f"{IDENTIFIERS} is 'replace' or 'keep'."
            raise Refusal(400, "invalid_value", sentence, IDENTIFIERS)
        if self.place.is_here:
            return questions
        choice = CHOICES[said] if said else self.otherwise
        if choice == "keep":
            return {pane: _as_cleared(one) for pane, one in questions.items()}
        return await asyncio.to_thread(self._looked_at, questions, choice)

    def expect_cleared(self, questions: Iterable[Question]) -> None:
        """Make sure that nothing leaves that was not looked at."""
        cleared = all(isinstance(question, Cleared) for question in questions)
        if not (self.place.is_here or cleared):
            raise RuntimeError("a question would leave that was not looked at")

    def _looked_at(
        self, questions: Mapping[PaneName, Question], choice: Identifiers
    ) -> Mapping[PaneName, Question]:
        # Both panes have the same question, and often the same conversation.
        texts = [*dict.fromkeys(t for one in questions.values() for t in _texts(one))]
        looked = look_for_identifiers(texts)
        if choice == "ask" and (looked.found or looked.foreign):
            raise self._marked(questions, texts, looked)
        replaced = dict(zip(texts, looked.without, strict=True))
        return {pane: _as_cleared(one, replaced) for pane, one in questions.items()}

    def _marked(
        self,
        questions: Mapping[PaneName, Question],
        texts: Sequence[str],
        looked: LookedFor,
    ) -> Refusal:
        from medassist.safety.identifiers import KINDS

        counts = looked.counts.most_common()
        told = ", ".join(f"{KINDS[kind]} ({n})" for kind, n in counts)
        what = f"The question may tell who somebody is: {told or 'it was not read'}."
        if looked.foreign:
            what += " It is not all in English, and in other languages more is missed."
        found = dict(zip(texts, looked.by_text, strict=True))
        marks = [
            {
                "pane": pane,
                "message": place,
                "start": start,
                "end": end,
                "kind": one.kind,
                "sure": one.sure,
            }
            for pane, question in questions.items()
            for place, text in enumerate(_texts(question))
            for start, end, one in found[text]
        ]
        return Refusal(
            400,  # clients try again by themselves after a 409
            "identifiers_found",
            f"{what} It would go to {self.place.host}, which is not this computer, so "
            f"nothing was sent. Send it again with the header '{IDENTIFIERS}: replace' "
            "to have them replaced, or 'keep' to send it as it is.",
            "messages",
            more={"identifiers": marks[:MOST_TOLD]},
        )


def _texts(question: Question) -> list[str]:
    return [question.raw] if question.raw else [m.content for m in question.messages]


def _as_cleared(
    question: Question, replaced: Mapping[str, str] | None = None
) -> Cleared:
    new = replaced or {}
    return Cleared(
        messages=tuple(
            Message(said.role, new.get(said.content, said.content))
            for said in question.messages
        ),
        sampling=question.sampling,
        written=question.written,
        thought=question.thought,
        raw=new.get(question.raw, question.raw),
    )
