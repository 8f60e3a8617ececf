"""The answers in the panes: drawing them as they grow, and what can be done with them.

Who is asked, and when, is in `screen.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from medassist.consult.answer import Answer, Source
from medassist.consult.blind import Veil, veil
from medassist.core.clean import clean
from medassist.core.values import PANES, PaneName
from medassist.session.session import Session
from medassist.tui.consult.global_line import GlobalLine
from medassist.tui.consult.panes import Panes
from medassist.tui.consult.turn_view import LONGEST_MARKDOWN
from medassist.tui.face import Face
from medassist.tui.wording import consult as wording
from medassist.tui.wording import pane as in_pane

Done = TypeVar("Done")

FASTEST_S = 0.1
SLOWEST_S = 1.0
SHARE = 10
"""Drawing takes at most about a tenth of the time: the models need the processor."""


class Answers:
    """Draws the answers of one session.

    Args:
        face: Shows what is opened from here.
        session: Whose answers they are.
        panes: Where they stand.
        top: The line that says what holds for both.
    """

    def __init__(
        self, face: Face, session: Session, panes: Panes, top: GlobalLine
    ) -> None:
        self.panes = panes
        self.top = top
        self._face = face
        self._session = session
        self._first_piece: dict[Answer, float] = {}
        self._copied_part: tuple[list[tuple[str, str]], int] = ([], 0)
        """Tables and code, and which of them was copied last."""

    # What is hidden

    @property
    def veil(self) -> Veil | None:
        """Veil over the names of the models; `None` where they are to be seen."""
        consultation = self._session.consultation
        if not consultation.sides.hidden:
            return None
        sources = list(self._session.pair.sources.values())
        for turn in consultation.turns:
            sources += [a.source for pane in turn.panes for a in turn.answers(pane)]
        return veil(sources)

    def mask(self, text: str) -> str:
        """`text` without the names of models, while they are hidden."""
        hides = self.veil
        return hides.mask(text) if hides else text

    @property
    def writes_hidden(self) -> bool:
        """Answers are being written, and are held back until both are over."""
        consultation = self._session.consultation
        return consultation.sides.hidden and not consultation.over

    # What can be done with them

    def are_over(self) -> bool:
        """Whether nothing is being written; where something is, the user is told."""
        over = self._session.consultation.over
        if not over:
            self._face.say(self._face.keymap.name(wording.STILL_WRITING))
        return over

    def show_earlier(self) -> None:
        """Show another answer to the last question, in one pane or in both."""
        if not self.are_over():
            return
        consultation, focused = self._session.consultation, self.panes.focused
        turn = consultation.turns[-1] if consultation.turns else None
        names = (focused,) if focused else self._session.pair.panes
        changed = [turn.show_earlier(name) for name in names] if turn else []
        if any(changed):
            self._face.run_worker(self.draw(), group="draw-turns")
        else:
            self._face.say(self._face.keymap.name(wording.NO_OTHER_ANSWER))

    def show_thoughts(self) -> None:
        """Unfold what the models thought, in every turn, or fold it again."""
        if self.veil is not None:
            self._face.say(self._face.keymap.name(wording.THOUGHTS_HIDDEN))
            return
        for pane in self.panes.all:
            pane.thoughts = not pane.thoughts
        self._face.run_worker(self.draw(), group="draw-turns")

    def show_warnings(self) -> None:
        """Say every warning below an answer in full, or only the first ones again."""
        views = [view for pane in self.panes.all for view in pane.turns.views]
        if not any(view.has_more_warnings for view in views):
            self._face.say(wording.NO_MORE_WARNINGS)
            return
        for pane in self.panes.all:
            pane.warnings = not pane.warnings
        self._face.run_worker(self.draw(), group="draw-turns")

    def _last(self) -> dict[PaneName, Answer]:
        """Answers of the last turn shown in the focused pane, else in every pane."""
        consultation, focused = self._session.consultation, self.panes.focused
        if not consultation.turns or self.writes_hidden:
            return {}
        panes = consultation.sides.order(self._session.pair.panes)
        return {
            name: answer
            for name in ((focused,) if focused else panes)
            if (answer := consultation.turns[-1].shown(name)) is not None
        }

    def copy(self) -> None:
        """Copy the last answer of the pane that has the focus, else both."""
        written: dict[PaneName, str] = {
            name: answer.text
            for name, answer in self._last().items()
            if answer.text.strip()
        }
        if not written:
            self._face.say(wording.NOTHING_TO_COPY)
            return
        headings, sides = self.panes.focused is None, self._session.consultation.sides
        text = clean(wording.copied(written, headings, sides))
        self._face.copy_and_tell(self.mask(text), wording.answers(len(written)))

    def copy_part(self) -> None:
        """Copy a table or a block of code of the last answers; again: the next one."""
        from medassist.text.answer_markdown import parts

        texts = [self.mask(clean(answer.text)) for answer in self._last().values()]
        found = [part for text in texts for part in parts(text)]
        if not found:
            self._face.say(wording.NO_PART_TO_COPY)
            return
        last, copied = self._copied_part
        at = (copied + 1) % len(found) if last == found else 0
        self._copied_part = found, at
        kind, text = found[at]
        self._face.copy_and_tell(text, wording.part(kind, at + 1, len(found)))

    def show_details(self) -> None:
        """Show with what the last answers were made."""
        session, answers = self._session, self._last()
        if not answers:
            self._face.say(wording.NO_ANSWER)
            return
        if session.consultation.sides.hidden:
            self._face.say(self._face.keymap.name(wording.DETAILS_HIDDEN))
            return

        from medassist.tui.screens.details import Details
        from medassist.tui.wording.details import Fact, facts

        def find() -> dict[PaneName, list[Fact]]:
            known, free = session.fingerprints.of, session.consultation.over
            return {name: facts(a, known, free) for name, a in answers.items()}

        self._face.push_screen(Details(find, session.consultation.sides))

    # Drawing

    async def draw_while(self, work: Coroutine[None, None, Done]) -> Done:
        """Draw again and again while `work` goes on, and then all that it did.

        Args:
            work: Loads the pair, or has it answer.

        Returns:
            What `work` returns.
        """
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(work)
        try:
            while not task.done():
                began = loop.time()
                for pane in self.panes.seen:
                    await pane.draw(last=True)
                self.draw_lines()
                cost = loop.time() - began
                pause = min(SLOWEST_S, max(FASTEST_S, SHARE * cost))
                await asyncio.wait([task], timeout=pause)
            await self.draw()
        finally:
            task.cancel()
        return task.result()

    def stand(self) -> None:
        """Arrange the panes by their sides, with the model names that may be seen."""
        sides, hides = self._session.consultation.sides, self.veil
        self.panes.order(sides.order(PANES))
        sources = self._session.pair.sources
        # Of one model in two quantizations these are what tells them apart.
        alike = len({source.label for source in sources.values()}) < len(sources)
        for pane in self.panes.all:
            pane.veil = hides
            source = sources.get(pane.pane, Source(""))
            pane.header.name_model(source, sides, alike or self._has_figures)

    async def show(self) -> None:
        """Show another consultation, or another branch of it."""
        self._session.red_flags.follow(self._session.consultation)
        self.stand()
        await self.show_turns()

    async def show_turns(self) -> None:
        """Show the turns that the consultation has now."""
        for pane in self.panes.all:
            await pane.show(self._session.consultation.turns)
        self.draw_lines()

    async def draw(self) -> None:
        """Draw what stands in the panes once more, and all that is said of it."""
        for pane in self.panes.all:
            await pane.draw()
        self.draw_lines()
        self._face.run_worker(self._mark(), group="mark", exclusive=True)

    def draw_lines(self) -> None:
        """Bring the status of the panes and the line at the top up to date."""
        session, top = self._session, self.top
        pair, consultation = session.pair, session.consultation
        figures = self._has_figures
        for pane in self.panes.seen:
            pane.status, pane.figures = self._status(pane.pane, figures)
            if not consultation.over:
                pane.apart = "", ""  # which was said of the answers before
            if not consultation.turns:
                empty = in_pane.EMPTY.get(pair.state, "")
                pane.empty = self._face.keymap.name(empty)
        infos = list(pair.infos.values()) if figures else []
        top.threads = infos[0].threads if infos else None
        top.memory = pair.memory if figures else None
        # While names are hidden nothing says whether a model can think.
        top.thinking = None if consultation.sides.hidden else pair.thinking
        top.saved = session.record.word
        top.blind = consultation.sides.hidden
        top.branch = consultation.branch
        top.editing = consultation.edited is not None
        session.record.feed()

    def _status(self, name: PaneName, figures: bool) -> tuple[str, str]:
        """How far a pane is, and its figures, where they are wanted."""
        pair, consultation = self._session.pair, self._session.consultation
        turns = consultation.turns
        answer = turns[-1].shown(name) if turns else None
        hidden = consultation.sides.hidden
        of_pair = in_pane.pair_status(pair.state, pair.fraction)
        if answer is None or (hidden and pair.state != "ready"):
            return of_pair, ""
        if hidden:
            said = in_pane.hidden_status(self.writes_hidden)
            return self._face.keymap.name(said), ""
        if pair.state != "ready":
            whole = in_pane.answer_status(answer, False) if answer.over else ""
            return in_pane.joined(whole, of_pair), ""
        now = asyncio.get_running_loop().time()
        seconds = None
        if answer.state == "writing":
            seconds = now - self._first_piece.setdefault(answer, now)
        else:
            self._first_piece.pop(answer, None)
        said = in_pane.answer_status(answer, self._face.mode == "in-turn")
        if not figures:
            return said, ""
        info = pair.infos.get(name)
        context = info.context if info else None
        return said, in_pane.joined(*in_pane.figures(answer, seconds, context))

    @property
    def _has_figures(self) -> bool:
        settings = self._face.settings_now
        return settings is not None and settings.figures

    async def _mark(self) -> None:
        """Say in the pane heads in what the last answers contradict each other."""
        consultation = self._session.consultation
        texts = self.last_texts() if consultation.over else None
        apart: tuple[str, ...] = ()
        if texts is not None:
            from medassist.consult.differences import disagreement

            apart = await asyncio.to_thread(disagreement, *texts)
            if self._session.consultation is not consultation or not consultation.over:
                return
        said = in_pane.apart(apart, self._face.keymap["differences"])
        for pane in self.panes.all:
            pane.apart = said

    def last_texts(self) -> tuple[str, str] | None:
        """The two last answers as they are seen, that of side A first."""
        from medassist.text.answer_markdown import plain

        consultation = self._session.consultation
        if not consultation.turns:
            return None
        found: list[str] = []
        for pane in consultation.sides.order(PANES):
            answer = consultation.turns[-1].shown(pane)
            if answer is None or not answer.over or not answer.text.strip():
                return None
            text = clean(answer.text)
            if len(text) <= LONGEST_MARKDOWN:
                text = plain(text)
            found.append(self.mask(text))
        return found[0], found[1]
