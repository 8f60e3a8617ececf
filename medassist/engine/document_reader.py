"""The text of a document, read in a process of its own: it comes from outside.

A PDF is parsed here with no network, no files but itself, and bounds on time and
memory; what was read is the only answer. Started by `document` alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import TypeAdapter

from medassist.engine.frames import Refused
from medassist.frozen_model import FrozenModel

if TYPE_CHECKING:
    from pypdf import PdfReader

    from medassist.engine.child_startup import Confined

MOST_PAGES: Final = 200
MOST_CHARACTERS: Final = 1_000_000
MEMORY_BYTES: Final = 512 * 1024 * 1024
PDF: Final = b"%PDF-"
HEAD_BYTES: Final = 1024
"""A PDF begins within so many bytes, by its own rules."""


class ReadDocument(FrozenModel):
    """Read this file: the only command."""

    file: Path


class DocumentText(FrozenModel):
    """Text of a document."""

    text: str
    pages: int = 0
    """Pages of a PDF; 0: it is a text."""
    empty_pages: int = 0
    """Those on which no text stands: pictures, mostly."""


class Unreadable(Exception):
    """The document cannot be used; the message is what follows its name."""


COMMAND: TypeAdapter[ReadDocument] = TypeAdapter(ReadDocument)
REPLIES: TypeAdapter[DocumentText | Refused] = TypeAdapter(DocumentText | Refused)


def read(file: Path) -> DocumentText:
    """The text of `file`, in this process.

    Raises:
        Unreadable: it holds no text, too much of it, or is locked or damaged.
    """
    try:
        with file.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as error:
        raise Unreadable(f"it cannot be read: {error.strerror}.") from None
    return _pdf(file) if PDF in head else _text(file.read_bytes())


def _text(data: bytes) -> DocumentText:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode(
                "cp1252", "replace"
            )  # as older programs of Windows write
    if "\x00" in text or text.count("\ufffd") > len(text) // 100:
        raise Unreadable(
            "it is neither a text nor a PDF. Save it as one of them, or paste its text."
        )
    return DocumentText(text=_bounded(text))


def _pdf(file: Path) -> DocumentText:
    from pypdf import PdfReader

    reader = PdfReader(file)
    if reader.is_encrypted and not _opens(reader):
        raise Unreadable(
            "it is locked with a password. Save a copy without one, and attach that."
        )
    count = len(reader.pages)
    if count > MOST_PAGES:
        raise Unreadable(
            f"it has {count:,} pages; {MOST_PAGES} are the most that are read. Save "
            "the pages that matter as a file of their own."
        )
    pages: list[str] = []
    for page in reader.pages:
        pages.append(page.extract_text())
        _bounded("".join(pages))
    empty = sum(not page.strip() for page in pages)
    if empty == count:
        raise Unreadable(
            "it holds no text, only pictures: a scan, mostly. Run text recognition "
            "over it, or type what matters."
        )
    text = "\n\n".join(page.strip() for page in pages if page.strip())
    return DocumentText(text=text, pages=count, empty_pages=empty)


def _opens(reader: PdfReader) -> bool:
    """Whether a PDF that is encrypted opens without a password."""
    try:
        return bool(reader.decrypt(""))
    except Exception:  # by a method for which a further library is needed
        return False


def _bounded(text: str) -> str:
    if len(text) > MOST_CHARACTERS:
        raise Unreadable(
            f"it holds more than {MOST_CHARACTERS:,} characters, which no model here "
            "can take in. Save the part that matters as a file of its own."
        )
    return text


def serve(process: Confined) -> None:
    """Read the file that the app names, and tell its text."""
    import logging

    command = process.channel.receive(COMMAND)
    if command is None:
        return
    # What the parser warns of could quote the document.
    logging.disable()
    process.end_with_the_app()
    process.keep_files([command.file])
    from medassist.engine.template import memory_limit

    try:
        with memory_limit(MEMORY_BYTES):
            found: DocumentText | Refused = read(command.file)
    except Unreadable as why:
        found = Refused(message=str(why))
    except (MemoryError, RecursionError):
        found = Refused(message="reading it takes more memory than it may have.")
    except Exception as error:
        # Whatever a parser makes of a damaged file is the file's fault.
        name = type(error).__name__
        found = Refused(
            message=f"it is damaged, or no PDF as others read it ({name}). Open it in "
            "another program and save it anew."
        )
    process.channel.send(found)
