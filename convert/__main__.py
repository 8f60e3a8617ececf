"""`python -m convert ...`: the same verbs as `medassist convert ...`."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from convert.commands import app
from convert.errors import ConvertError
from medassist.core.card import CardError
from medassist.core.terminal import RoomError, say, say_where


def main() -> NoReturn:
    """Run a verb; an error becomes a sentence (a traceback with MEDASSIST_DEBUG=1)."""
    try:
        app(prog_name="python -m convert")
    except (ConvertError, CardError, RoomError, OSError) as error:
        if os.environ.get("MEDASSIST_DEBUG"):
            say_where(error)
            sys.exit(1)
        said = str(error)
        if isinstance(error, OSError) and error.filename:
            said = f"{error.filename}: {error.strerror}"
        say(f"convert: {said}", err=True)
        sys.exit(1)
    sys.exit(0)


if __name__ == "__main__":
    main()
