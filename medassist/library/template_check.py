"""Checks a model's template, BOS and end tokens, and suggests fixes.

A tuned model whose file lost its template, or whose end-of-turn token is no end to
llama.cpp, answers badly or without end, and nobody sees why. What is found is a
sentence with what to do; nothing is changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from medassist.core.clean import clean_line
from medassist.core.errors import ModelFileError
from medassist.core.gguf import read_header
from medassist.core.values import PairFiles
from medassist.engine.child import Child, ChildEnded
from medassist.engine.template_probe import REPLIES, TOKENS, Probe, ProbedTemplate
from medassist.library.errors import LibraryError

PROBE = "medassist.engine.template_probe"
TIME_LIMIT_S = 60.0

Weight = Literal["wrong", "look", "note"]


class TemplateFinding(BaseModel):
    """A finding about a model's template or tokens."""

    model_config = ConfigDict(frozen=True)

    weight: Weight
    """`wrong`: answers suffer; `look`: they may; `note`: good to know."""
    said: str
    fix: str = ""

    @property
    def text(self) -> str:
        return f"{self.said} {self.fix}".strip()


def probe_file(path: Path) -> ProbedTemplate:
    """Examine the template of the model at `path` in a confined process.

    Raises:
        ModelFileError: the file is no GGUF, or its template ended the process.
    """
    try:
        with Child(PROBE, REPLIES, TIME_LIMIT_S) as child:
            child.send(Probe(file=path.absolute()))
            found = child.receive()
    except ChildEnded as ended:
        why = "the process that looked at it ended"
        to_do = "convert the model again with a corrected template"
        if ended.broken:
            why, to_do = ended.broken, ended.to_do
        elif ended.late:
            why = f"it took more than {TIME_LIMIT_S:.0f} s"
    else:
        if isinstance(found, ProbedTemplate):
            return found
        raise ModelFileError(found.message, path)
    raise ModelFileError(
        f"{path}: its chat template cannot be checked ({why}). {to_do.capitalize()}.",
        path,
    )


def check_model(name: str, found: ProbedTemplate) -> list[TemplateFinding]:
    """Findings about the model called `name`."""
    return [*_of_template(name, found), *_of_bos(name, found), *_of_end(name, found)]


def _of_template(name: str, found: ProbedTemplate) -> list[TemplateFinding]:
    if found.template == "none":
        return [
            TemplateFinding(
                weight="look",
                said=f"{name} has no chat template, so it is asked as "
                '"Question: ... Answer:".',
                fix="If it was tuned for conversations, convert it again from a folder "
                "whose tokenizer has its template (chat_template.jinja or "
                "tokenizer_config.json).",
            )
        ]
    if found.template == "broken":
        return [
            TemplateFinding(
                weight="wrong",
                said=f"The chat template of {name} does not work: "
                f"{clean_line(found.trouble)[:300]}",
                fix="No question can be put to it as it is.",
            )
        ]
    if found.writes_date:
        return [
            TemplateFinding(
                weight="note",
                said=f"The chat template of {name} writes today's date into the "
                "prompt, so the same question can be answered differently tomorrow.",
            )
        ]
    return []


def _of_bos(name: str, found: ProbedTemplate) -> list[TemplateFinding]:
    bos, rendered = found.bos, found.rendered
    if found.adds_bos and not bos:
        return [
            TemplateFinding(
                weight="wrong",
                said=f"{name} says that a text begins with a BOS token and names none.",
                fix="Convert it again with its tokenizer beside it.",
            )
        ]
    if not bos or not rendered:
        return []
    if any(text.startswith(bos + bos) for text in rendered):
        return [
            TemplateFinding(
                weight="wrong",
                said=f"The chat template of {name} writes BOS ({bos}) twice.",
                fix="Here it is read once; other programs read both, and answer worse. "
                "Take one of them out of the template and convert again.",
            )
        ]
    if found.adds_bos and rendered[0].startswith(bos):
        return [
            TemplateFinding(
                weight="note",
                said=f"BOS ({bos}) would be doubled: the template of {name} writes it, "
                "and the tokenizer adds it.",
                fix="Here it is read once. For a program that reads both, set "
                "tokenizer.ggml.add_bos_token to false when converting.",
            )
        ]
    return []


def _of_end(name: str, found: ProbedTemplate) -> list[TemplateFinding]:
    ends = ", ".join(found.ends)
    if found.turn_end and found.turn_end not in found.ends:
        finding = TemplateFinding(
            weight="wrong",
            said=f"The template of {name} ends an answer with {found.turn_end!r} "
            f"(token {found.turn_end_id}), which is no end to llama.cpp "
            f"({ends or 'the file names none'}).",
            fix="Here an answer ends there; in other programs answers run on. Convert "
            f"it again with tokenizer.ggml.eot_token_id = {found.turn_end_id}.",
        )
    elif found.stop:
        none = "" if ends else " The file names no end token either."
        finding = TemplateFinding(
            weight="look",
            said=f"The template of {name} ends an answer with the text "
            f"{found.stop!r}, which is no token of its own.{none}",
            fix="Here answers are cut off there; other programs need it as a stop "
            "text.",
        )
    elif not ends:
        finding = TemplateFinding(
            weight="wrong",
            said=f"{name} has no end token: its answers end only at the length limit.",
            fix="Convert it again with tokenizer.ggml.eos_token_id set; until then "
            "give the pair a stop text.",
        )
    elif found.rendered and not found.turn_end:
        finding = TemplateFinding(
            weight="look",
            said=f"The template of {name} ends an answer with "
            f"{found.after_answer[:30]!r}, which tells no end, so answers may run on.",
            fix="If they do, give the pair a stop text.",
        )
    else:
        return []
    return [finding]


