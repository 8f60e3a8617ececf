"""`TurnTemplate` in the words of Go's text/template, as Ollama runs it.

Ollama (template/template.go, read in August 2026) gives a template that names
`.Messages` the turns with those of one role in a row joined, and `.System`, all system
texts. It writes the begin token by itself, when it makes tokens of the prompt. A last
turn of the assistant is left open, for the model to go on with it, as the templates of
Ollama's own library do.
"""

from __future__ import annotations

import unicodedata

from convert.turns import (
    SystemInQuestion,
    SystemLeftOut,
    SystemTurn,
    Trim,
    TurnAffixes,
    TurnTemplate,
)

# Ollama has no function that trims, so templates that call themselves do it, a
# character at a time: those that Python calls white space, by their length in UTF-8.
SPACES = {
    1: r'"\t" "\n" "\v" "\f" "\r" "\x1c" "\x1d" "\x1e" "\x1f" " "',
    2: r'"\u0085" "\u00a0"',
    3: " ".join(
        f'"\\u{code:04x}"'
        for code in (
            0x1680,
            *range(0x2000, 0x200B),
            0x2028,
            0x2029,
            0x202F,
            0x205F,
            0x3000,
        )
    ),
}
NAMES: dict[Trim, str] = {"both": "trim", "left": "left", "right": "right"}
LAST = "{{ $last := eq (len (slice $.Messages $i)) 1 }}"


def go_template(turns: TurnTemplate) -> str:
    """`turns` as a Go template over Ollama's `.Messages`.

    Example, with two of its parts:
        `TurnTemplate("", SystemLeftOut(), TurnAffixes("Q: ", ""),
        TurnAffixes("A: ", ""), "A: ")` ->
        `... {{ if eq .Role "user" }}Q: {{ .Content }} ...`
        `{{ if and $last (ne .Role "assistant") }}A: {{ end }}{{ end }}`
    """
    body: list[str] = [LAST]
    if turns.opening:
        start = "eq $i 0"
        if isinstance(turns.system, SystemTurn):
            start = 'and (eq $i 0) (ne .Role "system")'
        body.append(f"{{{{ if {start} }}}}{_text(turns.opening)}{{{{ end }}}}")
    roles = {
        "system": _system(turns),
        "user": _user(turns),
        "assistant": _text(turns.assistant.before)
        + _value(".Content", turns.assistant.trim)
        + "{{ if not $last }}"
        + _text(turns.assistant.after)
        + "{{ end }}",
    }
    word = "if"
    for role, written in roles.items():
        if written:
            body.append(f'{{{{ {word} eq .Role "{role}" }}}}{written}')
            word = "else if"
    body.append("{{ end }}")
    if turns.asks:
        body.append('{{ if and $last (ne .Role "assistant") }}')
        body.append(_text(turns.asks) + "{{ end }}")
    each = "".join(body)
    asked = ""
    if isinstance(turns.system, SystemInQuestion) and turns.system.where == "first":
        asked = "{{ $asked := false }}"
    return f"{_definitions(turns)}{asked}{{{{ range $i, $_ := .Messages }}}}{each}" + (
        "{{ end }}"
    )


def _system(turns: TurnTemplate) -> str:
    match turns.system:
        case SystemTurn(first, later):
            if first == later:
                return _around(first, ".Content")
            return (
                f"{{{{ if $i }}}}{_around(later, '.Content')}"
                f"{{{{ else }}}}{_around(first, '.Content')}{{{{ end }}}}"
            )
        case SystemInQuestion() | SystemLeftOut():
            return ""


def _user(turns: TurnTemplate) -> str:
    user, system = turns.user, turns.system
    plain = _value(".Content", user.trim)
    if isinstance(system, SystemInQuestion):
        here = "$last" if system.where == "last" else "(not $asked)"
        told = _around(system.around, "$.System")
        behind = _value(".Content", system.question_trim)
        if behind == plain:
            plain = f"{{{{ if and $.System {here} }}}}{told}{{{{ end }}}}{plain}"
        else:
            plain = (
                f"{{{{ if and $.System {here} }}}}{told}{behind}"
                f"{{{{ else }}}}{plain}{{{{ end }}}}"
            )
        if system.where == "first":
            plain += "{{ $asked = true }}"
    return _text(user.before) + plain + _text(user.after)


def _around(around: TurnAffixes, value: str) -> str:
    return _text(around.before) + _value(value, around.trim) + _text(around.after)


def _value(value: str, trim: Trim) -> str:
    if trim == "no":
        return f"{{{{ {value} }}}}"
    return f'{{{{ template "{NAMES[trim]}" {value} }}}}'


def _definitions(turns: TurnTemplate) -> str:
    """The templates that trim, as far as they are called."""
    used = {turns.user.trim, turns.assistant.trim}
    match turns.system:
        case SystemTurn(first, later):
            used |= {first.trim, later.trim}
        case SystemInQuestion(around=around, question_trim=trim):
            used |= {around.trim, trim}
        case SystemLeftOut():
            pass
    written = ""
    if "left" in used:
        written += _trimmer("left", "(slice . {n})", "(slice . 0 {n})", "{{ . }}")
    if "both" in used:
        then = '{{ template "right" . }}'
        written += _trimmer("trim", "(slice . {n})", "(slice . 0 {n})", then)
    if used & {"both", "right"}:
        # What is left of the end is as long as the text without its start.
        rest = "(slice . 0 (len (slice . {n})))"
        written += _trimmer("right", rest, "(slice . (len (slice . {n})))", "{{ . }}")
    return written


def _trimmer(name: str, rest: str, end: str, then: str) -> str:
    """A template that writes its text without the white space at one end."""
    branches = ""
    for size, spaces in SPACES.items():
        looks = f"eq {end.format(n=size)} {spaces}"
        if size > 1:
            looks = f"and (ge (len .) {size}) ({looks})"
        word = "if" if size == 1 else "else if"
        branches += f"{{{{ {word} {looks} }}}}"
        branches += f'{{{{ template "{name}" {rest.format(n=size)} }}}}'
    return (
        f'{{{{ define "{name}" }}}}{{{{ if . }}}}{branches}{{{{ else }}}}{then}'
        "{{ end }}{{ end }}{{ end }}"
    )


def _text(text: str) -> str:
    """`text` so that Go takes no part of it for an action, and a Modelfile holds it."""
    parts: list[str] = []
    position = 0
    while position < len(text):
        rest = text[position:]
        braces = len(rest) - len(rest.lstrip("{"))
        quotes = len(rest) - len(rest.lstrip('"'))
        if braces > 1 or braces == len(rest):
            # One at the end would join the braces of the action behind it.
            parts.append(f'{{{{ "{"{" * braces}" }}}}')
            position += braces
        elif quotes > 2:
            escaped = '\\"' * quotes
            parts.append(f'{{{{ "{escaped}" }}}}')
            position += quotes
        elif not is_printable(rest[0]):
            parts.append(f'{{{{ "\\U{ord(rest[0]):08x}" }}}}')
            position += 1
        else:
            parts.append(rest[0])
            position += 1
    return "".join(parts)


def is_printable(character: str) -> bool:
    """Whether Ollama's reader of Modelfiles keeps `character`.

    It drops what Go's `strconv.IsPrint` does not call printable, but for line ends and
    tabs: no-break spaces and zero-width joiners among them.
    """
    if character in " \n\r\t":
        return True
    return unicodedata.category(character)[0] not in "CZ"


__all__ = ["go_template", "is_printable"]
