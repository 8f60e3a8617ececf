"""Start of every child process: it drops network and file access, in order.

Run as `python -m medassist.engine.child_startup MODULE`, by `child` and `async_child`
alone. `serve` of MODULE is what the child is for. MODULE is imported when the network
is given up already: the kernel lets a process leave it only while it has one thread,
and libraries such as numpy start theirs when they are imported.
"""

from __future__ import annotations

import importlib
import signal
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from medassist.engine import confine, forbidden_calls
from medassist.engine.frames import ChildPipe, Hello


class Confined:
    """The child process itself, after it gave up network and other processes.

    Attributes:
        channel: to the app.
    """

    def __init__(self) -> None:
        # The terminal sends its interrupt to every process in it; the app decides.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        confine.forbid_core_dumps()
        confine.keep_one_thread()
        self._namespace = confine.leave_network()
        confine.drop_privileges()
        self._seccomp = forbidden_calls.forbid_calls()
        self.channel = ChildPipe()

    def keep_files(self, read: Iterable[Path], written: Iterable[Path] = ()) -> str:
        """Restrict file access to these files, and tell the app what is enforced.

        Native libraries must be loaded before; nothing from outside may be opened
        before.

        Args:
            read: may be read.
            written: may be written to, and must be there.

        Returns:
            what holds this process, in the words of `confine.describe`.
        """
        written = tuple(written)
        landlock = confine.restrict_files(read, written)
        if not landlock and not written:
            confine.forbid_growth()
        held = confine.describe(self._namespace, landlock, self._seccomp)
        self.channel.send(Hello(confined=held))
        return held

    def end_with_the_app(self) -> None:
        """End this process when the app ends; for work after the only command."""
        threading.Thread(target=self.channel.leave_with_the_app, daemon=True).start()


def main() -> None:
    """Run the child that the command line names."""
    process = Confined()
    importlib.import_module(sys.argv[1]).serve(process)
    sys.stderr.flush()


if __name__ == "__main__":
    main()
