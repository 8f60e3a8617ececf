"""Screen of the prompt library: choose a question, or edit it."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, OptionList, Static, TextArea
from textual.widgets.option_list import Option

from medassist.core.clean import clean_line
from medassist.library.errors import LibraryError
from medassist.library.prompt_library import (
    PLACE,
    Prompt,
    keep_prompt,
    load_prompts,
    own_copy,
)
from medassist.tui import keys
from medassist.tui.buttons import Buttons, button
from medassist.tui.wording import screens as wording


class PromptLibrary(ModalScreen[str | None]):
    """Dismissed with the text for the composer, or with `None`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.back("back", first=True),
        *keys.bindings("prompts"),
        *keys.same("prompts", "back"),
    ]
    CSS_PATH = "prompt_library.tcss"
    AUTO_FOCUS = "#list"

    def __init__(self) -> None:
        super().__init__()
        self._prompts: tuple[Prompt, ...] = ()
        self._edited: Prompt | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(wording.PROMPTS, markup=False, id="title")
            yield Static("", markup=False, id="said")
            with Horizontal(id="both"):
                yield OptionList(id="list", markup=False, compact=True)
                with Vertical(id="right"):
                    with VerticalScroll(id="preview"):
                        yield Static("", markup=False, id="text")
                    yield TextArea(
                        "", id="editor", soft_wrap=True, tab_behavior="focus"
                    )
                    yield Static("", markup=False, id="place")
            with Buttons(id="answers"):
                yield button(wording.INSERT, "insert", primary=True)
                yield button(wording.EDIT, "edit", "screen.edit")
                yield button(wording.KEEP, "keep", "screen.keep")
                yield button(wording.BACK, "back", "screen.back")

    async def on_mount(self) -> None:
        self._say("")
        self._show_editor(False)
        await self._fill("")

    async def _fill(self, name: str) -> None:
        found = await asyncio.to_thread(load_prompts)
        self._prompts = found.prompts
        listed = self.query_one("#list", OptionList)
        listed.clear_options()
        listed.add_options([Option(p.title, id=p.name) for p in self._prompts])
        names = [p.name for p in self._prompts]
        listed.highlighted = names.index(name) if name in names else 0
        if found.problems:
            self._say(found.problems[0])

    @property
    def _chosen(self) -> Prompt | None:
        at = self.query_one("#list", OptionList).highlighted
        return self._prompts[at] if at is not None and self._prompts else None

    @on(OptionList.OptionHighlighted)
    def _on_highlighted(self) -> None:
        prompt = self._chosen
        if prompt is not None:
            self.query_one("#text", Static).update(_marked(prompt.text))
            self._place(wording.prompt_place(prompt.file, prompt.is_own))

    @on(OptionList.OptionSelected)
    @on(Button.Pressed, "#insert")
    def _on_insert(self) -> None:
        if self._edited is None and self._chosen is not None:
            self.dismiss(self._chosen.text)

    async def action_edit(self) -> None:
        prompt = self._chosen
        if prompt is None or self._edited is not None:
            return
        try:
            self._edited = await asyncio.to_thread(own_copy, prompt)
        except LibraryError as error:
            self._say(str(error))
            return
        self._say(wording.PLACES)
        editor = self.query_one("#editor", TextArea)
        editor.text = self._edited.text
        self._place(wording.prompt_place(self._edited.file, own=True))
        self._show_editor(True)
        editor.focus()

    async def action_keep(self) -> None:
        edited = self._edited
        if edited is None:
            return
        text = self.query_one("#editor", TextArea).text
        try:
            await asyncio.to_thread(keep_prompt, edited.name, edited.title, text)
        except LibraryError as error:
            self._say(str(error))
            return
        await self._end_editing(edited.name, wording.KEPT_IN.format(file=edited.file))

    async def _end_editing(self, name: str, said: str) -> None:
        self._edited = None
        self._say(said)
        self._show_editor(False)
        await self._fill(name)
        self.query_one("#list").focus()

    async def action_back(self) -> None:
        if self._edited is not None:
            await self._end_editing(self._edited.name, "")
        else:
            self.dismiss(None)

    def _show_editor(self, shown: bool) -> None:
        self.query_one("#editor").display = shown
        self.query_one("#keep").display = shown
        for hidden in ("#preview", "#insert", "#edit"):
            self.query_one(hidden).display = not shown
        self.query_one("#list").disabled = shown

    def _place(self, text: str) -> None:
        self.query_one("#place", Static).update(clean_line(text))

    def _say(self, sentence: str) -> None:
        said = self.query_one("#said", Static)
        said.display = bool(sentence)
        said.update(clean_line(sentence))


def _marked(text: str) -> Content:
    """The text with the places that are to be filled in standing out."""
    content = Content(text)
    for found in PLACE.finditer(text):
        content = content.stylize("bold reverse", found.start(), found.end())
    return content
