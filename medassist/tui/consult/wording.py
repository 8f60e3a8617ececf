"""What the panes and the line at the top say, in words. No widgets in here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len

from medassist.consult.answer import Answer, Source
from medassist.consult.sides import Sides
from medassist.core.values import Figures, PaneName, TooLong
from medassist.session.pair import PairState

LETTERS: dict[PaneName, str] = {"base": "A", "tuned": "B"}
ROLES: dict[PaneName, str] = {"base": "base", "tuned": "tuned"}
SEPARATOR = " · "


def pair_status(state: PairState, fraction: float) -> str:
    """How far the pair is, while it cannot answer or has not been asked."""
    match state:
        case "starting":
            return "starting"
        case "loading":
            return f"loading {fraction * 100:.0f} %"
        case "ready":
            return "ready"
        case "stopped":
            return "loading stopped"
        case "failed":
            return "not loaded"
        case "dead":
            return "ended"


def answer_status(
    answer: Answer, seconds: float | None, context: int | None, in_turn: bool
) -> str:
    """How far an answer is.

    Args:
        answer: The answer.
        seconds: Time since its first piece came; `None` before.
        context: Tokens that the pane can hold, where known.
        in_turn: The panes answer one after the other.
    """
    match answer.state:
        case "waiting":
            return "waits for its turn" if in_turn else "begins"
        case "reading":
            return f"reading {answer.read_done}/{answer.read_total}"
        case "writing":
            plural = "" if answer.tokens == 1 else "s"
            said = ["writing", f"{answer.tokens} token{plural}"]
            if seconds and seconds > 0.5 and answer.tokens > 1:
                said.append(f"{(answer.tokens - 1) / seconds:.1f} tok/s")
            return SEPARATOR.join(said)
        case "stopped":
            return _joined("stopped", answer.figures, context)
        case "failed":
            return "ready"  # again; the answer itself says what went wrong
        case "finished":
            return _joined("", answer.figures, context)


def hidden_status(writing: bool) -> str:
    """The same for both panes while names are hidden: who is how far tells names."""
    return "writing" if writing else "names, speed and length hidden until F8"


def _joined(word: str, figures: Figures | None, context: int | None) -> str:
    if figures is None:
        return word or "finished"
    said = [word] if word else []
    if figures.tok_per_s is not None:
        said.append(f"{figures.tok_per_s:.1f} tok/s")
    if figures.ttft_s is not None:
        said.append(f"TTFT {figures.ttft_s:.2f} s")
    limit = f"/{context}" if context else ""
    said.append(f"context {figures.context_used}{limit}")
    return SEPARATOR.join(said)


def name(pane: PaneName, sides: Sides) -> str:
    """How a pane is called: its letter, and its role unless names are hidden."""
    letter = sides.letter(pane)
    return letter if sides.hidden else f"{letter} ({ROLES[pane]})"


def foot(answer: Answer, place: int, count: int, hidden: bool = False) -> str:
    """The line below an answer: what the reader has to know of it; may be empty.

    Args:
        answer: The answer.
        place: Which of the answers of its pane it is, from 0.
        count: How many there are.
        hidden: Names are hidden, and length with them.
    """
    said: list[str] = []
    if answer.state == "stopped":
        said.append("stopped" if answer.text else "stopped before the first word")
    elif answer.state == "failed":
        said.append(answer.failure or "failed")
    elif answer.figures is not None and answer.figures.ending == "length":
        limit = "its limit" if hidden else f"{answer.figures.tokens_written} tokens"
        said.append(f"cut off at {limit}")
    elif answer.state == "finished" and not answer.text.strip():
        said.append("the model ended without a word")
    if count > 1:
        said.append(f"answer {place + 1} of {count}")
    return SEPARATOR.join(said)


def ending(answer: Answer) -> str:
    """How an answer came to its end, or that it has not."""
    match answer.state:
        case "stopped":
            return "stopped by you"
        case "failed":
            return f"failed: {answer.failure}" if answer.failure else "failed"
        case "finished" if answer.figures and answer.figures.ending == "length":
            return f"cut off at {answer.figures.tokens_written} tokens"
        case "finished":
            return "the model ended it"
        case _:
            return "not yet"


def model(source: Source) -> str:
    """A model's name, its adapter and its quantization."""
    named = source.label
    return "  ".join(part for part in (named, source.quantization) if part)


def shortened(name: str, cells: int) -> str:
    """`name` in at most `cells` cells of the terminal, its middle left out.

    The ends of two models' names differ more often than their beginnings.
    """
    if cell_len(name) <= cells:
        return name
    kept = max(0, cells - 1)
    head, tail = "", ""
    for first, last in zip(name, reversed(name), strict=True):
        if cell_len(head + first + tail) > kept:
            break
        head += first
        if cell_len(head + last + tail) > kept:
            break
        tail = last + tail
    return f"{head}…{tail}" if cells > 0 else ""


def memory(resident: int) -> str:
    """Bytes, as a reader takes them in."""
    if resident >= 10**9:
        return f"{resident / 10**9:.1f} GB"
    return f"{resident / 10**6:.0f} MB"


def question(text: str, limit: int = 2_000) -> str:
    """A question as it stands above its answer; a very long one says what is hidden."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]} … and {len(text) - limit:,} more characters"


def copied(texts: Mapping[PaneName, str], headings: bool, sides: Sides) -> str:
    """Answers as they are copied; with `headings` each says whose it is."""
    parts = [
        f"{name(pane, sides)}\n{text.strip()}" if headings else text.strip()
        for pane, text in texts.items()
    ]
    return "\n\n".join(parts)


def answers(count: int) -> str:
    """What was copied, in words."""
    return "both answers" if count > 1 else "the answer"


def empty(state: PairState) -> str:
    """What stands in a pane before the first question."""
    match state:
        case "ready":
            return "Write a question below and press Enter."
        case "starting" | "loading":
            return "You can write while the model is loading."
        case "stopped" | "failed" | "dead":
            return ""


def too_long(excesses: Sequence[TooLong], surplus: int, sides: Sides) -> str:
    """Why a question cannot be asked as it is, and what would help."""
    lines = [
        f"Pane {sides.letter(excess.pane)} would be asked with {excess.tokens:,} "
        f"tokens; {excess.fits:,} fit."
        for excess in excesses
    ]
    if surplus:
        what = "the oldest turn" if surplus == 1 else f"the {surplus} oldest turns"
        lines.append(
            f"\nIt fits without {what}. The text stays on the screen; the models are "
            "no longer asked with it."
        )
    else:
        lines.append("\nThe question has to be shorter. It is back where you wrote it.")
    return "\n".join(lines)


def ways_out(surplus: int, again: bool) -> tuple[str | None, str]:
    """The two buttons that go with `too_long`; `None` where there is one way only."""
    no = "Leave it" if again else "Edit the question"
    if not surplus:
        return None, no
    what = "oldest turn" if surplus == 1 else f"{surplus} oldest turns"
    return f"Leave out the {what}", no