def check_pair(files: PairFiles) -> list[TemplateFinding]:
    """Findings about a pair's models and their differences.

    Raises:
        ModelFileError: a file is no GGUF.
    """
    probed = {
        path: probe_file(path)
        for path in dict.fromkeys(files.files(pane)[0] for pane in files.panes)
    }
    findings = [f for path, p in probed.items() for f in check_model(path.name, p)]
    if files.base and files.tuned:
        findings += differing(
            (files.base.name, probed[files.base]),
            (files.tuned.name, probed[files.tuned]),
        )
    if files.base and files.adapter:
        findings += _of_activation(files.base, files.adapter, probed[files.base])
    return findings


def differing(
    base: tuple[str, ProbedTemplate], tuned: tuple[str, ProbedTemplate]
) -> list[TemplateFinding]:
    """Differences between the templates and tokens of tuned model and base."""
    (a, of_base), (b, of_tuned) = base, tuned
    found: list[TemplateFinding] = []
    if of_base.template == "own" and of_tuned.template == "none":
        found.append(
            TemplateFinding(
                weight="wrong",
                said=f"{b} has lost the chat template that its base {a} has.",
                fix="Convert it again with the base's tokenizer files beside it.",
            )
        )
    elif _both_write(of_base, of_tuned) and of_base.rendered != of_tuned.rendered:
        found.append(
            TemplateFinding(
                weight="look",
                said=f"The same conversation is written differently by the templates "
                f"of {a} and {b}: {_where(of_base, of_tuned)}.",
                fix="That is right only if it was tuned on that format. If not, "
                "convert it again with the base's template.",
            )
        )
    if of_base.tokens != of_tuned.tokens:
        found.append(
            TemplateFinding(
                weight="note",
                said=f"{a} has {of_base.tokens:,} tokens and {b} {of_tuned.tokens:,}.",
            )
        )
    if (of_base.bos, of_base.adds_bos) != (of_tuned.bos, of_tuned.adds_bos):
        found.append(
            TemplateFinding(
                weight="look",
                said=f"BOS differs: {a} {_bos(of_base)}, {b} {_bos(of_tuned)}.",
                fix="A tuned model begins as its base does, unless it was trained "
                "otherwise: convert it again with the base's tokenizer files.",
            )
        )
    lost = set(of_base.ends) - set(of_tuned.ends)
    if lost:
        found.append(
            TemplateFinding(
                weight="look",
                said=f"{a} ends an answer at {', '.join(sorted(lost))}, and {b} does "
                "not.",
                fix="Convert it again with the base's generation_config.json beside "
                "it.",
            )
        )
    return found


def _of_activation(
    base: Path, adapter: Path, found: ProbedTemplate
) -> list[TemplateFinding]:
    header = read_header(base, keep=(TOKENS,))
    texts = header.metadata.get(TOKENS, ())
    if not isinstance(texts, tuple) or not found.rendered:
        return []
    switch = read_header(adapter).invocation_tokens
    if any(token >= len(texts) for token in switch):
        raise LibraryError(
            f"{adapter} is switched on by token {max(switch)}, and {base.name} has "
            f"{len(texts)} tokens. Give the base that it was trained on."
        )
    # Only control tokens stand in a prompt as they stand in the vocabulary.
    written = "".join(str(texts[token]) for token in switch)
    if written.startswith("<") and written not in found.rendered[0]:
        return [
            TemplateFinding(
                weight="wrong",
                said=f"{adapter.name} is switched on by {written!r}, which the "
                f"template of {base.name} never writes, so both panes answer as the "
                "base does.",
                fix="Give the base that it was trained on, with that base's template.",
            )
        ]
    return []


def _both_write(one: ProbedTemplate, other: ProbedTemplate) -> bool:
    return bool(one.rendered and other.rendered)


def _bos(found: ProbedTemplate) -> str:
    if not found.bos:
        return "has none"
    return f"{found.bos}, {'added' if found.adds_bos else 'not added'} by itself"


def _where(one: ProbedTemplate, other: ProbedTemplate) -> str:
    """The first place at which two templates part, in a few words."""
    for ours, theirs in zip(one.rendered, other.rendered, strict=False):
        if ours == theirs:
            continue
        at = next(
            (i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b),
            min(len(ours), len(theirs)),
        )
        start = max(0, at - 10)
        return f"{ours[start : at + 20]!r} and {theirs[start : at + 20]!r}"
    return "in their number"
