"""Dialog to export one consultation into a file."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Checkbox, Input, OptionList, Static
from textual.widgets.option_list import Option

from medassist.records.errors import RecordsError
from medassist.records.export import SUFFIXES, Form, export, suggested_name
from medassist.records.export.export_document import Mask, thinks, time_line, unmasked
from medassist.records.record import now
from medassist.tui import keys
from medassist.tui.buttons import Buttons, button
from medassist.tui.dialogs.decision import Decision
from medassist.tui.face import face
from medassist.tui.wording import dialogs as wording

if TYPE_CHECKING:
    from medassist.records.record import Record
    from medassist.session.consultation_record import ConsultationRecord


class Export(ModalScreen[Path | None]):
    """Dismissed with the file that was written, or with `None`.

    Args:
        record: the consultation on the screen.
        sign_off: asks whether it has been reviewed.
        mask: hides a model's name while names are hidden.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.back("back"),
        *keys.same("export", "back"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-tall")]
    CSS_PATH = "export.tcss"
    AUTO_FOCUS = "#form"

    def __init__(
        self,
        record: ConsultationRecord,
        sign_off: Callable[[], Awaitable[None]],
        mask: Mask = unmasked,
    ) -> None:
        super().__init__()
        self._kept = record
        self._sign_off = sign_off
        self._mask = mask
        self._name = suggested_name("markdown", now())
        self._busy = False

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(wording.EXPORT, markup=False, id="title")
            with VerticalScroll(id="text", can_focus=False):
                yield Static(wording.WHAT_IS_EXPORTED, markup=False)
                yield Static("", markup=False, id="status")
                yield Static(wording.FORMAT, markup=False, classes="label")
                yield OptionList(
                    *(Option(text, name) for name, text in wording.FORMS),
                    id="form",
                    markup=False,
                    compact=True,
                )
                yield Checkbox(wording.WITH_THOUGHTS, id="thoughts", compact=True)
                yield Static(wording.FILE, markup=False, classes="label")
                yield Input(str(Path.home() / self._name), id="file", compact=True)
            yield Static("", markup=False, id="problem")
            with Buttons(id="answers"):
                yield button(wording.WRITE, "write", primary=True)
                yield button(wording.SIGN_OFF, "sign-off")
                yield button(wording.BACK, "back", "screen.back")

    def on_mount(self) -> None:
        self._say("")
        self.query_one("#form", OptionList).highlighted = 0
        self.query_one("#thoughts").display = thinks(self._record)
        self._draw_status()

    @property
    def _record(self) -> Record:
        return self._kept.content

    @property
    def _form(self) -> Form:
        at = self.query_one("#form", OptionList).highlighted
        return wording.FORMS[at or 0][0]

    def _draw_status(self) -> None:
        signed = self._record.signed_off
        said = (
            wording.SIGNED_OFF.format(time=time_line(signed))
            if signed
            else wording.DRAFT
        )
        self.query_one("#status", Static).update(said)
        button = self.query_one("#sign-off", Button)
        button.label = wording.TAKE_SIGN_OFF_BACK if signed else wording.SIGN_OFF
        button.refresh(layout=True)

    def _say(self, sentence: str) -> None:
        line = self.query_one("#problem", Static)
        line.update(sentence)
        line.display = bool(sentence)

    @on(OptionList.OptionHighlighted)
    def _on_form(self) -> None:
        """The end of the name follows the form, unless the user chose another end."""
        field = self.query_one("#file", Input)
        file = Path(field.value)
        if file.suffix in SUFFIXES.values():
            field.value = str(file.with_suffix(SUFFIXES[self._form]))

    @on(OptionList.OptionSelected)
    def _on_form_taken(self) -> None:
        self.query_one("#file", Input).focus()

    @on(Button.Pressed, "#sign-off")
    def _on_sign_off(self) -> None:
        self.run_worker(self._have_signed(), group="export")

    async def _have_signed(self) -> None:
        await self._sign_off()
        self._draw_status()

    @on(Input.Submitted)
    @on(Button.Pressed, "#write")
    def _on_write(self) -> None:
        if not self._busy:
            self._busy = True
            self._say("")
            self.run_worker(self._write(), group="export")

    async def _write(self) -> None:
        try:
            file = await self._written()
        except RecordsError as error:
            self._say(str(error))
            file = None
        finally:
            self._busy = False
        if file is not None:
            self.dismiss(file)

    async def _written(self) -> Path | None:
        from medassist.records.export.export_document import texts
        from medassist.tui.dialogs.identifier_warning import warn

        file = _path(self.query_one("#file", Input).value)
        if file is None:
            self._say(wording.NAME_A_FILE)
            return None
        replaces = False
        if await asyncio.to_thread(file.is_dir):
            self._say(wording.IS_FOLDER.format(file=file))
            return None
        if await asyncio.to_thread(file.exists):
            question = Decision(*wording.replace_file(file))
            if not await face(self).push_screen_wait(question):
                return None
            replaces = True
        record = self._record
        thoughts = self.query_one("#thoughts", Checkbox).value
        decided = await warn(face(self), texts(record, thoughts), "exporting")
        if decided is None:
            return None
        done = await asyncio.to_thread(
            export,
            record,
            file,
            self._form,
            warned=decided.warnings,
            mask=self._mask,
            redact=decided.redact,
            replace=replaces,
            thoughts=thoughts,
        )
        self._kept.warned(decided.warnings)
        for notice in done.notices:
            self.notify(notice, severity="warning", timeout=15, markup=False)
        self.notify(wording.WRITTEN.format(file=file), timeout=10, markup=False)
        return file

    def action_back(self) -> None:
        if not self._busy:
            self.dismiss(None)


def _path(typed: str) -> Path | None:
    typed = typed.strip()
    if not typed:
        return None
    try:
        return Path(typed).expanduser().absolute()
    except RuntimeError:  # ~somebody whom this computer does not know
        return Path(typed).absolute()
