"""Confinement of child processes that run native code: no network, no writing.

A model file comes from outside, and the code that parses it is native. So the
child gives up what it does not need before it opens one: the network by an empty
network namespace, writing and foreign files by Landlock, sockets, other programs and
other processes by a filter of system calls. All are Linux; on other systems, and where
the kernel refuses, the Python guard of `medassist.core` is what remains, and the
description says so.

Sources: user_namespaces(7), landlock(7), seccomp(2), capabilities(7),
setrlimit(2).
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
PR_SET_NO_NEW_PRIVS = 38
PR_SET_DUMPABLE = 4
CAPABILITY_VERSION_3 = 0x20080522
KEPT_CAPABILITIES = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH

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
FS_IOCTL_DEV = 1 << 15
FS_READ = FS_EXECUTE | FS_READ_FILE | FS_READ_DIR
FS_REWRITE = FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE
FS_DEVICE = FS_READ_FILE | FS_WRITE_FILE | FS_IOCTL_DEV
# Rights on files that each version of Landlock's interface knows.
FS_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
NET_TCP_SINCE = 4
NET_TCP_BIND_AND_CONNECT = 3
SCOPE_SINCE = 6
SCOPE_SOCKETS_AND_SIGNALS = 3

NETWORK_NAMESPACE = "network namespace"
LANDLOCK = "landlock"
SECCOMP = "seccomp"
GUARD_ONLY = "python guard only"

PACKAGES = tuple(
    Path(__file__).resolve().parents[2] / name for name in ("medassist", "convert")
)
# Where programs and their libraries lie; of /etc, what a loader and a driver read.
SYSTEM = (
    *("/usr", "/lib", "/lib64", "/opt", "/nix/store", "/gnu/store", "/proc", "/sys"),
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime"),
    *("/etc/alternatives", "/etc/nvidia", "/etc/OpenCL", "/etc/vulkan"),
)
# Never /dev as a whole: /dev/shm holds other programs' memory, and /dev/tty is the
# user's terminal.
HARMLESS_DEVICES = ("null", "zero", "random", "urandom")
GPU_DEVICES = ("nvidia*", "nvhost*", "nvmap", "dri", "kfd", "dxg")


def leave_network() -> bool:
    """Move this process into an empty network namespace of its own.

    Must run while the process has one thread, since the kernel allows a new user
    namespace to no other. Returns whether it was permitted.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0


def drop_privileges() -> None:
    """Drop the privileges of root, whether of the program or of a namespace.

    Only the right to read the files of others stays: a model in a container may be
    another user's. With the right to measure (CAP_PERFMON), for one, root reads the
    environment of other processes past Landlock.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    held = ctypes.create_string_buffer(24)
    if libc.capget(header, held) != 0:
        return
    # Effective, permitted, inheritable, once for the lower 32 bits and once above.
    low = [part & KEPT_CAPABILITIES for part in struct.unpack("=6I", held.raw)[:3]]
    libc.capset(header, struct.pack("=6I", *low, 0, 0, 0))


def forbid_core_dumps() -> None:
    """Disable core dumps, which would hold the patient's text."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def keep_one_thread() -> None:
    """Keep numpy's BLAS library from starting threads.

    Landlock holds the thread that calls it and those that come after it. Must run
    before numpy is imported; an import without these threads is also faster.
    """
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    os.environ["MKL_NUM_THREADS"] = "1"


def forbid_growth() -> None:
    """Limit file size to 0 where Landlock is missing, so that writes fail.

    Files can still be made, emptied and removed. Pipes and devices are not files.
    """
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def restrict_files(models: Iterable[Path], written: Iterable[Path] = ()) -> bool:
    """Forbid all writing, and reading of anything but `models` and the program.

    A GPU's devices stay writable, since it is used through them, and so do the files
    in `written`, which must be there already. Holds for the calling thread and those
    that it starts later. Returns whether the kernel has Landlock.
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


def describe(namespace: bool, landlock: bool, seccomp: bool = False) -> str:
    """The confinement in the words of `medassist ask --json`."""
    held = [NETWORK_NAMESPACE] * namespace + [LANDLOCK] * landlock
    held += [SECCOMP] * seccomp
    return ", ".join(held) or GUARD_ONLY


def _rules(models: Iterable[Path]) -> Iterable[tuple[Path, int]]:
    program = {
        Path(sys.prefix),
        Path(sys.base_prefix),
        Path(sysconfig.get_path("purelib")),
        Path(sysconfig.get_path("platlib")),
        *PACKAGES,
        *map(Path, SYSTEM),
    }
    for path in program:
        yield path, FS_READ
    for name in HARMLESS_DEVICES:
        yield Path("/dev", name), FS_READ_FILE | FS_WRITE_FILE
    for pattern in GPU_DEVICES:
        for device in Path("/dev").glob(pattern):
            yield device, FS_DEVICE | FS_READ_DIR
    for model in models:
        yield model, FS_READ_FILE


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, allowed: int) -> None:
    try:
        # O_PATH needs no permission to read: the rule alone grants that.
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            # A rule for a file that speaks of folders is refused as a whole.
            allowed &= ~FS_READ_DIR
        beneath = struct.pack("=Qi", allowed, descriptor)
        libc.syscall(
            SYS_LANDLOCK_ADD_RULE, ruleset, LANDLOCK_RULE_PATH_BENEATH, beneath, 0
        )
    finally:
        os.close(descriptor)
