"""A text or PDF file whose text is put into a question, read in a confined child."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from medassist.core.clean import clean
from medassist.core.errors import EngineError
from medassist.engine.child import Child, ChildEnded
from medassist.engine.document_reader import REPLIES, DocumentText, ReadDocument

READER: Final = "medassist.engine.document_reader"
TIME_LIMIT_S: Final = 10.0
MOST_BYTES: Final = 100 * 1024 * 1024


class DocumentError(EngineError):
    """A document cannot be put into a question; the message names it and says why."""


def read_document(file: Path, time_limit_s: float = TIME_LIMIT_S) -> DocumentText:
    """Reads the text of `file`, cleaned. Blocks: call it in a thread.

    Args:
        file: a text or a PDF.
        time_limit_s: seconds that reading it may take.

    Raises:
        DocumentError: it is no such file, holds no text, or too much of it.
    """
    try:
        is_file, size = file.is_file(), file.stat().st_size
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", "") or "there is no such file"
        raise DocumentError(f"{file}: it cannot be read: {why}.") from None
    if not is_file:
        raise DocumentError(f"{file}: it is no file. Name a text or a PDF.")
    if size > MOST_BYTES:
        raise DocumentError(
            f"{file}: it has {size:,} bytes; {MOST_BYTES:,} are the most that are "
            "read. Save the part that matters as a file of its own."
        )
    try:
        with Child(READER, REPLIES, time_limit_s) as child:
            child.send(ReadDocument(file=file.absolute()))
            found = child.receive()
    except ChildEnded as ended:
        why = "reading it ended the process that did so: it is most likely damaged"
        if ended.late:
            why = f"reading it took more than {time_limit_s:g} s"
        to_do = "open it in another program and save it anew, or paste what matters"
        if ended.broken:
            why, to_do = f"it was not read, because {ended.broken}", ended.to_do
        raise DocumentError(f"{file}: {why}. {to_do.capitalize()}.") from None
    if not isinstance(found, DocumentText):
        raise DocumentError(f"{file}: {clean(found.message)}")
    text = clean(found.text).strip()
    if not text:
        raise DocumentError(f"{file}: there is no text in it.")
    return found.model_copy(update={"text": text})
