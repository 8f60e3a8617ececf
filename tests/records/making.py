"""Consultations for the tests of the records."""

from __future__ import annotations

from pathlib import Path

from medassist.consult.answer import Conditions, ModelFile, Source
from medassist.consult.turn import Turn
from medassist.consult.verdict import Verdict, now
from medassist.core.values import Figures, PaneInfo, PaneName, Sampling
from medassist.records.key import GuessCost
from medassist.records.record import FlagShown, Record
from medassist.records.vault import Vault

PASSPHRASE = "correct horse battery"
CHEAP = GuessCost(memory_kib=64, passes=1, lanes=1)
BASE_FILE = ModelFile(Path("/models/base-q8_0.gguf"), 1000, 5)
ADAPTER_FILE = ModelFile(Path("/models/adapter.gguf"), 10, 6)
SOURCES: dict[PaneName, Source] = {
    "base": Source("Heron 1B", "Q8_0", False, "", (BASE_FILE,)),
    "tuned": Source(
        "Kestrel 1B", "Q8_0", True, "adapter.gguf", (BASE_FILE, ADAPTER_FILE)
    ),
}
FIGURES = Figures("end", 10, 2, 7, 0.25, 20.5, 19)
CONDITIONS = Conditions(
    PaneInfo(
        file=BASE_FILE.path,
        name="Heron 1B",
        architecture="llama",
        quantization="Q8_0",
        parameters=1_000_000,
        context=4096,
        trained_context=8192,
        template="model",
        shares_prefill=False,
        threads=2,
        flash_attention=False,
        kv="f16",
    ),
    Sampling(temperature=0.3, seed=7),
    "Landlock",
    "Answer in short sentences.",
)
FLAG = FlagShown("acs", "Acute coronary syndrome", "Call for help now.", "A guideline")


def ask(record: Record, question: str) -> Turn:
    return record.consultation.ask(question, SOURCES, seed=42)


def answer(turn: Turn, pane: PaneName, text: str) -> None:
    shown = turn.shown(pane)
    assert shown is not None
    shown.conditions = CONDITIONS
    shown.write(text, 7)
    shown.finish(text, FIGURES)


def a_turn(record: Record, question: str, base: str, tuned: str) -> Turn:
    turn = ask(record, question)
    answer(turn, "base", base)
    answer(turn, "tuned", tuned)
    return turn


def a_record(question: str = "Chest pain since an hour?") -> Record:
    record = Record()
    turn = a_turn(record, question, "Give aspirin.", "Do an ECG first.")
    record.flags[turn] = (FLAG,)
    record.judge(turn, Verdict("B", "base", False, now(), ("safety",), "ECG matters"))
    record.hashes[BASE_FILE] = "ab" * 32
    return record


def texts(record: Record) -> list[tuple[str, list[str], list[str]]]:
    """Question and all answers of each turn."""
    return [
        (
            turn.question,
            [a.text for a in turn.answers("base")],
            [a.text for a in turn.answers("tuned")],
        )
        for turn in record.consultation.turns
    ]


async def reopened(vault: Vault, number: int | None) -> Record:
    """What another start of the program finds."""
    assert number is not None
    await vault.lock()
    return (await (await vault.unlock(PASSPHRASE)).reopen(number)).record
