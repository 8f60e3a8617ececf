"""Saved consultations: list, search, open, rename, delete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from medassist.records.deletion import WHAT_DELETION_MEANS
from medassist.records.errors import Locked, RecordsError
from medassist.records.history import PAGE, Filter, Summary
from medassist.records.search import SearchHit, SnippetPart
from medassist.tui import keys
from medassist.tui.consult.key_line import KeyLine
from medassist.tui.dialogs.decision import Decision
from medassist.tui.dialogs.one_line import OneLine
from medassist.tui.face import face
from medassist.tui.wording import screens as wording

if TYPE_CHECKING:
    from medassist.records.store import Store
    from medassist.session.consultation_record import ConsultationRecord

FILTERS = tuple(wording.VERDICTS)
MORE = "more"
QUIET_S = 0.12
"""A search begins once nothing has been typed for so long."""


@dataclass(frozen=True)
class Chosen:
    """The consultation to open."""

    consultation: int


class History(Screen[Chosen | None]):
    """Dismissed with the consultation to open, or with `None`.

    Args:
        record: the open records, and what of them is on the consult screen.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.back("back", first=True),
        *keys.bindings("history"),
        *keys.same("history", "back"),
    ]
    CSS_PATH = "history.tcss"
    AUTO_FOCUS = "#search"

    def __init__(self, record: ConsultationRecord) -> None:
        super().__init__()
        self._record = record
        self._wanted: wording.Wanted = None
        self._lines: dict[int, Summary] = {}
        self._searched = ""

    def compose(self) -> ComposeResult:
        with Horizontal(id="head"):
            yield Static(wording.HISTORY, markup=False, id="title")
            yield Static("", markup=False, id="count")
        yield Input(
            placeholder=wording.SEARCH,
            id="search",
            compact=True,
        )
        yield OptionList(id="list", markup=False, compact=True)
        yield KeyLine()

    def on_mount(self) -> None:
        self._fill()

    # Listing

    @property
    def _store(self) -> Store:
        """The records; another object after each lock."""
        store = self._record.store
        if store is None:
            raise Locked(wording.LOCKED)
        return store

    @property
    def _list(self) -> OptionList:
        return self.query_one("#list", OptionList)

    @property
    def _typed(self) -> str:
        return self.query_one("#search", Input).value.strip()

    @on(Input.Changed)
    def _on_typed(self) -> None:
        self.set_timer(QUIET_S, self._fill_if_changed)

    def _fill_if_changed(self) -> None:
        if self._typed != self._searched:
            self._fill()

    def _fill(self) -> None:
        self._searched = self._typed
        self.run_worker(self._find(0), group="find", exclusive=True)

    async def _find(self, offset: int) -> None:
        """Show the page that begins at `offset`, below those before it."""
        chosen = Filter(verdict=self._wanted)
        typed = self._searched
        try:
            if typed:
                hits = await self._store.search(typed, chosen, offset)
                found = [(hit.summary, hit) for hit in hits]
                total = None
            else:
                page = await self._store.page(chosen, offset)
                found = [(line, None) for line in page]
                total = await self._store.count(chosen)
        except RecordsError as error:
            self._count(str(error))
            return
        if not offset:
            self._lines.clear()
            self._list.clear_options()
        else:
            self._list.remove_option(MORE)
        self._lines.update({line.id: line for line, _ in found})
        width = max(20, self.size.width - 4)
        self._list.add_options(
            Option(_entry(line, hit, line.id == self._record.id, width), str(line.id))
            for line, hit in found
        )
        if len(found) == PAGE and (total is None or offset + PAGE < total):
            self._list.add_option(Option(wording.SHOW_MORE.format(count=PAGE), MORE))
        self._say_count(total)
        if self._list.highlighted is None and self._list.option_count:
            self._list.highlighted = 0

    def _say_count(self, total: int | None) -> None:
        shown = len(self._lines)
        if total is None:
            said = wording.found(shown, more=shown % PAGE == 0)
        else:
            said = wording.listed(shown, total, self._wanted is not None)
        self._count(wording.of_verdict(said, self._wanted))

    def _count(self, said: str) -> None:
        self.query_one("#count", Static).update(said)

    # What can be done

    @property
    def _marked(self) -> Summary | None:
        """The consultation that is highlighted."""
        at = self._list.highlighted
        if at is None:
            return None
        name = self._list.get_option_at_index(at).id
        return self._lines.get(int(name)) if name and name.isdigit() else None

    def action_to_list(self) -> None:
        if self._list.option_count:
            self._list.focus()

    @on(OptionList.OptionSelected)
    def action_open(self) -> None:
        at = self._list.highlighted
        marked = self._marked
        if self._typed != self._searched:
            self._fill()  # what is listed is not what was asked for
        elif marked is not None:
            self.dismiss(Chosen(marked.id))
        elif at is not None and self._list.get_option_at_index(at).id == MORE:
            self.run_worker(self._find(len(self._lines)), group="find", exclusive=True)

    def action_back(self) -> None:
        self.dismiss(None)

    def action_filter(self) -> None:
        at = FILTERS.index(self._wanted)
        self._wanted = FILTERS[(at + 1) % len(FILTERS)]
        self._fill()

    def action_rename(self) -> None:
        marked = self._marked
        if marked is not None:
            self.run_worker(self._rename(marked), group="change")

    async def _rename(self, line: Summary) -> None:
        dialog = OneLine(wording.RENAME, wording.THE_TITLE, line.title)
        title = await face(self).push_screen_wait(dialog)
        if title is None or not title.strip() or title == line.title:
            return
        try:
            if line.id == self._record.id:
                self._record.content.title = title
                if not await self._record.save():
                    self._tell(self._record.trouble)
            else:
                await self._store.rename(line.id, title)
        except RecordsError as error:
            self._tell(str(error))
        await self._find(0)

    def action_delete(self) -> None:
        marked = self._marked
        if marked is not None:
            self.run_worker(self._delete(marked), group="change")

    async def _delete(self, line: Summary) -> None:
        here = line.id == self._record.id
        if here and not self._record.content.consultation.over:
            self._tell(wording.STILL_WRITING_HERE)
            return
        question = wording.delete(line.title, WHAT_DELETION_MEANS, here)
        if not await face(self).push_screen_wait(Decision(*question)):
            return
        if here:
            self._record.begin_anew()
        try:
            await self._store.delete([line.id])
        except RecordsError as error:
            self._tell(str(error))
        await self._find(0)

    def _tell(self, sentence: str) -> None:
        self.notify(sentence, severity="warning", timeout=10, markup=False)


