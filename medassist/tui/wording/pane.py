"""Texts of a pane: its model, its progress, and remarks on an answer."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from medassist.consult.answer import Answer, Source
from medassist.consult.sides import Sides
from medassist.core.values import PaneName
from medassist.core.words import plural
from medassist.session.pair import PairState
from medassist.session.wording import (
    APART,
    BROKE_OFF,
    BROKE_OFF_EARLY,
    ENDED_SILENT,
    ENDED_THINKING,
    NOT_WHOLE,
    STOPPED,
    STOPPED_EARLY,
    WHOLE,
)
from medassist.session.wording import CHECK as CHECK
from medassist.session.wording import LEFT_OUT as LEFT_OUT
from medassist.session.wording import NAME_HIDDEN as NAME_HIDDEN

ADAPTER = "adapter"
NO_SOURCE = "no source"
MORE_BELOW = "more below"
TAKEN_OVER = "taken over from the other pane"
NOT_ASKED = "this pane was not asked"
FROM_HERE = "from here: {model}"
PAIR_STATES: dict[PairState, str] = {
    "starting": "starting",
    "loading": "loading {percent:.0f} %",
    "ready": "ready",
    "stopped": "loading stopped",
    "failed": "not loaded",
    "dead": "not running",
}
EMPTY: dict[PairState, str] = {
    "starting": "You can write while the model is loading.",
    "loading": "You can write while the model is loading.",
    "ready": "Write a question below and press {send}.",
}
"""Text of a pane before the first question, while it can be asked."""
ROLES: dict[PaneName, str] = {"base": "base", "tuned": "tuned"}
SEPARATOR = " · "
THOUGHT_ENDS = "end of the thought · {thoughts} folds it"
"""Below one that is unfolded: who has read so far sees its head no more."""


def pair_status(state: PairState, fraction: float) -> str:
    """State of the pair, while it cannot answer or has not been asked."""
    return PAIR_STATES[state].format(percent=100 * fraction)


def answer_status(answer: Answer, in_turn: bool) -> str:
    """Progress of an answer, and once it is over whether it is whole.

    Args:
        answer: The answer.
        in_turn: The panes answer one after the other.
    """
    match answer.state:
        case "waiting":
            return "waits for its turn" if in_turn else "waiting"
        case "reading":
            percent = 100 * answer.read_done / max(1, answer.read_total)
            return f"reading the question, {percent:.0f} %"
        case "writing":
            return "writing" if answer.text else "thinking"
        case "stopped":
            return f"{NOT_WHOLE}: stopped"
        case "failed":
            return f"{NOT_WHOLE}: failed"
        case "finished":
            return f"{NOT_WHOLE}: cut off" if answer.cut_off else WHOLE


def figures(
    answer: Answer, seconds: float | None, context: int | None
) -> tuple[str, ...]:
    """The figures of an answer, for the head of its pane.

    Args:
        answer: The answer.
        seconds: Time since its first piece came; `None` before.
        context: Tokens that the pane can hold, where known.
    """
    if answer.state == "reading":
        return (f"{answer.read_done:,} of {answer.read_total:,} tokens",)
    if answer.state == "writing":
        said = [f"{answer.tokens:,} {plural(answer.tokens, 'token')}"]
        if seconds and seconds > 0.5 and answer.tokens > 1:
            said.append(f"{(answer.tokens - 1) / seconds:.1f} tok/s")
        return tuple(said)
    figures = answer.figures
    if figures is None:
        return ()
    said: list[str] = []
    if figures.tok_per_s is not None:
        said.append(f"{figures.tok_per_s:.1f} tok/s")
    if figures.ttft_s is not None:
        said.append(f"TTFT {figures.ttft_s:.2f} s")
    limit = f"/{context}" if context else ""
    return (*said, f"context {figures.context_used}{limit}")


def joined(*said: str) -> str:
    """The parts that are not empty, as one line."""
    return SEPARATOR.join(filter(None, said))


def hidden_status(writing: bool) -> str:
    """State of both panes while names are hidden: progress would tell names.

    What is hidden stands in the head and was said; here it would push contradictions
    of the answers off the line.
    """
    return "writing" if writing else "hidden until {verdict}"


def name(pane: PaneName, sides: Sides) -> str:
    """Name of a pane: its letter, and its role unless names are hidden."""
    letter = sides.letter(pane)
    return letter if sides.hidden else f"{letter} ({ROLES[pane]})"


def thinks(answer: Answer) -> bool:
    """Whether the model is thinking, with no word of its answer yet."""
    return not answer.over and not answer.text


def thought(answer: Answer, unfolded: bool) -> str:
    """The line above an answer that tells of the thought before it."""
    tokens = f"{answer.thought_tokens:,} tokens"
    said = f"thinking, {tokens}" if thinks(answer) else f"thought for {tokens}"
    return f"{said}{SEPARATOR}{{thoughts}} {'folds' if unfolded else 'unfolds'} it"


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
        said.append(STOPPED if answer.text else STOPPED_EARLY)
    elif answer.state == "failed" and answer.died:
        said.append(BROKE_OFF if answer.text else BROKE_OFF_EARLY)
    elif answer.state == "failed":
        said.append(answer.failure or "failed")
    elif answer.state == "finished" and answer.failure:
        why = BROKE_OFF if answer.died else answer.failure
        said.append(f"not gone on with: {why}")
    elif answer.state == "finished" and not answer.text.strip():
        thought = bool(answer.thought.strip()) and not hidden
        said.append(ENDED_THINKING if thought else ENDED_SILENT)
    if count > 1:
        said.append(f"answer {place + 1} of {count}")
    return SEPARATOR.join(said)


def cut_off(answer: Answer, hidden: bool, can_go_on: bool) -> str:
    """Remark that the limit cut an answer off; empty: it did not.

    Args:
        answer: The answer.
        hidden: Names are hidden, and length with them.
        can_go_on: It is the last one, so that the key goes on with it.
    """
    figures = answer.figures
    if answer.state != "finished" or figures is None or figures.ending != "length":
        return ""
    count = figures.tokens_answered
    limit = "its limit" if hidden else f"{count:,} {plural(count, 'token')}"
    goes_on = f"{SEPARATOR}{{write_on}} goes on writing" if can_go_on else ""
    return f"… cut off at {limit}{goes_on}"


def ending(answer: Answer) -> str:
    """Words on how an answer came to its end, or that it has not."""
    match answer.state:
        case "stopped":
            return "stopped by you"
        case "failed":
            return f"failed: {answer.failure}" if answer.failure else "failed"
        case "finished" if answer.figures and answer.figures.ending == "length":
            return f"cut off at {answer.figures.tokens_answered:,} tokens"
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


def question(text: str, limit: int = 2_000) -> str:
    """A question as it stands above its answer; a very long one says what is hidden."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]} … and {len(text) - limit:,} more characters"


def apart(facts: Sequence[str], key: str) -> tuple[str, str]:
    """Subjects in which the answers contradict each other, and the key to them.

    Returns:
        It in full, and where there is no room for that.
    """
    if not facts:
        return "", ""
    first, *others = (APART[fact] for fact in facts)
    short = f"≠ {first}{' …' if others else ''} ({key})"
    return f"≠ {', '.join([first, *others])} ({key})", short


def show_earlier(hidden: int) -> str:
    """The button above the first turn that is laid out."""
    return f"Show earlier ({hidden} {plural(hidden, 'turn')})"


def to_check(count: int) -> str:
    """The sign in the head of a pane for the warnings below its answer."""
    return f"{count} to check"


def more_warnings(count: int) -> str:
    """Number of warnings that are not said in full, and the key that shows them."""
    return f"and {count} more {plural(count, 'warning')}{SEPARATOR}{{warnings}}"
