"""Confinement of the child that runs llama.cpp: no network, no writing.

A model file comes from outside, and the code that parses it is native. So the
child gives up what it does not need before it opens one: the network by an empty
network namespace, writing and foreign files by Landlock. Both are Linux; on other
systems, and where the kernel refuses, the Python guard of `medassist.privacy` is
what remains, and the description says so.

Sources: user_namespaces(7), landlock(7).
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
PR_SET_NO_NEW_PRIVS = 38
PR_SET_DUMPABLE = 4

# The numbers of these system calls are the same on every architecture that
# Python runs on but Alpha.
SYS_LANDLOCK_CREATE_RULESET = 444
SYS_LANDLOCK_ADD_RULE = 445
SYS_LANDLOCK_RESTRICT_SELF = 446
LANDLOCK_CREATE_RULESET_VERSION = 1
LANDLOCK_RULE_PATH_BENEATH = 1

FS_EXECUTE = 1 << 0
FS_WRITE_FILE = 1 << 1
FS_READ_FILE = 1 << 2
FS_READ_DIR = 1 << 3
FS_TRUNCATE = 1 << 14
FS_READ = FS_EXECUTE | FS_READ_FILE | FS_READ_DIR
FS_REWRITE = FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE
# Rights on files that each version of Landlock's interface knows.
FS_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
NET_TCP_SINCE = 4
NET_TCP_BIND_AND_CONNECT = 3
SCOPE_SINCE = 6
SCOPE_SOCKETS_AND_SIGNALS = 3

NETWORK_NAMESPACE = "network namespace"
LANDLOCK = "landlock"
GUARD_ONLY = "python guard only"


def leave_network() -> bool:
    """Move this process into an empty network namespace of its own.

    Must run while the process has one thread, since the kernel allows a new user
    namespace to no other. Returns whether it was permitted.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0


def forbid_core_dumps() -> None:
    """A core dump would hold the patient's story: there is none from this process."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def restrict_files(models: Iterable[Path], written: Iterable[Path] = ()) -> bool:
    """Forbid writing anywhere, and reading all but `models` and the program itself.

    Devices stay writable, since a GPU is used through its device file, and so do the
    files in `written`, which must be there already. Holds for the calling thread and
    those that it starts later. Returns whether the kernel has Landlock.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    abi = libc.syscall(
        SYS_LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_CREATE_RULESET_VERSION
    )
    if abi < 1:
        return False
    rights = FS_RIGHTS[max(v for v in FS_RIGHTS if v <= abi)]
    network = NET_TCP_BIND_AND_CONNECT if abi >= NET_TCP_SINCE else 0
    scope = SCOPE_SOCKETS_AND_SIGNALS if abi >= SCOPE_SINCE else 0
    # A kernel refuses a structure that is longer than its own, but for zeros.
    attributes = struct.pack("QQQ", rights, network, scope)
    ruleset = libc.syscall(SYS_LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        return False
    try:
        for path, allowed in (*_rules(models), *((w, FS_REWRITE) for w in written)):
            _allow(libc, ruleset, path, allowed & rights)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return libc.syscall(SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0
    finally:
        os.close(ruleset)


def describe(namespace: bool, landlock: bool) -> str:
    """What holds the child, in the words that `medassist ask --json` prints."""
    held = [NETWORK_NAMESPACE] * namespace + [LANDLOCK] * landlock
    return ", ".join(held) or GUARD_ONLY


def _rules(models: Iterable[Path]) -> Iterable[tuple[Path, int]]:
    program = {
        Path(sys.prefix),
        Path(sys.base_prefix),
        Path(sysconfig.get_path("purelib")),
        Path(__file__).resolve().parents[2],
        *map(Path, ("/usr", "/lib", "/lib64", "/opt", "/etc", "/proc", "/sys")),
    }
    for path in program:
        yield path, FS_READ
    yield Path("/dev"), FS_READ | FS_WRITE_FILE
    for model in models:
        yield model, FS_READ_FILE


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, allowed: int) -> None:
    try:
        # O_PATH needs no permission to read: the rule alone grants that.
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        beneath = struct.pack("=Qi", allowed, descriptor)
        libc.syscall(
            SYS_LANDLOCK_ADD_RULE, ruleset, LANDLOCK_RULE_PATH_BENEATH, beneath, 0
        )
    finally:
        os.close(descriptor)
