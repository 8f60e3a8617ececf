"""Texts of the app itself."""

from __future__ import annotations

NO_TERMINAL = (
    "The consult screen needs a terminal for its input and for standard error, on "
    "which it is drawn. In a pipe, use `medassist ask`."
)


def copied(what: str, known: bool) -> str:
    """Something was copied; not `known`: the terminal does not say whether it was."""
    if known:
        return f"Copied {what}."
    return f"Sent {what} to the terminal's clipboard (your terminal decides)."


def failed(kind: str, where: str) -> str:
    """The program itself has failed."""
    return (
        f"medassist had to stop: {kind}{where}. This is an error in the program. What "
        "was saved is safe; nothing else of the consultation was written anywhere. "
        "`medassist --debug` shows more when it happens again."
    )
