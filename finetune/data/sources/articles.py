"""Credit for open-access articles: one by one, not by collection.

Beside the articles lies `index.jsonl`: a JSON object a line with doi, authors, journal,
year and licence.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ValidationError

from finetune.data.sources.source_notices import notices
from finetune.errors import FinetuneError


class ArticleCredit(BaseModel):
    """Facts about an article; further fields of the index are ignored."""

    file: str
    doi: str | None = None
    authors: list[str] = []
    journal: str | None = None
    year: str | None = None
    licence: str

    @property
    def credit(self) -> str:
        """A line: who wrote it, where it appeared, under which licence."""
        parts = [", ".join(self.authors) or "its authors"]
        parts += [part for part in (self.journal, self.year) if part]
        where = f"https://doi.org/{self.doi}" if self.doi else self.file
        return f"{', '.join(parts)}. {where} ({self.licence})"


def credits(data: Path, sources: Iterable[str]) -> str:
    """The credits of all articles of `sources`, under a heading for each of them.

    Raises:
        FinetuneError: an index is missing or broken.
    """
    paragraphs: list[str] = []
    for name in sources:
        notice = notices()[name]
        if notice.articles is None:
            continue
        lines = [article.credit for article in _read_index(data / notice.articles)]
        paragraphs.append("\n".join([notice.title, "", *lines]) + "\n")
    return "\n".join(paragraphs)


def _read_index(file: Path) -> list[ArticleCredit]:
    try:
        lines = file.read_text("utf-8").split("\n")
        return [ArticleCredit.model_validate_json(line) for line in lines if line]
    except OSError as error:
        raise FinetuneError(
            f"{file} cannot be read: {error.strerror}; it says whom to credit for the "
            "articles"
        ) from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise FinetuneError(
            f"{file} is not an index of articles, a JSON object a line: {error}"
        ) from error
