"""Cleaning of untrusted text before it reaches a terminal.

A model's answer, a model file's metadata or a pasted note can hold bytes that a
terminal obeys: sequences that move the cursor, write the clipboard, rename the
window or reverse the order of the letters. Textual passes them through. What
leaves this module holds no control character but newline and tab, and nothing
that reorders or hides text.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, Literal

_State = Literal["text", "escape", "intermediate", "csi", "string", "string-escape"]

LONGEST_SEQUENCE: Final = 4096
"""Characters after which an unterminated control string counts as over, so that a
lone opening cannot swallow an answer to its end."""

_STRING_OPENERS: Final = frozenset("]P_^X")
"""Characters behind ESC that open OSC, DCS, APC, PM, SOS, which run to ST or BEL."""
_C1_STRING_OPENERS: Final = frozenset("\x9d\x90\x9f\x9e\x98")

_LINE_BREAKS: Final = "\r\u2028\u2029"
"""Shown as a newline: HL7 messages, for one, end their lines with a lone CR, and
Markdown counts a line separator differently from Python."""

HIDDEN: Final = (
    "\x00-\x08\x0b-\x0c\x0e-\x1f\x7f"  # C0 but for tab, newline and CR; DEL
    "\x80-\x9f"  # C1
    "\u00ad"  # soft hyphen: some terminals draw it, some do not
    "\u200b\u2060-\u2065\ufeff"  # invisible, and no script needs them
    "\u061c\u200e-\u200f"  # marks of direction: "RLM 5 - 10 RLM" is drawn as 10 - 5
    "\u202a-\u202e\u2066-\u2069\u206a-\u206f"  # bidi embeddings, overrides, isolates
    "\u034f\u115f-\u1160\u17b4-\u17b5\u180b-\u180f\u3164\uffa0"  # fillers
    "\ufe00-\ufe0d"  # variants of ideographs and mathematical signs
    "\ufff0-\ufffb"  # interlinear annotation, and what is left unassigned beside it
    "\ud800-\udfff"  # surrogates
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # of shorthand and of music
    "\U000e0000-\U000e0fff"  # tags and supplementary variation selectors
)
"""Characters that a terminal obeys or a reader cannot see, as the inside of a class."""
_JOINERS: Final = "\u200c\u200d"
"""Scripts such as Persian and Hindi, and emoji of several parts, cannot do without;
after any other letter or digit they hide in the middle of a number or a name."""
_SELECTORS: Final = "\ufe0e\ufe0f"
"""Whether a sign is drawn as text or as an emoji; one behind a sign is all there is."""
_SUSPICIOUS: Final = re.compile(f"[{_LINE_BREAKS}{HIDDEN}{_JOINERS}{_SELECTORS}]")
_HIDDEN: Final = re.compile(f"[{HIDDEN}]")
_ESCAPED: Final = re.compile(f"[\u2028\u2029{HIDDEN}]")
_JOINING: Final = re.compile(
    "[\u0600-\u08ff\u0900-\u0dff\u0e80-\u109f\u1780-\u18af\u1900-\u1cff"
    "\ua840-\ua877\ua8e0-\ua8ff\ua980-\uaadf\uabc0-\uabff\ufb50-\ufdff\ufe70-\ufefc"
    "\U00010a00-\U00010aff\U00010d00-\U00011fff\U0001e900-\U0001e95f]"
)
_EMOJI_OF_OTHER_KINDS: Final = "\u203c\u2049\u2139\u3030\u303d"


class Cleaner:
    r"""Cleans a text that arrives in pieces.

    However the text is cut into pieces, what comes out is the same, joined: a
    sequence that is split over two pieces is removed whole.

    "a\x1b[3", "1mred\x1b[0m" -> "a", "red"
    """

    def __init__(self) -> None:
        self._state: _State = "text"
        self._length = 0  # of the sequence that is being skipped
        self._after_cr = False
        self._high = ""  # a high surrogate that waits for its partner
        self._before = ""  # the last character that may be shown

    def push(self, piece: str) -> str:
        """Take a further piece; return what of it may be shown."""
        if not piece:
            return ""
        ground = self._state == "text" and not self._after_cr and not self._high
        if ground and not _SUSPICIOUS.search(piece):
            self._before = piece[-1]
            return piece
        return "".join([self._shown(character) for character in piece])

    def finish(self) -> str:
        """End the text; return what was held back and may be shown.

        A sequence that was opened and never ended is dropped. The cleaner can then
        be used for another text.
        """
        self.__init__()
        return ""

    def _shown(self, character: str) -> str:
        kept = self._take(character)
        if kept in _JOINERS or kept in _SELECTORS:
            takes = _takes_joiner if kept in _JOINERS else _takes_selector
            kept = kept if kept and takes(self._before) else ""
        self._before = kept or self._before
        return kept

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


def _takes_joiner(before: str) -> bool:
    """Whether a joiner means something behind `before`."""
    if not before or unicodedata.category(before) == "Nd":
        return False
    emoji = before == "\ufe0f" or "\U0001f3fb" <= before <= "\U0001f3ff"
    return emoji or bool(_JOINING.match(before)) or _is_sign(before)


def _takes_selector(before: str) -> bool:
    return bool(before) and (before in _EMOJI_OF_OTHER_KINDS or _is_sign(before))


def _is_sign(character: str) -> bool:
    return character > "\x7f" and unicodedata.category(character) in ("So", "Sm")


def clean(text: str) -> str:
    r"""`text` without what a terminal would obey or a reader could not see.

    "a\x1b[31mred\x1b[0m" -> "ared"
    """
    return Cleaner().push(text)


def clean_line(text: str) -> str:
    r"""`text`, cleaned, on one line: for names and labels.

    "llama\x1b[2J\n 7b" -> "llama 7b"
    """
    return " ".join(clean(text).split())


def escaped_json(text: str) -> str:
    """JSON with the same value, in which nothing hidden or obeyed stands as itself.

    What a program reads is not to lose a character; a terminal that shows it is not to
    obey one. JSON has its own way of writing them.
    """
    return _ESCAPED.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    character = found.group()
    if character in "\n\t":
        return character
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
