"""One consultation as a file for others: Markdown, JSON, HTML or PDF.

The file is not encrypted. Its text comes from models and pastes, so each form writes
it in a way in which it cannot pose as anything else: as a heading, a verdict, a
sign-off or a script.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from medassist.core.files import write_new, write_whole
from medassist.records.errors import RecordsError, of_system
from medassist.records.export.export_document import Mask, compose, unmasked
from medassist.records.record import Record, WarningGiven

Form = Literal["markdown", "json", "html", "pdf"]
SUFFIXES: dict[Form, str] = {
    "markdown": ".md",
    "json": ".json",
    "html": ".html",
    "pdf": ".pdf",
}


@dataclass(frozen=True)
class Exported:
    """Result of an export.

    Attributes:
        file: where; only this user can read it (0600).
        notices: what the user has to know about it, in sentences.
    """

    file: Path
    notices: tuple[str, ...]


def suggested_name(form: Form, time: datetime) -> str:
    """A file name that says nothing of what is inside."""
    return f"consultation-{time.astimezone():%Y-%m-%d-%H%M}{SUFFIXES[form]}"


def export(
    record: Record,
    file: Path,
    form: Form,
    *,
    warned: Sequence[WarningGiven] = (),
    mask: Mask = unmasked,
    redact: Mask = unmasked,
    replace: bool = False,
    thoughts: bool = False,
) -> Exported:
    """Write `record` to `file`, whole or not at all. Blocks: call it in a thread.

    Args:
        record: the consultation, saved or not.
        file: the target.
        form: of the file.
        warned: the identifiers that the user was just warned of, and what they chose.
        mask: hides a model's name in a text; used while names are hidden.
        redact: gives each text of `document.texts` without identifiers.
        replace: write over a file that is there.
        thoughts: what the models thought goes in too.

    Raises:
        RecordsError: there is a file already, or it cannot be written.
    """
    document = compose(record, warned, mask, redact, thoughts)
    notices: tuple[str, ...] = ()
    content: str | bytes
    match form:
        case "markdown":
            from medassist.records.export.markdown import markdown

            content = markdown(document)
        case "json":
            from medassist.records.export.as_json import as_json

            content = as_json(document)
        case "html":
            from medassist.records.export.html import html

            content = html(document)
        case "pdf":
            from medassist.records.export.pdf import pdf

            content, notices = pdf(document)
    _write(file, content, replace)
    return Exported(file, notices)


def _write(file: Path, content: str | bytes, replace: bool) -> None:
    try:
        (write_whole if replace else write_new)(file, content)
    except FileExistsError:
        raise RecordsError(
            f"{file} is there already. Choose another name, or say that it may be "
            "replaced."
        ) from None
    except OSError as error:
        raise of_system(error, file) from None
