"""As much of Go's text/template as our Modelfiles use, to compare templates with."""

from __future__ import annotations

import re

ACTION = re.compile(r"\{\{ (.*?) \}\}", re.DOTALL)
RANGE, END = "{{ range .Messages }}", "{{ end }}"


def render_go(template: str, messages: list[dict[str, str]]) -> str:
    """`{{ range .Messages }}...{{ end }}tail`, with a chain of `if eq .Role` inside."""
    assert template.startswith(RANGE)
    body, tail = template[len(RANGE) :].rsplit(END, 1)
    assert body.endswith(END), "the chain of ifs is closed"
    parts = ACTION.split(body[: -len(END)])
    assert parts[0] == "", "nothing stands before the first if"
    written: list[str] = []
    for message in messages:
        taken = done = False
        for index, part in enumerate(parts):
            if index % 2:  # an action
                if match := re.fullmatch(r'(?:else )?if eq \.Role "(\w+)"', part):
                    done = done or taken
                    taken = not done and match[1] == message["role"]
                elif part == ".Content":
                    written += [message["content"]] if taken else []
                else:
                    assert part == '"{{"', f"an action that is not known: {part}"
                    written += ["{{"] if taken else []
            elif taken:
                written.append(part)
    return "".join(written) + ACTION.sub(lambda m: m[1].strip('"'), tail)
