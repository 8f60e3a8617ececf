"""Recognises unsupported file formats, to say so when one is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from convert.errors import ConvertError
from convert.foreign_forms import FORMS, NO_TOKENIZER, TOKENIZER_FILES, ForeignForm
from convert.foreign_forms import Sight as Sight
from convert.supported_models import TAKEN


def of_tensors(
    file: Path, names: Iterable[str], where: Sight, beside: str = ""
) -> str | None:
    """A sentence on the first foreign format recognised by tensor names.

    Args:
        file: that holds them.
        names: those to look at.
        where: an adapter's or a model's.
        beside: what is to be said of the name, such as ", which the base has not".
    """
    every = sorted(names)
    for form in FORMS:
        if where in form.where:
            for name in every:
                if match := re.search(form.seen, name):
                    return _sentence(form, file, name + beside, match)
    return None


def of_adapter_config(file: Path, keys: Iterable[str]) -> str | None:
    """A sentence on an adapter_config.json that is not PEFT's."""
    return of_tensors(file, keys, Sight.ADAPTER_KEY)


def of_class(file: Path, name: str) -> str:
    """A sentence on the model class that config.json `file` names."""
    form = next(
        form
        for form in FORMS
        if Sight.CLASS in form.where and re.fullmatch(form.seen, name)
    )
    return (
        f"{file}: the architecture is {name}: {form.what}. This converter knows "
        f"{', '.join(TAKEN)}; {_filled(form.to_do, name)}"
    )


def of_folder(folder: Path, wanted: str, where: Sight = Sight.IN_FOLDER) -> str | None:
    """A sentence on a folder without the wanted files, or with them deeper.

    Args:
        folder: that was given.
        wanted: the name of the file that makes a folder the right one; where none has
            it, one with any other config is shown.
        where: which forms to look for.
    """
    for form in FORMS:
        if where not in form.where:
            continue
        for name in (wanted, "*config.json"):
            pattern = form.seen.format(wanted=name)
            if found := sorted(folder.glob(pattern), key=_order):
                last = found[-1].parent if "{wanted}" in form.seen else found[-1]
                shown = last.relative_to(folder).as_posix()
                what, to_do = (
                    _filled(text, str(last)) for text in (form.what, form.to_do)
                )
                return f"{folder} holds {shown}: {what}; {to_do}"
    return None


def no_tokenizer(*folders: Path, shown: str = "") -> str | None:
    """A sentence on folders without a tokenizer.

    Args:
        folders: to look into.
        shown: what to call them; by default the first one's path.
    """
    if any((folder / name).is_file() for folder in folders for name in TOKENIZER_FILES):
        return None
    return f"{shown or folders[0]}: {NO_TOKENIZER.what}; {NO_TOKENIZER.to_do}"


def refuse_form(said: str | None) -> None:
    """Raise the error, if a sentence was found.

    Raises:
        ConvertError: there is one.
    """
    if said is not None:
        raise ConvertError(said)


def _sentence(form: ForeignForm, file: Path, name: str, match: re.Match[str]) -> str:
    found = match[1] if match.re.groups else match[0]
    what, to_do = (_filled(text, found) for text in (form.what, form.to_do))
    return f"{file} holds {name}: {what}; {to_do}"


def _filled(text: str, found: str) -> str:
    return text.format(found=found)


def _order(path: Path) -> tuple[int, bool, str]:
    """The last checkpoint comes last, and the version that the hub calls main."""
    numbers = re.findall(r"checkpoint-(\d+)", path.as_posix())
    try:
        main = (path.parents[2] / "refs" / "main").read_text("utf-8").strip()
    except (OSError, ValueError, IndexError):
        main = ""
    last = int(numbers[-1]) if numbers else -1
    return last, main == path.parent.name, path.as_posix()
