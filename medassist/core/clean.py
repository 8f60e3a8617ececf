"""Cleaning of untrusted text before it reaches a terminal.

A model's answer, a model file's metadata or a pasted note can hold bytes that a
terminal obeys: sequences that move the cursor, write the clipboard, rename the
window or reverse the order of the letters. Textual passes them through. What
leaves this module holds no control character but newline and tab, and nothing
that reorders or hides text.
"""

from __future__ import annotations

import re
from typing import Final, Literal

_State = Literal["text", "escape", "intermediate", "csi", "string", "string-escape"]

LONGEST_SEQUENCE: Final = 4096
"""Characters after which an unterminated control string counts as over, so that a
lone opening cannot swallow an answer to its end."""

_STRING_OPENERS: Final = frozenset("]P_^X")
"""After ESC: OSC, DCS, APC, PM, SOS, which run to ST or BEL."""
_C1_STRING_OPENERS: Final = frozenset("\x9d\x90\x9f\x9e\x98")

_LINE_BREAKS: Final = "\r\u2028\u2029"
"""Shown as a newline: HL7 messages, for one, end their lines with a lone CR, and
Markdown counts a line separator differently from Python."""

_REMOVED: Final = (
    "\x00-\x08\x0b-\x0c\x0e-\x1f\x7f"  # C0 but for tab, newline and CR; DEL
    "\x80-\x9f"  # C1
    "\u200b\u2060-\u2064\ufeff"  # invisible, and no script needs them
    "\u202a-\u202e\u2066-\u2069\u206a-\u206f"  # bidi embeddings, overrides, isolates
    "\ufff9-\ufffb"  # interlinear annotation
    "\ud800-\udfff"  # surrogates
    "\U000e0000-\U000e0fff"  # tags and supplementary variation selectors
)
_SUSPICIOUS: Final = re.compile(f"[{_LINE_BREAKS}{_REMOVED}]")
_HIDDEN: Final = re.compile(f"[{_REMOVED}]")


class Cleaner:
    """Cleans a text that arrives in pieces.

    However the text is cut into pieces, what comes out is the same, joined: a
    sequence that is split over two pieces is removed whole.
    """

    def __init__(self) -> None:
        self._state: _State = "text"
        self._length = 0  # of the sequence that is being skipped
        self._after_cr = False
        self._high = ""  # a high surrogate that waits for its partner

    def push(self, piece: str) -> str:
        """Take a further piece; return what of it may be shown."""
        if not piece:
            return ""
        ground = self._state == "text" and not self._after_cr and not self._high
        if ground and not _SUSPICIOUS.search(piece):
            return piece
        return "".join([self._take(character) for character in piece])

    def finish(self) -> str:
        """End the text; return what was held back and may be shown.

        A sequence that was opened and never ended is dropped. The cleaner can then
        be used for another text.
        """
        self.__init__()
        return ""

    def _take(self, character: str) -> str:
        match self._state:
            case "text":
                return self._text(character)
            case "escape":
                return self._escape(character)
            case "intermediate":
                return self._until(character, " ", "/", "0", "~")
            case "csi":
                return self._until(character, " ", "?", "@", "~")
            case "string":
                return self._string(character)
            case "string-escape":
                if character == "\\":
                    return self._over()
                self._state = "escape"
                return self._escape(character)

    def _text(self, character: str) -> str:
        after_cr, self._after_cr = self._after_cr, False
        high, self._high = self._high, ""
        if character == "\n" and after_cr:
            return ""
        if " " <= character <= "~":
            return character
        if character == "\x1b":
            return self._enter("escape")
        if character == "\x9b":
            return self._enter("csi")
        if character in _C1_STRING_OPENERS:
            return self._enter("string")
        if character in _LINE_BREAKS:
            self._after_cr = character == "\r"
            return "\n"
        if "\ud800" <= character <= "\udbff":
            self._high = character
            return ""
        if high and "\udc00" <= character <= "\udfff":
            return self._text(_joined(high, character))
        return "" if _HIDDEN.match(character) else character

    def _escape(self, character: str) -> str:
        if character == "[":
            return self._enter("csi")
        if character in _STRING_OPENERS:
            return self._enter("string")
        if " " <= character <= "/":
            return self._enter("intermediate")
        if "0" <= character <= "~":
            return self._over()  # a sequence of two characters
        return self._again(character)

    def _until(
        self, character: str, first: str, last: str, end_first: str, end_last: str
    ) -> str:
        if end_first <= character <= end_last:
            return self._over()
        if first <= character <= last and self._length < LONGEST_SEQUENCE:
            self._length += 1
            return ""
        return self._again(character)

    def _string(self, character: str) -> str:
        if character in "\x07\x9c\x18\x1a":  # BEL, ST, CAN, SUB
            return self._over()
        if character == "\x1b":
            self._state = "string-escape"
            return ""
        if character == "\n" or character in _LINE_BREAKS:
            return self._again(character)  # nothing of use to us runs over a line
        if self._length >= LONGEST_SEQUENCE:
            return self._again(character)
        self._length += 1
        return ""

    def _enter(self, state: _State) -> str:
        self._state, self._length = state, 0
        return ""

    def _over(self) -> str:
        self._state = "text"
        return ""

    def _again(self, character: str) -> str:
        """The sequence broke off before `character`, which is text again."""
        self._state = "text"
        return self._text(character)


def _joined(high: str, low: str) -> str:
    return chr(0x10000 + ((ord(high) - 0xD800) << 10) + (ord(low) - 0xDC00))


def clean(text: str) -> str:
    """`text` without what a terminal would obey or a reader could not see."""
    cleaner = Cleaner()
    return cleaner.push(text) + cleaner.finish()


def clean_line(text: str) -> str:
    """`text`, cleaned, on one line: for names and labels."""
    return " ".join(clean(text).split())
