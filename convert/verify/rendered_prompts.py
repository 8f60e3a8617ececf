"""Second check of the gate: same prompts from tokenizer and GGUF.

The tokenizer's own `apply_chat_template` on one side, as training renders; on the other
the template in the GGUF, or in that of its adapter, rendered by the program that will
ask the model, with the begin and end tokens that llama.cpp names. Both take the plain
template where they have none. What both render must have the same ids, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from jinja2 import TemplateError as JinjaError
from pydantic import BaseModel, ConfigDict
from transformers import PreTrainedTokenizerFast

from convert.errors import ConvertError
from convert.gguf.contents import read_facts
from convert.verify.corpus import Conversation, conversations
from convert.verify.token_ids import composed, parted, vocabulary_of
from convert.vocabulary.backend import Backend
from convert.vocabulary.blanks import blanks_of
from convert.vocabulary.templates import asked_template, chat_templates
from convert.vocabulary.tokenizer_folder import load_tokenizer
from medassist.core.progress import Watcher, unwatched
from medassist.core.values import Message
from medassist.engine.scorer import GgufVocabulary
from medassist.engine.template import ChatTemplate, TemplateError, TemplateRefusal

AROUND = 30  # letters shown on both sides of a difference


class PromptCheck(BaseModel):
    """Result of comparing the rendered prompts."""

    model_config = ConfigDict(frozen=True)

    equal: bool
    compared: int
    """Conversations."""
    refused: int = 0
    """Conversations among them that both refuse."""
    first_difference: str | None = None
    differences: int = 0
    notes: tuple[str, ...] = ()


def compare_prompts(
    folder: Path,
    gguf: Path | GgufVocabulary,
    *,
    template: str | None = None,
    adapter: Path | None = None,
    watcher: Watcher = unwatched,
) -> PromptCheck:
    """Compare the chat template in `folder` with that of `gguf`.

    Args:
        folder: holds the tokenizer that the model was taught with.
        gguf: the model, or the base of a pair; or its vocabulary, open in llama.cpp.
        template: the chat template in the place of the folder's.
        adapter: the GGUF adapter that the base is asked with.
        watcher: is told how far it is.

    Raises:
        ConvertError: one of both cannot be loaded.
    """
    tokenizer = load_tokenizer(folder, template)
    taught, taught_own = asked_template(tokenizer), chat_templates(tokenizer).default
    own = None if adapter is None else read_facts(adapter).template
    with vocabulary_of(gguf) as vocabulary:
        try:
            asked = ChatTemplate(
                own or vocabulary.template,
                str(adapter if own else vocabulary.model),
                vocabulary.text(vocabulary.bos),
                vocabulary.text(vocabulary.eos),
                adds_bos=vocabulary.adds_bos,
            )
        except TemplateError as error:
            return PromptCheck(
                equal=False, compared=0, first_difference=str(error), differences=1
            )
        every = conversations()
        differences: list[str] = []
        refused = 0
        for done, conversation in enumerate(every):
            watcher("prompts", done, len(every))
            expected = _hf(tokenizer, taught, conversation)
            found = _app(asked, conversation)
            refused += expected is None and found is None
            said = _differ(tokenizer, vocabulary, expected, found)
            if said is not None:
                differences.append(
                    f"conversation {done + 1} of {len(every)} "
                    f"({_shape(conversation)}): {said}"
                )
        advice = _advice(folder, tokenizer, vocabulary) if differences else ()
        watcher("prompts", len(every), len(every))
    if differences and asked.is_stand_in != (taught_own is None):
        who = "the GGUF has none" if asked.is_stand_in else "only the GGUF has one"
        differences[0] = f"of a chat template {who}: {differences[0]}"
    if refused == len(every):
        differences.append("the chat template refuses every conversation")
    return PromptCheck(
        equal=not differences,
        compared=len(every),
        refused=refused,
        first_difference=differences[0] if differences else None,
        differences=len(differences),
        notes=advice,
    )


def _advice(
    folder: Path, tokenizer: PreTrainedTokenizerFast, vocabulary: GgufVocabulary
) -> tuple[str, ...]:
    """The way out where no GGUF can read conversations as the tokenizer does."""
    if not Backend.of(tokenizer, folder).has_byte_fallback:
        return ()
    blanks = blanks_of(tokenizer)
    if blanks.after_special or not vocabulary.adds_blank:
        return ()
    return (
        "llama.cpp puts a blank before text behind a special token, and this tokenizer "
        'does not. With "legacy": true in tokenizer_config.json both do: train with '
        "that, and convert again",
    )


def _hf(
    tokenizer: PreTrainedTokenizerFast, template: str, conversation: Conversation
) -> str | None:
    """The tokenizer's prompt; `None` where its template refuses."""
    try:
        return cast(
            str,
            tokenizer.apply_chat_template(
                conversation.messages,
                chat_template=template,
                tokenize=False,
                add_generation_prompt=conversation.asks,
            ),
        )
    except JinjaError:
        return None
    except Exception as error:
        # Templates run as code: whatever they do wrong is a refusal with a reason.
        raise ConvertError(
            f"the tokenizer's chat template fails on {_shape(conversation)}: {error}"
        ) from error


def _app(
    template: ChatTemplate, conversation: Conversation
) -> str | TemplateError | None:
    """The program's prompt; `None` where the template refuses, else what went wrong."""
    messages = [Message(role=role, content=text) for role, text in conversation.turns]
    try:
        return template.render(messages, ask=conversation.asks, fold=False)
    except TemplateRefusal:
        return None
    except TemplateError as error:
        return error


def _differ(
    tokenizer: PreTrainedTokenizerFast,
    vocabulary: GgufVocabulary,
    expected: str | None,
    found: str | TemplateError | None,
) -> str | None:
    """Describes the difference."""
    if isinstance(found, TemplateError):
        return None if expected is None else str(found)
    if expected is None or found is None:
        if expected is found:
            return None
        return f"{'the tokenizer' if expected is None else 'the GGUF'} refuses it"
    if expected != found:
        return _texts(expected, found)
    text = composed(tokenizer, expected)
    ids = tokenizer.encode(text, add_special_tokens=False, verbose=False)
    read = vocabulary.tokenize(text, special=True)
    return parted(tokenizer, vocabulary, ids, read) if ids != read else None


def _texts(expected: str, found: str) -> str:
    """First difference of two texts, in words."""
    same = next(
        (i for i, (a, b) in enumerate(zip(expected, found, strict=False)) if a != b),
        min(len(expected), len(found)),
    )
    cut = slice(max(0, same - AROUND), same + AROUND)
    return (
        f"from character {same + 1} on the tokenizer renders {expected[cut]!r}, the "
        f"GGUF {found[cut]!r}"
    )


def _shape(conversation: Conversation) -> str:
    return ", ".join(role for role, _ in conversation.turns)
