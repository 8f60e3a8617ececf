"""Options on how Ollama runs a model, shared by several verbs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convert.errors import ConvertError
from medassist.core.files import read_text, without_line_end

if TYPE_CHECKING:
    from convert.ollama.model_settings import OllamaWishes

System = Annotated[
    str | None, typer.Option(metavar="TEXT", help="The system prompt of the model.")
]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        "-p",
        metavar="NAME=VALUE",
        help="A parameter of Ollama, such as temperature=0.2. Can be given often.",
    ),
]
Stops = Annotated[
    list[str] | None,
    typer.Option(
        "--stop",
        metavar="TEXT",
        help="A text that ends an answer, besides those that the model's files name.",
    ),
]
Context = Annotated[
    int | None,
    typer.Option(
        "--num-ctx",
        metavar="TOKENS",
        min=16,
        help="Length of the context; by default the model's up to 8192, and where the "
        "model can take more, what Ollama takes.",
    ),
]
Licences = Annotated[
    list[Path] | None,
    typer.Option(
        "--license", metavar="FILE", help="A text file with a licence of the model."
    ),
]
Messages = Annotated[
    list[str] | None,
    typer.Option(
        "--message",
        metavar="'ROLE: TEXT'",
        help="A turn before every conversation: 'user: ...', then 'assistant: ...'.",
    ),
]
Template = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A Go TEMPLATE written by hand, in the place of the one that is derived.",
    ),
]
Date = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="What a chat template shall write as today's date, for ever.",
    ),
]
CardFile = Annotated[
    Path | None,
    typer.Option(
        "--card",
        metavar="FILE",
        help="The model's card.json: its licence, sources and context.",
    ),
]


def read_wishes(
    *,
    system: str | None,
    parameters: list[str] | None,
    stops: list[str] | None,
    context: int | None,
    licences: list[Path] | None,
    messages: list[str] | None,
    template: Path | None,
    date: str | None,
    card: Path | None,
) -> OllamaWishes:
    """Parse the user's options.

    Raises:
        ConvertError: an option says what cannot be, or names a file that is not text.
        CardError: the card is none.
    """
    from convert.notice import notice
    from convert.ollama.model_settings import OllamaWishes, read_message
    from convert.ollama.parameters import read_parameter
    from medassist.core.card import read_card

    texts = [_text(file) for file in licences or []]
    known = None if card is None else read_card(card)
    if known is not None:
        texts.insert(0, notice(known))
    return OllamaWishes(
        system=system,
        parameters=dict(read_parameter(text) for text in parameters or []),
        stops=tuple(stops or []),
        licences=tuple(texts),
        messages=tuple(read_message(text) for text in messages or []),
        template=None if template is None else without_line_end(_text(template)),
        date=date,
        context=context,
        card_context=known.context if known else None,
        card_stops=known.stops if known else (),
    )


def _text(file: Path) -> str:
    try:
        return read_text(file)
    except OSError as error:
        raise ConvertError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConvertError(f"{file} is no text in UTF-8: {error}") from error
