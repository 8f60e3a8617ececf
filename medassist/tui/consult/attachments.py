"""Files whose text is put into a question: named, read, shown, and only then taken."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from medassist.core.clean import clean_line
from medassist.session.session import Session
from medassist.tui.consult.composer import Composer
from medassist.tui.face import Face
from medassist.tui.wording import dialogs as wording

if TYPE_CHECKING:
    from medassist.engine.document_reader import DocumentText

MENTION: Final = re.compile(r'(?<!\S)@(?:"([^"\n]+)"|(\S+))')
"""A file named in a question: @letter.pdf, @"my letter.pdf"."""
_END: Final = wording.END_OF.format(name="NAME").replace("NAME", r"\1")
_PUT_IN: Final = re.compile(
    rf"^\[([^\n]+)\]\n.*?^\[{_END}\]$", re.DOTALL | re.MULTILINE
)
SUFFIXES: Final = (".pdf", ".txt", ".md", ".csv", ".log", ".json", ".xml", ".html")
"""Endings of what is meant as a file, whether or not it is there."""


@dataclass(frozen=True)
class NamedFile:
    """A file that is named in a question.

    Attributes:
        written: how it is named there.
        file: which one it is.
    """

    written: str
    file: Path


def mentioned(question: str) -> NamedFile | None:
    """The first file that `question` names; looks at the disk.

    What stands in a file that was put in is no name of another.
    """
    for found in MENTION.finditer(_PUT_IN.sub("", question)):
        name = found[1] or found[2]
        file = _path(name)
        if file is None:
            continue
        try:
            there = file.is_file()
        except (OSError, ValueError):
            there = False
        if there or file.suffix.lower() in SUFFIXES:
            return NamedFile(found[0], file)
    return None


def _path(name: str) -> Path | None:
    try:
        return Path(name).expanduser().absolute()
    except (RuntimeError, ValueError):
        return None


class Attachments:
    """Puts the text of files into the composer.

    Args:
        face: shows what is opened from here.
        session: knows how much fits.
        composer: takes the text.
    """

    def __init__(self, face: Face, session: Session, composer: Composer) -> None:
        self._face = face
        self._session = session
        self._composer = composer

    async def attach(self) -> None:
        """Ask which file, and put its text in where the cursor is."""
        from medassist.tui.dialogs.one_line import OneLine

        name = await self._face.push_screen_wait(
            OneLine(wording.ATTACH, wording.ATTACH_LABEL)
        )
        file = _path(name.strip().strip('"')) if name and name.strip() else None
        if file is not None:
            text = await self._text_of(file)
            if text is not None:
                self._composer.insert_prompt(text)

    async def put(self, mention: NamedFile) -> None:
        """Put the text of a file that the question names in the place of its name."""
        text = await self._text_of(mention.file)
        if text is not None:
            self._composer.replace_word(mention.written, text)

    async def _text_of(self, file: Path) -> str | None:
        """The text of `file` as the user wants it; `None`: not at all."""
        from medassist.engine.document import DocumentError, read_document
        from medassist.tui.dialogs.attached import Attached
        from medassist.tui.dialogs.identifiers import identifiers_in

        self._face.say(wording.reading(clean_line(file.name)))
        try:
            found = await asyncio.to_thread(read_document, file)
        except DocumentError as error:
            self._face.say(clean_line(str(error)), warning=True)
            return None
        identifiers, foreign = await asyncio.to_thread(identifiers_in, found.text)
        infos = self._session.pair.infos.values()
        context = min((info.context for info in infos), default=None)
        name = clean_line(file.name)
        about = wording.attached(name, _size(found), len(found.text), context)
        screen = Attached(about, found.text, identifiers, foreign=foreign)
        # That it is being read would stand over the first words of what was read.
        self._face.clear_notifications()
        match await self._face.push_screen_wait(screen):
            case "keep":
                text = found.text
            case "replace":
                from medassist.safety.identifiers import replace

                text = await asyncio.to_thread(replace, found.text, identifiers)
            case _:
                return None
        return f"[{name}]\n{text}\n[{wording.END_OF.format(name=name)}]\n"


def _size(found: DocumentText) -> str:
    return wording.pages(found.pages, found.empty_pages)
