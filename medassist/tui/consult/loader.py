"""The pair behind the panes: loaded, chosen, and why it cannot answer."""

from __future__ import annotations

import asyncio

from medassist.core.errors import EngineDied
from medassist.core.values import PaneName
from medassist.session.choice import Choice
from medassist.session.pair import Pair
from medassist.session.pair_engine import Wider
from medassist.session.session import Session
from medassist.tui.consult.answers import Answers
from medassist.tui.consult.comparison import AnswerComparison
from medassist.tui.consult.composer import Composer
from medassist.tui.consult.trouble import Trouble
from medassist.tui.dialogs.decision import Decision
from medassist.tui.face import Face
from medassist.tui.line import Line
from medassist.tui.wording import consult as wording


class Loader:
    """Loads the pair of one session.

    Args:
        face: Shows what is opened from here.
        session: Whose pair it is.
        answers: Shows how far it is.
        comparison: Says what may name a model, once it may be said.
        composer: Says whom it asks.
        trouble: Says why the pair cannot answer.
        notice: Says that it is there to try the program with.
    """

    def __init__(
        self,
        face: Face,
        session: Session,
        answers: Answers,
        comparison: AnswerComparison,
        composer: Composer,
        trouble: Trouble,
        notice: Line,
    ) -> None:
        self._face = face
        self._session = session
        self._answers = answers
        self._comparison = comparison
        self._composer = composer
        self._trouble = trouble
        self._notice = notice

    def show_panes(self) -> None:
        """Show the panes of the chosen pair, each with its model's name."""
        panes = self._session.pair.panes
        self._answers.panes.have(panes)
        self._composer.placeholder = wording.write_for(len(panes))
        self._show_names()
        self._answers.draw_lines()

    def _show_names(self) -> None:
        pair = self._session.pair
        self._answers.stand()
        self._notice.display = bool(pair.demonstration)
        if pair.demonstration:
            self._notice.say(pair.notice)

    def load(self, former: Choice | None = None) -> None:
        """Load the pair in the background; `former` is offered if that fails."""
        self._session.pair.settled.clear()
        self._face.run_worker(self._load(former), group="load", exclusive=True)

    async def _load(self, former: Choice | None, back: Pair | None = None) -> None:
        """Load; where that does not come to its end, load `back` in its place."""
        session = self._session
        self._trouble.say("")
        settings = await self._face.settings()
        await self._answers.draw_while(session.load(settings))
        self._show_names()
        self._answers.draw_lines()
        for notice in session.pair.notices:
            self._comparison.say(notice)
        failed = session.pair.state != "ready" and not session.pair.closed
        if back is not None and failed:
            self._face.say(wording.back_to_former(session.pair.trouble), warning=True)
            await self._take(back.choice, back)
            await self._load(None)
            return
        if former is not None and session.pair.state in ("failed", "dead"):
            await self._choose(session.pair.trouble, former)
        else:
            self.say_trouble()
        self._face.run_worker(self.learn_files(), group="fingerprints")

    def wake(self, if_failed: bool = False) -> bool:
        """Load again a pair that does not run, before it is asked.

        Args:
            if_failed: Also where loading has failed.

        Returns:
            Whether it can be asked; if not, the user has been told.
        """
        pair = self._session.pair
        if pair.notice_death():
            self._face.say(wording.STARTED_AGAIN)
        if pair.state == "failed" and not if_failed:
            self._face.say(wording.NOT_LOADED)
            return False
        if pair.state in ("stopped", "failed", "dead"):
            self.load()
        return True

    def restart(self) -> None:
        """Load a pair that does not run."""
        self._session.pair.notice_death()
        if self._session.pair.state in ("stopped", "failed", "dead"):
            self.load()
            self._composer.focus()
        else:
            self._face.say(wording.RUNNING)

    def say_trouble(self) -> None:
        """Say why the pair cannot answer, if it cannot."""
        pair, turns = self._session.pair, self._session.consultation.turns
        shown = [turns[-1].shown(pane) for pane in pair.panes] if turns else []
        sentence = pair.trouble
        if isinstance(pair.error, EngineDied) and any(a and a.died for a in shown):
            hidden = self._session.consultation.sides.hidden
            key = self._face.keymap["details"].split()[0]
            more = "" if hidden else wording.MORE_OF_IT.format(key=key)
            ended = wording.ENDED[pair.error.cause]
            sentence = " ".join(filter(None, (ended, wording.KEPT, more)))
        self._trouble.say(sentence)

    async def learn_files(self) -> None:
        """Compute what is not known of the files that answered."""
        for fingerprint in await self._session.learn_files():
            if fingerprint.problem:
                self._comparison.say(fingerprint.problem)

    # More context

    async def more_context(self) -> None:
        """Ask whether to load the pair with more context, where it can have it."""
        if not self._answers.are_over():
            return
        wider = await asyncio.to_thread(self._session.pair.wider)
        if wider is None or self._session.pair.state != "ready":
            self._face.say(wording.NO_MORE_CONTEXT)
            return
        decision = Decision(*wording.more_context(wider))
        if await self._face.push_screen_wait(decision):
            await self.load_with(wider)

    async def load_with(self, wider: Wider) -> None:
        """Load the pair again with that much context; the consultation stays."""
        pair = self._session.pair
        await self._take(pair.choice, pair, wider.tokens)
        self.load()

    async def _take(
        self, choice: Choice, like: Pair, context: int | None = None
    ) -> None:
        """Take a pair of `choice`, not loaded yet, with the settings of `like`."""
        pair = self._face.new_pair(choice)
        pair.context, pair.thinking = context or like.context, like.thinking
        await self._session.choose(pair)
        self.show_panes()

    # Another model in one pane

    async def choose_for_pane(self) -> None:
        """Have the user choose another model for the pane that has the focus."""
        session, pair = self._session, self._session.pair
        if not self._answers.are_over():
            return
        sides, keymap = session.consultation.sides, self._face.keymap
        pane = self._answers.panes.focused
        if pane is None and len(pair.panes) == 1:
            (pane,) = pair.panes
        if sides.hidden:
            self._face.say(keymap.name(wording.MODELS_STAY))
        elif pane is None:
            self._face.say(keymap.name(wording.FOCUS_A_PANE))
        elif pair.files is None or pair.state in ("starting", "loading"):
            self._face.say(wording.NOT_LOADED_YET)
        else:
            await self._choose_for(pane)

    async def _choose_for(self, pane: PaneName) -> None:
        from medassist.library.errors import LibraryError
        from medassist.session.pane_models import pane_models
        from medassist.tui.dialogs.pane_model import PaneModelDialog

        pair, sides = self._session.pair, self._session.consultation.sides
        settings = await self._face.settings()
        try:
            found = await asyncio.to_thread(pane_models, pair, pane, settings)
        except (LibraryError, OSError) as error:
            self._face.say(str(error), warning=True)
            return
        if not found.models:
            self._face.say(self._face.keymap.name(wording.NO_OTHER_MODEL))
            return
        kept = {sides.letter(p): pair.sources[p].label for p in pair.panes if p != pane}
        dialog = PaneModelDialog(sides.letter(pane), kept, found, pair.memory)
        chosen = await self._face.push_screen_wait(dialog)
        if chosen is not None:
            await self._take(chosen.choice, pair)
            pair_loads = self._load(None, back=pair)
            self._face.run_worker(pair_loads, group="load", exclusive=True)

    # Other models

    def choose(self) -> None:
        """Have the user choose other models."""
        session = self._session
        if not self._answers.are_over():
            return
        hidden = session.consultation.sides.hidden and session.consultation.turns
        if hidden and session.pair.state == "ready":
            self._face.say(self._face.keymap.name(wording.MODELS_STAY))
            return
        self._face.run_worker(self._choose("", session.pair.choice), group="choose")

    async def _choose(self, problem: str, former: Choice) -> None:
        from medassist.tui.screens.models import ModelsScreen

        session, pair = self._session, self._session.pair
        screen = ModelsScreen(pair.choice, former, problem, pair.freed)
        choice = await self._face.push_screen_wait(screen)
        await pair.read_asked()
        if choice is None or (choice == pair.choice and not self._trouble.display):
            self.say_trouble()
            return
        await session.choose(self._face.new_pair(choice))
        self.show_panes()
        self.load(former=former)
