"""The prompt library: reusable questions in files that the user can edit.

Each is a Markdown file: a heading that names it, then the text, with places to be
filled in as `[[what goes here]]`. The shipped ones lie in `prompts/`; the user's are in
the folder `prompts` of the configuration. One of the same name takes the place of a
shipped one, and a shipped one is copied there when it is first edited.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from medassist.core.clean import clean, clean_line
from medassist.core.files import make_folder, read_text, write_whole
from medassist.core.paths import config_dir
from medassist.library.errors import LibraryError

SHIPPED = Path(__file__).with_name("prompts")
FOLDER_NAME = "prompts"
SUFFIX = ".md"
MAX_BYTES = 64 * 1024
MAX_PROMPTS = 500
PLACE = re.compile(r"\[\[([^\[\]\n]{1,200})\]\]")
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


@dataclass(frozen=True)
class Prompt:
    """One question of the library."""

    name: str
    """Its file's, without the ending."""
    title: str
    text: str
    file: Path
    is_own: bool
    """The user's file, not a shipped one."""

    @property
    def places(self) -> tuple[str, ...]:
        """The placeholders to be filled in."""
        return tuple(found[1].strip() for found in PLACE.finditer(self.text))


@dataclass(frozen=True)
class StoredPrompts:
    """All prompts by title, and errors of those that cannot be read."""

    prompts: tuple[Prompt, ...]
    problems: tuple[str, ...] = ()


def prompts_dir() -> Path:
    """The folder of the user's own prompts; it may not exist."""
    return config_dir() / FOLDER_NAME


def load_prompts() -> StoredPrompts:
    """Load all prompts; files that cannot be read become sentences."""
    found: dict[str, Prompt] = {}
    problems: list[str] = []
    for folder, is_own in ((SHIPPED, False), (prompts_dir(), True)):
        try:
            files = sorted(folder.glob(f"*{SUFFIX}"))[:MAX_PROMPTS]
        except OSError as error:
            problems.append(clean_line(f"{folder} cannot be read: {error.strerror}."))
            continue
        for file in files:
            try:
                found[file.stem] = read_prompt(file, is_own)
            except LibraryError as error:
                problems.append(clean_line(str(error)))
    ordered = sorted(found.values(), key=lambda prompt: prompt.title.casefold())
    return StoredPrompts(tuple(ordered), tuple(problems))


def read_prompt(file: Path, is_own: bool) -> Prompt:
    """The prompt in `file`.

    Raises:
        LibraryError: it cannot be read, is too large, or is no text in UTF-8.
    """
    try:
        if file.stat().st_size > MAX_BYTES:
            raise LibraryError(
                f"{file} has more than {MAX_BYTES:,} bytes, which is no prompt. "
                "Shorten it."
            )
        text = clean(read_text(file, "utf-8-sig"))
    except OSError as error:
        raise LibraryError(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise LibraryError(
            f"{file} is not UTF-8 (byte {error.start}). Save it as UTF-8."
        ) from None
    first, _, rest = text.lstrip().partition("\n")
    title = clean_line(file.stem) or file.stem
    if first.startswith("#"):
        title, text = clean_line(first.lstrip("#")) or title, rest
    if not text.strip():
        raise LibraryError(f"{file} holds no text. Write the prompt below its heading.")
    return Prompt(file.stem, title, text.strip(), file, is_own)


def keep_prompt(name: str, title: str, text: str) -> Path:
    """Save a prompt of the user's own (0600), over a shipped one of that name.

    Raises:
        LibraryError: the name cannot be a file's, it is empty or too long, or the
            file cannot be written.
    """
    if not NAME.fullmatch(name):
        raise LibraryError(
            f"{name!r} cannot be the name of a prompt: take small letters, digits and "
            "hyphens."
        )
    content = f"# {clean_line(title) or name}\n\n{clean(text).strip()}\n"
    if not text.strip():
        raise LibraryError("The prompt is empty; it was not kept.")
    if len(content.encode()) > MAX_BYTES:
        raise LibraryError(
            f"The prompt is longer than {MAX_BYTES:,} bytes; shorten it."
        )
    folder = prompts_dir()
    try:
        make_folder(folder)
        file = folder / f"{name}{SUFFIX}"
        write_whole(file, content)
    except OSError as error:
        raise LibraryError(f"{folder} cannot be written: {error.strerror}.") from None
    return file


def own_copy(prompt: Prompt) -> Prompt:
    """The user's own copy of the prompt, made if it is a shipped one.

    Raises:
        LibraryError: it cannot be copied.
    """
    if prompt.is_own:
        return prompt
    file = keep_prompt(prompt.name, prompt.title, prompt.text)
    return read_prompt(file, is_own=True)