def _entry(line: Summary, hit: SearchHit | None, here: bool, width: int) -> Content:
    """An entry of the list: two lines, or three where something was searched for."""
    time = f"{line.changed.astimezone():%Y-%m-%d %H:%M}"
    title = line.title or wording.NO_TITLE
    parts: list[str | tuple[str, str]] = [
        (time, "$quiet"),
        "  ",
        (title[: max(10, width - 20)], "bold"),
        "\n",
        (f"{'':18}{_about(line, here)}", "$quiet"),
    ]
    if hit is not None:
        parts += ["\n", f"{'':18}", *_snippet(hit.snippet, width - 20)]
    return Content.assemble(*parts)


def _about(line: Summary, here: bool) -> str:
    said = [wording.ON_THE_SCREEN] if here else []
    if line.turns != 1:
        said.append(wording.QUESTIONS.format(count=line.turns))
    if line.branches > 1:
        said.append(wording.BRANCHES.format(count=line.branches))
    said.append(
        ", ".join(wording.VERDICTS[v] for v in line.verdicts)
        or wording.VERDICTS["none"]
    )
    if line.signed_off:
        said.append(wording.SIGNED_OFF)
    # Last, since they are the longest: what stands before them is never cut off.
    if line.hidden:
        said.append(wording.MODELS_HIDDEN)
    elif line.models:
        said.append(" and ".join(dict.fromkeys(line.models.values())))
    return " · ".join(said)


def _snippet(
    pieces: tuple[SnippetPart, ...], width: int
) -> list[str | tuple[str, str]]:
    found: list[str | tuple[str, str]] = []
    for number, piece in enumerate(pieces):
        text = piece.text
        if not number and not piece.found and len(text) > width // 3:
            # What was searched for has to be seen on a narrow screen too.
            text = "…" + text[-(width // 3) :]
        text = text[: max(0, width)]
        width -= len(text)
        if text:
            found.append((text, "bold $primary") if piece.found else text)
    return found
