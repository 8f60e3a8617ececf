"""`convert run`: runs the steps of a run folder in order."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from convert.errors import ConvertError, NeedsMerging
from convert.gguf.adapter import check_convertible
from convert.gguf.contents import read_facts
from convert.gguf.model import has_own_head, notes_of
from convert.go_template.source import source_of_gguf
from convert.merge.merge_record import read_record
from convert.ollama.model_settings import template_end
from convert.ollama.parameters import Parameter
from convert.run.convertible_run import ConvertibleRun
from convert.run.run_steps import Planner, RunWishes
from convert.run.step_ledger import StepLedger
from convert.run_card import write_on_card
from convert.verify.result import read_verified
from medassist.core.card import Card, Sha256
from medassist.core.locks import HeldError, Lock
from medassist.core.progress import Watcher, unwatched
from medassist.core.proofs import Verified

RUNNING = ".running"
"""Lock in `gguf/` that a call holds while it works there."""


class StepTaken(BaseModel):
    """Result of a step."""

    model_config = ConfigDict(frozen=True)

    name: str
    state: Literal["done", "unchanged"]
    seconds: float


class RunConverted(BaseModel):
    """Result of converting a run folder.

    Attributes:
        verified: what the gate found about each GGUF that was asked for.
        older: GGUFs beside them that this call did not make and did not look at.
        parameters: those in the Modelfile, with who named them.
        notes: what the user should know of the models, of their merge, and of the
            Modelfile: sentences.
    """

    model_config = ConfigDict(frozen=True)

    folder: Path
    steps: tuple[StepTaken, ...]
    verified: tuple[Verified, ...]
    older: tuple[str, ...]
    modelfile: Path | None
    parameters: tuple[Parameter, ...] = ()
    notes: tuple[str, ...] = ()


def convert_run_folder(
    root: Path,
    *,
    base: Path | None = None,
    wishes: RunWishes | None = None,
    watcher: Watcher = unwatched,
) -> RunConverted:
    """Convert, merge, quantize and verify the fine-tune in `root`.

    It can be broken off at any moment and called again: a step whose inputs and
    outputs have the hashes that they had is not done again.

    Args:
        root: a run folder.
        base: the model that was tuned, where the folder holds none.
        wishes: quantizations, and how they are made and measured.
        watcher: is told how far it is.

    Raises:
        ConvertError: a step failed, or a GGUF is not what it was made from; what was
            done before is kept.
    """
    wishes = wishes or RunWishes()
    run = ConvertibleRun.open(root, base, watcher)
    _check_wishes(run, wishes)
    try:
        run.folder.gguf.mkdir(exist_ok=True)
        with Lock(run.folder.gguf / RUNNING, passing=True):
            return _convert(run, wishes, watcher)
    except HeldError as held:
        raise ConvertError(
            f"another `convert run` is at work in {root}{held.holder}; wait for it "
            "to end"
        ) from held
    except OSError as error:
        raise ConvertError(
            f"{error.filename or root}: {error.strerror or error}; a run folder that "
            "you may write to is expected, with room for its GGUFs"
        ) from error


def _convert(run: ConvertibleRun, wishes: RunWishes, watcher: Watcher) -> RunConverted:
    planner = Planner(run, wishes, watcher)
    ledger = StepLedger(run.folder.ledger, trusts_older=not has_own_head(run.base))
    taken: list[StepTaken] = []
    made: list[Path] = []
    for step in planner.steps():
        begun = time.monotonic()
        state = "unchanged"
        if not ledger.is_done(step):
            inputs = ledger.hashes(step.inputs)
            watcher(step.name, 0, 0)
            step.do()
            ledger.write(step, inputs)
            state = "done"
        made += [output for output in step.outputs if output.suffix == ".gguf"]
        taken.append(
            StepTaken(
                name=step.name,
                state=state,
                seconds=round(time.monotonic() - begun, 2),
            )
        )
    found = (read_verified(file, ledger.hash) for file in made)
    told = planner.ollama()[1] if planner.merges is not None else None
    hashes = {f.name: ledger.hash(f) for f in made}
    for notice in _on_card(planner, hashes, _stops(planner.whole)):
        watcher(notice, 0, 0)
    others = {*run.folder.gguf.glob("*.gguf")} - {*made}
    modelfile = run.folder.modelfile if planner.merges is not None else None
    return RunConverted(
        folder=run.folder.root,
        steps=tuple(taken),
        verified=tuple(entry for entry in found if entry is not None),
        older=tuple(sorted(file.name for file in others)),
        modelfile=modelfile if modelfile and modelfile.is_file() else None,
        parameters=told.origins if told else (),
        notes=(*_notes(planner), *(told.notes if told else ())),
    )


def _stops(gguf: Path) -> tuple[str, ...]:
    """The text that ends an answer of `gguf`, where no token does."""
    end = template_end(source_of_gguf(read_facts(gguf)))
    return (end.text,) if end.text and not end.is_token else ()


def _check_wishes(run: ConvertibleRun, wishes: RunWishes) -> None:
    """Refuse what a run on a GGUF has no use for, before it is passed over.

    Raises:
        ConvertError: it is asked for, or an adapter could only be merged.
    """
    if run.gguf is None or wishes.merge:
        return
    asked = {
        "--types": wishes.types,
        "--imatrix": wishes.imatrix,
        "--text": wishes.text,
        "--system": wishes.system,
        "--stop": wishes.stops,
    }
    if named := [option for option, value in asked.items() if value]:
        raise ConvertError(
            f"{run.folder.root} was trained on {run.gguf}, which is the base as it is, "
            f"and {named[0]} is for a model that is made anew; leave it out, or say "
            "--merge to have the adapter merged into the weights of that file"
        )
    for adapter in run.adapters.values():
        try:
            check_convertible(adapter, run.base)
        except NeedsMerging as reason:
            raise ConvertError(
                f"{reason}; or say --merge: medassist convert run "
                f"{run.folder.root} --merge"
            ) from reason


def _notes(planner: Planner) -> tuple[str, ...]:
    run = planner.run
    found = [*notes_of(run.base)]
    if run.gguf is not None and planner.merges is None:
        adapter = run.folder.gguf / f"{next(iter(run.adapters))}.gguf"
        found.append(
            "the base is the GGUF that was trained on, and nothing was merged; try "
            f"both: medassist --base {run.gguf} --adapter {adapter}"
        )
    if planner.merges is not None:
        found += [*read_record(run.folder.merged).notes, *notes_of(run.folder.merged)]
    return tuple(dict.fromkeys(found))


def _on_card(
    planner: Planner, gguf: dict[str, Sha256], stops: tuple[str, ...]
) -> list[str]:
    """Put the hashes of the GGUFs and of the merged model on the run's card."""
    run, merged = planner.run, dict[str, Sha256]()
    if planner.merges is not None:
        merged = read_record(run.folder.merged).merged_files

    def change(card: Card) -> Card:
        update = {"gguf": card.lineage.gguf | gguf, "merged": merged}
        lineage = replace(card.lineage, **update)
        return replace(card, lineage=lineage, stops=stops)

    return write_on_card(run.folder.card_file, change)
