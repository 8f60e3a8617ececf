"""`python -m finetune ...`: the verbs of `medassist finetune ...`.

All but `starter`, which goes on into `convert`; that is `medassist finetune starter`.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from finetune.commands import app
from finetune.errors import FinetuneError, Interrupted
from medassist.core.card import CardError
from medassist.core.terminal import RoomError, say, say_where

STOPPED = 130


def main() -> NoReturn:
    """Run a verb; an error becomes a sentence (a traceback with MEDASSIST_DEBUG=1)."""
    try:
        app(prog_name="python -m finetune")
    except (FinetuneError, CardError, RoomError, OSError) as error:
        if os.environ.get("MEDASSIST_DEBUG"):
            say_where(error)
            sys.exit(1)
        say(f"finetune: {error!s}", err=True)
        sys.exit(STOPPED if isinstance(error, Interrupted) else 1)
    sys.exit(0)


if __name__ == "__main__":
    main()
