"""The export as Markdown.

What models and users wrote stands in code fences longer than any run of backticks in
it, where nothing is markup; names and titles are escaped.
"""

from __future__ import annotations

import re

from medassist.records.export.export_document import (
    HIDDEN,
    INTENT,
    THOUGHT,
    AnswerPart,
    ExportDocument,
    TurnPart,
    time_line,
    verdict_line,
    warning_line,
)

# Signs that are markup wherever they stand; what makes a bare address a link; and what
# begins a heading or a list where it begins a line.
_MARKUP = re.compile(r"[\\`*_\[\]<>|~&@!]|:(?=//)|(?<=www)\.|^[#+\-=]")
_NUMBERED = re.compile(r"^(\d+)([.)])")


def markdown(document: ExportDocument) -> str:
    """The document as Markdown (CommonMark)."""
    lines = [
        f"# {_escaped(document.title)}",
        "",
        f"**{_escaped(document.status)}**",
        "",
        INTENT,
        "",
        f"Consultation of {_escaped(time_line(document.created))}.",
    ]
    if document.hidden:
        lines += ["", HIDDEN]
    if document.warned:
        found = ", ".join(warning_line(w) for w in document.warned)
        lines += ["", f"Identifiers warned of: {_escaped(found)}."]
    for turn in document.turns:
        lines += _turn(turn, document.hidden)
    return "\n".join(lines) + "\n"


def _turn(turn: TurnPart, hidden: bool) -> list[str]:
    lines = ["", f"## Question {turn.number}", "", *_fenced(turn.question)]
    if turn.left_out:
        lines += ["", "Not sent with later questions."]
    for flag in turn.flags:
        lines += [
            "",
            f"**Red flag shown: {_escaped(flag.title)}** (rule {_escaped(flag.rule)})",
            "",
            *_fenced(flag.text),
            "",
            f"Source: {_escaped(flag.source)}",
        ]
    for answer in turn.answers:
        lines += _answer(answer)
    for verdict in turn.verdicts:
        lines += ["", f"**Verdict:** {_escaped(verdict_line(verdict, hidden))}"]
    return lines


def _answer(answer: AnswerPart) -> list[str]:
    kind = f"{answer.pane} model, " if answer.pane else ""
    earlier = "" if answer.shown else " (another answer to the same question)"
    lines = [
        "",
        f"### Answer {answer.side}: {kind}{_escaped(answer.model)}{earlier}",
        "",
        f"State: {_escaped(answer.state)}",
        "",
    ]
    lines += [f"- {_escaped(n)}: {_escaped(str(v))}" for n, v in answer.facts]
    lines += ["", *_fenced(answer.text)]
    if answer.thought:
        lines += ["", THOUGHT, "", *_fenced(answer.thought)]
    return lines


def _fenced(text: str) -> list[str]:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", text, fence]


def _escaped(line: str) -> str:
    return _NUMBERED.sub(r"\1\\\2", _MARKUP.sub(r"\\\g<0>", line))
