"""Find what a chat template writes around turns, by asking it; then prove it.

Nothing is read out of the Jinja text. The template renders conversations of marked
words; what stands between the marks is its fixed text. What was found is then compared
with the template over conversations of every shape, and refused if one differs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, product, takewhile

from convert.errors import ConvertError
from convert.go_template.source import (
    ChatSource,
    Conversation,
    TemplateRefused,
)
from convert.turns import (
    SystemInQuestion,
    SystemLeftOut,
    SystemTurn,
    Trim,
    TurnAffixes,
    TurnTemplate,
)
from medassist.core.values import Role

TRIMS: tuple[Trim, ...] = ("no", "both", "right", "left")
PADDED = " \t\n\u00a0 a b \u2003\n\r "
"""A text with white space of several kinds at both ends."""
WORDS = {"system": "Sigma", "user": "Ypsilon", "assistant": "Alpha"}
BEFORE, BEHIND = 20, 40  # characters that are shown of where two texts part
TEXTS = (
    "What is iron for?",
    "Two lines.\n\nAnd 'a' \"third\".",
    "  padded\n",
    "\n\tHb 8,1 g/dL; MCV 71 fL \u2192 anaemia \u00b1 0.2 \u00b5g \u4e2d\u6587",
    "{{ .Content }} {% if x %} {{- y -}} `}}`",
    "\u00a0narrow\u2003",
)


def read_turns(source: ChatSource) -> TurnTemplate:
    """Find what the chat template of `source` writes around turns.

    Example:
        `{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}` ->
        `TurnTemplate` whose `user` is `TurnAffixes("<user>", "</s>")`

    Raises:
        ConvertError: it fails, or it writes something that depends on more than the
            roles of the turns and their order.
    """
    turns, odd = nearest_turns(source)
    if odd:
        raise no_go_form(source, odd)
    return turns


def nearest_turns(source: ChatSource) -> tuple[TurnTemplate, str]:
    """Finds the turns nearest to the chat template of `source`, and where they differ.

    The second is empty where it is what the template writes, exactly.

    Raises:
        ConvertError: it fails, or refuses a conversation.
    """
    finder = _Finder(source)
    odd = finder.odd
    try:
        turns = finder.find()
    except _NoFormError as error:
        return _one_question(source, finder), str(error)
    turns = _with_trims(source, turns, odd)
    return turns, next(chain(odd, _unlike(source, turns)), "")


class _NoFormError(Exception):
    """A template that cannot be taken apart; says why."""


class _Finder:
    def __init__(self, source: ChatSource) -> None:
        self.source = source
        self.odd: list[str] = []
        """Findings about the template besides fixed texts around turns."""
        specials = sorted(filter(None, source.specials), key=len, reverse=True)
        self.atoms = re.compile("|".join([*map(re.escape, specials), "."]), re.DOTALL)

    def find(self) -> TurnTemplate:
        first, answered, asked = self.between("user", "assistant", "user")[:3]
        again = self.between("user", "assistant", "user", "assistant", "user")
        if again[2] != asked or again[3] != answered or again[4] != again[2]:
            self.odd.append("later turns are written otherwise than earlier ones")
        end = again[5]
        question_after, asks = self._end_of_question(end)
        # Where it does not ask, a template closes an answer with what is its own.
        closed = self.between("user", "assistant", ask=False)[-1]
        answer_after, question_before = self._cut(asked, closed)
        if question_before and not first.endswith(question_before):
            shared = self._common_end(first, question_before)
            answer_after += question_before.removesuffix(shared)
            question_before = shared
        opening = first.removesuffix(question_before)
        answer_before = answered.removeprefix(question_after)
        if not answered.startswith(question_after):
            question_after = self._common_start(answered, end)
            answer_before = answered.removeprefix(question_after)
            asks = end.removeprefix(question_after)
        turns = TurnTemplate(
            opening,
            SystemLeftOut(),
            TurnAffixes(question_before, question_after),
            TurnAffixes(answer_before, answer_after),
            asks,
        )
        return replace(turns, system=self._system(turns))

    def _system(
        self, turns: TurnTemplate
    ) -> SystemTurn | SystemInQuestion | SystemLeftOut:
        conversation: tuple[Role, ...] = ("system", "user", "assistant", "user")
        text = self.render(*conversation)
        places = [text.find(f"{WORDS[role]}{i}") for i, role in enumerate(conversation)]
        if places[0] < 0:
            return SystemLeftOut()
        if places[0] > places[2]:  # after the answer: it is in the last question
            between = self.between("user", "assistant", "system", "user", of=text)
            return self._inside(between[2], between[3], turns, "last")
        before, after = self.between(*conversation, of=text)[:2]
        if after.endswith(turns.user.before) and self._is_turn(before, turns):
            first = TurnAffixes(before, after.removesuffix(turns.user.before))
            return SystemTurn(first, self._later(turns) or first)
        return self._inside(before, after, turns, "first")

    def _is_turn(self, before: str, turns: TurnTemplate) -> bool:
        """Whether what opens a system text is not what opens a question."""
        return not before.startswith(turns.opening + turns.user.before)

    def _inside(
        self, before: str, after: str, turns: TurnTemplate, where: str
    ) -> SystemInQuestion:
        lead = turns.user.before
        lead = turns.assistant.after + lead if where == "last" else turns.opening + lead
        if not before.startswith(lead):
            raise _NoFormError("a system text changes what stands before it")
        return SystemInQuestion(
            TurnAffixes(before.removeprefix(lead), after),
            "last" if where == "last" else "first",
            turns.user.trim,
        )

    def _later(self, turns: TurnTemplate) -> TurnAffixes | None:
        """Text around a system turn in the middle, where one is taken."""
        roles: tuple[Role, ...] = ("user", "assistant", "system", "user")
        conversation = _marked(roles)
        if not self.source.takes(conversation):
            return None
        text = self.source.render(conversation)
        if any(text.count(word) != 1 for _, word in conversation):
            return None
        before, after = self.between(*roles, of=text)[2:4]
        if before.startswith(turns.assistant.after) and after.endswith(
            turns.user.before
        ):
            before = before.removeprefix(turns.assistant.after)
            return TurnAffixes(before, after.removesuffix(turns.user.before))
        return None

    def _end_of_question(self, end: str) -> tuple[str, str]:
        """Cut what stands after the last question from what asks for the answer."""
        unasked = self.between("user", ask=False)[-1]
        return self._cut(end, unasked)

    def _cut(self, text: str, start: str) -> tuple[str, str]:
        """Cut `text` where it leaves `start`, and no token in two."""
        if not text.startswith(start):
            start = self._common_start(text, start)
        return start, text.removeprefix(start)

    def _common_start(self, a: str, b: str) -> str:
        atoms: list[str] = []
        for x, y in zip(self.atoms.findall(a), self.atoms.findall(b), strict=False):
            if x != y:
                break
            atoms.append(x)
        return "".join(atoms)

    def _common_end(self, a: str, b: str) -> str:
        atoms: list[str] = []
        one, other = self.atoms.findall(a), self.atoms.findall(b)
        for x, y in zip(reversed(one), reversed(other), strict=False):
            if x != y:
                break
            atoms.insert(0, x)
        return "".join(atoms)

    def render(self, *roles: Role, ask: bool = True) -> str:
        turns = _marked(roles)
        try:
            return self.source.render(turns, ask=ask)
        except TemplateRefused as error:
            raise ConvertError(
                f"{self.source.origin}: the chat template refuses a conversation "
                f"({', '.join(roles)}): {error}. Write a TEMPLATE by hand and give it "
                "with --template"
            ) from error

    def between(
        self, *roles: Role, ask: bool = True, of: str | None = None
    ) -> list[str]:
        """The fixed texts around the turns; one more than there are turns."""
        text = self.render(*roles, ask=ask) if of is None else of
        # A text that was rendered for another order of roles numbers them otherwise.
        pattern = "|".join(rf"{word}\d" for word in WORDS.values())
        parts = re.split(pattern, text)
        if len(parts) != len(roles) + 1:
            raise _NoFormError("a turn is left out or is written twice")
        return parts


def _marked(roles: Sequence[Role]) -> list[tuple[Role, str]]:
    """Turns of one word each, by which their places are found again."""
    return [(role, f"{WORDS[role]}{i}") for i, role in enumerate(roles)]


def no_go_form(source: ChatSource, why: str) -> ConvertError:
    """The error for a template that Go cannot repeat."""
    return ConvertError(
        f"{source.origin}: the chat template writes more than fixed text around each "
        f"turn, so it has no exact Go form: {why}. Write a TEMPLATE by hand and give "
        "it with --template"
    )


def _one_question(source: ChatSource, finder: _Finder) -> TurnTemplate:
    """Text that the template writes around a question that stands alone."""
    text = finder.render("user")
    question = re.search(f"{WORDS['user']}0", text, re.IGNORECASE)
    if question is None:
        raise no_go_form(source, "it leaves out the question")
    user = TurnAffixes(text[: question.start()], "")
    nothing = TurnAffixes("", "\n")
    return TurnTemplate("", SystemLeftOut(), user, nothing, text[question.end() :])


def _with_trims(
    source: ChatSource, turns: TurnTemplate, odd: list[str]
) -> TurnTemplate:
    """Find which turns the template trims, one kind of turn after the other.

    Where it changes a text otherwise, that is added to `odd`.
    """

    def best(
        conversation: Conversation,
        change: Callable[[TurnTemplate, Trim], TurnTemplate],
        who: str,
    ) -> TurnTemplate:
        expected = _expected(source, conversation)
        for trim in TRIMS:
            if (changed := change(turns, trim)).render(conversation) == expected:
                return changed
        odd.append(f"it changes the text of {who}")
        return turns

    def user(found: TurnTemplate, trim: Trim) -> TurnTemplate:
        return replace(found, user=replace(found.user, trim=trim))

    def assistant(found: TurnTemplate, trim: Trim) -> TurnTemplate:
        return replace(found, assistant=replace(found.assistant, trim=trim))

    turns = best([("user", PADDED)], user, "questions")
    turns = best(
        [("user", "a"), ("assistant", PADDED), ("user", "b")], assistant, "answers"
    )
    match turns.system:
        case SystemInQuestion(where=where):

            def told(found: TurnTemplate, trim: Trim) -> TurnTemplate:
                assert isinstance(found.system, SystemInQuestion)
                around = replace(found.system.around, trim=trim)
                return replace(found, system=replace(found.system, around=around))

            def behind(found: TurnTemplate, trim: Trim) -> TurnTemplate:
                assert isinstance(found.system, SystemInQuestion)
                return replace(found, system=replace(found.system, question_trim=trim))

            turns = best([("system", PADDED), ("user", "a")], told, "the system")
            turns = best(
                [("system", "s"), ("user", PADDED)], behind, f"the {where} question"
            )
        case SystemTurn():

            def first(found: TurnTemplate, trim: Trim) -> TurnTemplate:
                assert isinstance(found.system, SystemTurn)
                return replace(
                    found,
                    system=SystemTurn(
                        replace(found.system.first, trim=trim),
                        replace(found.system.later, trim=trim),
                    ),
                )

            turns = best([("system", PADDED), ("user", "a")], first, "the system")
        case SystemLeftOut():
            pass
    return turns


def _unlike(source: ChatSource, turns: TurnTemplate) -> Iterator[str]:
    """Finds where `turns` and the template differ, over talks of many shapes."""
    for conversation in conversations():
        expected = _expected(source, conversation)
        found = turns.render(conversation)
        if found != expected:
            pairs = zip(expected, found, strict=False)
            same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            here = slice(max(0, same - BEFORE), same + BEHIND)
            yield (
                f"it writes {expected[here]!r}, fixed texts would write {found[here]!r}"
            )


def _expected(source: ChatSource, conversation: Conversation) -> str:
    try:
        return source.render(conversation)
    except TemplateRefused as error:
        raise ConvertError(
            f"{source.origin}: the chat template refuses a conversation: {error}. "
            "Write a TEMPLATE by hand and give it with --template"
        ) from error


def conversations(texts: Sequence[str] = TEXTS) -> Iterator[Conversation]:
    """Conversations of every shape that ends in a question, with every text."""
    for system, rounds, shift in product((False, True), (0, 1, 2), range(len(texts))):
        roles: list[Role] = ["system"] if system else []
        for _ in range(rounds):
            roles.append("user")
            roles.append("assistant")
        roles.append("user")
        yield [
            (role, texts[(shift + place) % len(texts)])
            for place, role in enumerate(roles)
        ]
