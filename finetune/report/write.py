"""Writes the report of a run folder: card, model card, page, slides."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from finetune.errors import FinetuneError
from finetune.report.deck import deck
from finetune.report.model_card import model_card
from finetune.report.run_card import card_of
from finetune.report.run_facts import read_facts
from finetune.report.story import tell
from medassist.core.card import write_card
from medassist.core.files import PRIVATE_FILE, SHARED_FILE, write_whole
from medassist.core.progress import Watcher, unwatched
from medassist.core.run_folder import CARD, PAGE, README, SLIDES
from medassist.report.page import page


class ReportFiles(BaseModel):
    """Files that were written, and parts that are missing."""

    model_config = ConfigDict(frozen=True)

    page: Path
    slides: Path
    card: Path | None
    readme: Path | None
    missing: tuple[str, ...]
    """Files of the run that are not there, with what is left out for each."""
    claims: tuple[str, ...]
    """Claims of the report, each with its n and interval."""


def write_report(
    run: Path,
    *,
    verdicts: Path | None = None,
    out: Path | None = None,
    base_licence: str | None = None,
    watcher: Watcher = unwatched,
) -> ReportFiles:
    """Write the report of the run folder `run`.

    card.json stays in the run folder, where the converter writes on it too; the rest
    goes to `out`. Made again from the same files, all of it is the same, byte for byte.

    Args:
        run: the run folder.
        verdicts: an export of clinicians' verdicts.
        out: where page, slides and README go; by default the run folder.
        base_licence: the licence of the base model, to be kept on the card.
        watcher: is told how far it is.

    Raises:
        FinetuneError: it is no run folder, a file of it is broken, or something
            cannot be written.
        CardError: its card is broken.
    """
    steps = 5
    watcher("reading the run", 0, steps)
    facts = read_facts(run, verdicts)
    card = card_of(facts, base_licence)
    where = out or run
    try:
        where.mkdir(parents=True, exist_ok=True)
        if card is not None:
            if card != facts.card:
                write_card(card, run / CARD)
            # What stands on it now is what the report tells of.
            facts = read_facts(run, verdicts)
        report = tell(facts)
        watcher("writing the page", 1, steps)
        # It quotes the held-out questions, so it is for the user's eyes at first.
        write_whole(where / PAGE, page(report), PRIVATE_FILE)
        watcher("writing the slides", 2, steps)
        write_whole(where / SLIDES, deck(report), PRIVATE_FILE)
        watcher("writing the model card", 4, steps)
        if card is not None:
            write_whole(where / README, model_card(facts, card), SHARED_FILE)
    except OSError as error:
        raise FinetuneError(
            f"the report cannot be written to {where}: {error.strerror or error}; "
            "choose another folder with --out, or make room"
        ) from error
    watcher("written", steps, steps)
    return ReportFiles(
        page=where / PAGE,
        slides=where / SLIDES,
        card=None if card is None else run / CARD,
        readme=None if card is None else where / README,
        missing=report.missing,
        claims=report.lead,
    )
