"""seccomp filter: system calls that the child gives up.

Landlock holds files and, since Linux 6.7, TCP; the empty network namespace holds the
rest of the network where the system lets a user make one, which several distributions
do not. Neither holds a socket in the file system (an X server, D-Bus, a container
engine), through which a program reaches anything. A filter of system calls (seccomp)
needs no permission, so it works on nearly every Linux, and it takes hold of every
thread that runs already, which Landlock before version 8 does not.

Sockets of the family AF_UNIX can still be made, since drivers of GPUs make one for
themselves; they can reach nobody.

Sources: seccomp(2), linux/filter.h (classic BPF), the tables of system calls of the
kernel (asm/unistd_64.h, asm-generic/unistd.h).
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PR_SET_NO_NEW_PRIVS: Final = 38
SECCOMP_SET_MODE_FILTER: Final = 1
SECCOMP_FILTER_FLAG_TSYNC: Final = 1
AF_UNIX: Final = 1
ALLOW: Final = 0x7FFF0000
REFUSE: Final = 0x00050000 | errno.EPERM
"""The call fails with EPERM: whoever tried it goes on and can say so."""

# Of `struct seccomp_data`, what a filter reads: number, architecture, arguments.
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
X32_BIT: Final = 0x40000000
"""Marks a call by x86-64's other numbering, which would go around the list."""


@dataclass(frozen=True)
class SystemCalls:
    """System call numbers of one processor architecture."""

    architecture: int
    """AUDIT_ARCH_..., which tells a 64-bit call from a 32-bit one."""
    seccomp: int
    socket: int
    sendto: int
    refused: Mapping[str, int]


# Of each call the reason stands once, at x86-64.
_X86_64 = SystemCalls(
    architecture=0xC000003E,
    seccomp=317,
    socket=41,
    sendto=44,
    refused={
        # To reach a peer. Sockets hold no name of a file, so Landlock is not asked.
        "connect": 42,
        "sendmsg": 46,
        "sendmmsg": 307,
        "listen": 50,
        # Does what any of these calls does, and no filter sees it.
        "io_uring_setup": 425,
        # To have another program do it.
        "execve": 59,
        "execveat": 322,
        # To read or take over another process, or a descriptor of it.
        "ptrace": 101,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "pidfd_getfd": 438,
        # To leave or to change what holds it: in a user namespace it is root.
        "unshare": 272,
        "setns": 308,
        "mount": 165,
        "umount2": 166,
        "pivot_root": 155,
        "open_tree": 428,
        "move_mount": 429,
        "fsopen": 430,
        "open_by_handle_at": 304,
        # Secrets that the kernel keeps for the user.
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        # Parts of the kernel that no language model needs and attackers like.
        "bpf": 321,
        "perf_event_open": 298,
        "userfaultfd": 323,
    },
)
_AARCH64 = SystemCalls(
    architecture=0xC00000B7,
    seccomp=277,
    socket=198,
    sendto=206,
    refused={
        "connect": 203,
        "sendmsg": 211,
        "sendmmsg": 269,
        "listen": 201,
        "io_uring_setup": 425,
        "execve": 221,
        "execveat": 281,
        "ptrace": 117,
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "pidfd_getfd": 438,
        "unshare": 97,
        "setns": 268,
        "mount": 40,
        "umount2": 39,
        "pivot_root": 41,
        "open_tree": 428,
        "move_mount": 429,
        "fsopen": 430,
        "open_by_handle_at": 265,
        "add_key": 217,
        "request_key": 218,
        "keyctl": 219,
        "bpf": 280,
        "perf_event_open": 241,
        "userfaultfd": 282,
    },
)
MACHINES: Mapping[str, SystemCalls] = {"x86_64": _X86_64, "aarch64": _AARCH64}


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def forbid_calls() -> bool:
    """Install the filter in every thread of this process, for good.

    Returns whether the kernel holds this process to it; `False` on other systems, on
    processors that are not in the table, and where the kernel was built without.
    """
    machine = MACHINES.get(platform.machine())
    if sys.platform != "linux" or machine is None or sys.maxsize < 2**32:
        return False
    instructions = program(machine)
    code = ctypes.create_string_buffer(instructions, len(instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    held = libc.syscall(
        machine.seccomp,
        SECCOMP_SET_MODE_FILTER,
        SECCOMP_FILTER_FLAG_TSYNC,
        ctypes.byref(_Program(len(instructions) // 8, ctypes.addressof(code))),
    )
    return held == 0


def program(machine: SystemCalls) -> bytes:
    """The BPF program for `machine`, 8 bytes an instruction."""
    code = [
        _step(LOAD, ARCHITECTURE),
        _step(EQUAL, machine.architecture, then=1),
        _step(RETURN, REFUSE),
        _step(LOAD, NUMBER),
    ]
    if machine is _X86_64:
        code += [_step(AT_LEAST, X32_BIT, otherwise=1), _step(RETURN, REFUSE)]
    for number in machine.refused.values():
        code += [_step(EQUAL, number, otherwise=1), _step(RETURN, REFUSE)]
    code += [
        # A socket of any family but AF_UNIX.
        _step(EQUAL, machine.socket, otherwise=4),
        _step(LOAD, ARGUMENTS),
        _step(EQUAL, AF_UNIX, then=1),
        _step(RETURN, REFUSE),
        _step(RETURN, ALLOW),
        # A message to an address. Without one it goes where a pair is joined.
        _step(EQUAL, machine.sendto, otherwise=5),
        _step(LOAD, ARGUMENTS + 4 * 8),
        _step(EQUAL, 0, otherwise=2),
        _step(LOAD, ARGUMENTS + 4 * 8 + 4),
        _step(EQUAL, 0, then=1),
        _step(RETURN, REFUSE),
        _step(RETURN, ALLOW),
    ]
    return b"".join(code)


def _step(operation: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    """`struct sock_filter`; `then` and `otherwise` are steps to be passed over."""
    return struct.pack("=HBBI", operation, then, otherwise, value)
