"""A GGUF's vocabulary, and writing it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gguf import GGUFWriter, Keys, TokenType

from convert.errors import ConvertError
from medassist.text.answer_end import AnswerEnd

Kind = Literal["gpt2", "llama"]
PHI_3 = re.compile("phi-?3", re.IGNORECASE)
"""llama.cpp lets tokens swallow blanks in a model of such a name, and in no other."""


@dataclass(frozen=True)
class VocabularyTokens:
    """The rows of a vocabulary, by id."""

    texts: tuple[str, ...]
    types: tuple[TokenType, ...]
    scores: tuple[float, ...] | None = None
    """Scores of SentencePiece: the higher, the earlier two pieces are joined."""
    merges: tuple[str, ...] | None = None
    """Merges of byte-level BPE: "left right", the most important first."""


@dataclass(frozen=True)
class Ends:
    """The tokens that begin and end a text or an answer."""

    bos: int | None
    eos: int
    turn_end: int | None
    """The token that the chat template puts after an answer."""
    message_end: int | None = None
    """A third token that ends an answer."""
    pad: int | None = None
    unknown: int | None = None
    adds_bos: bool = False
    adds_eos: bool = False
    template: AnswerEnd | None = None
    """End of an answer in the chat template; `None`: there is no template."""


@dataclass(frozen=True)
class Templates:
    """Chat templates: the default one, and others by name."""

    default: str | None = None
    named: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class TokenizerVocabulary:
    """The vocabulary of a GGUF.

    Attributes:
        kind: llama.cpp's name for the way to join letters to tokens.
        pre: llama.cpp's name for the way to split text before that.
        adds_blank: whether text gets a blank in front; `None` where it never does.
        swallows_blanks: whether special tokens take the blanks behind them with them,
            as Phi-3's do.
    """

    kind: Kind
    pre: str
    rows: VocabularyTokens
    ends: Ends
    templates: Templates
    adds_blank: bool | None = None
    swallows_blanks: bool = False

    @property
    def tokens(self) -> tuple[str, ...]:
        return self.rows.texts

    @property
    def types(self) -> tuple[TokenType, ...]:
        return self.rows.types

    @property
    def merges(self) -> tuple[str, ...] | None:
        return self.rows.merges

    @property
    def scores(self) -> tuple[float, ...] | None:
        return self.rows.scores

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user, without a full stop."""
        end, eos = self.ends.template, self.rows.texts[self.ends.eos]
        if end is None or end.is_token:
            return ()
        if not end.text:
            return (
                f"the chat template ends an answer with {end.after[:30]!r}, which "
                f"tells no end: answers end at the tokenizer's end token {eos!r} alone",
            )
        return (
            f"the chat template ends an answer with the text {end.text!r}, which is no "
            f"token of this tokenizer: answers end at {eos!r}, and at this text where "
            "it is a stop text, as medassist and its Modelfiles have it; give it to "
            "other programs",
        )

    def model_name(self, name: str) -> str:
        """The `general.name` to write: llama.cpp lets it change how text is read.

        Raises:
            ConvertError: llama.cpp would take the name for that of a Phi-3.
        """
        if self.swallows_blanks:
            return name if PHI_3.search(name) else f"{name} (phi-3)"
        if PHI_3.search(name):
            raise ConvertError(
                f"the model's name, {name!r}, makes llama.cpp read blanks after "
                "special tokens as Phi-3 does, which this tokenizer does not; give "
                "another name"
            )
        return name

    def write(self, writer: GGUFWriter) -> None:
        """Write the vocabulary.

        Raises:
            ConvertError: two tokens have one text, which ends llama.cpp with a crash.
        """
        self._check()
        writer.add_tokenizer_model(self.kind)
        writer.add_tokenizer_pre(self.pre)
        writer.add_token_list(self.rows.texts)
        if self.rows.scores is not None:
            writer.add_token_scores(self.rows.scores)
        writer.add_token_types(self.rows.types)
        if self.rows.merges is not None:
            writer.add_token_merges(self.rows.merges)
        self._write_ends(writer)
        if self.adds_blank is not None:
            writer.add_add_space_prefix(self.adds_blank)
        self._write_templates(writer)

    def _write_ends(self, writer: GGUFWriter) -> None:
        ends = self.ends
        if ends.bos is not None:
            writer.add_bos_token_id(ends.bos)
        writer.add_eos_token_id(ends.eos)
        if ends.turn_end is not None:
            writer.add_eot_token_id(ends.turn_end)
        if ends.message_end is not None:
            writer.add_eom_token_id(ends.message_end)
        if ends.unknown is not None:
            writer.add_unk_token_id(ends.unknown)
        if ends.pad is not None:
            writer.add_pad_token_id(ends.pad)
        writer.add_add_bos_token(ends.adds_bos)
        writer.add_add_eos_token(ends.adds_eos)

    def _write_templates(self, writer: GGUFWriter) -> None:
        # The writer's own way lists the names in the order of a set, so that the same
        # model would give another file each time.
        for name, text in sorted(self.templates.named.items()):
            writer.add_string(Keys.Tokenizer.CHAT_TEMPLATE_N.format(name=name), text)
        if self.templates.named:
            writer.add_array(
                Keys.Tokenizer.CHAT_TEMPLATES, [*sorted(self.templates.named)]
            )
        if self.templates.default is not None:
            writer.add_chat_template(self.templates.default)

    def _check(self) -> None:
        most, times = Counter(self.rows.texts).most_common(1)[0]
        if times > 1:
            ids = [i for i, text in enumerate(self.rows.texts) if text == most]
            raise ConvertError(
                f"the tokens {ids[0]} and {ids[1]} have one text in the GGUF, "
                f"{most!r}; llama.cpp cannot load that. Remove one of them from the "
                "tokenizer"
            )
        if "" in self.rows.texts:
            raise ConvertError(
                f"the token {self.rows.texts.index('')} has no text; remove it from "
                "the tokenizer"
            )
