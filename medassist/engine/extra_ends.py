"""Extra end tokens and stop strings of a pane, taken from its chat template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medassist.engine.vocabulary import Vocabulary
from medassist.text.answer_end import AnswerEnd


@dataclass(frozen=True)
class ExtraEnds:
    """End tokens and stop strings of the template that llama.cpp does not know."""

    tokens: frozenset[int] = frozenset()
    stops: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, end: AnswerEnd, vocabulary: Vocabulary, plain: Sequence[str] = ()
    ) -> ExtraEnds:
        """Creates the ends that `end` adds to those that the model's own file names.

        Args:
            end: of the model's template.
            vocabulary: of the model.
            plain: the stop texts of the plain template, where it is that.
        """
        if not end.text:
            return cls(stops=(*plain,))
        if not end.is_token:
            return cls(stops=(*dict.fromkeys((end.text, *plain)),))
        tokens = vocabulary.tokenize(end.text, special=True)
        if len(tokens) == 1 and vocabulary.ends_answer(tokens[0]):
            return cls(stops=(*plain,))
        # Control tokens write no text, others do: both ways are looked for.
        return cls(frozenset(tokens if len(tokens) == 1 else ()), (end.text, *plain))
