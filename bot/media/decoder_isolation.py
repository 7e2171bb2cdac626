"""Restrict a process that decodes an untrusted file, so that a decoder that the file exploits can do no harm.

The process keeps its memory, the descriptors that it was handed, the clock and its own threads. seccomp refuses every
other system call: nothing is opened, named, connected to, executed or signalled. Landlock refuses files, TCP and
signals once more, should a system call be missing here. Both exist on Linux only; each is used if the kernel has it.

With ctypes, because libseccomp is not part of slim images, and its packages for Python only wrap it.
"""

import ctypes
import os
import platform
import signal
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

NOTHING = "nothing"
"""What ``active_mechanisms`` returns where the kernel offers neither."""

# linux/prctl.h
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
# linux/seccomp.h
_SECCOMP_MODE_FILTER = 2
_ALLOW, _KILL_PROCESS = 0x7FFF0000, 0x80000000
# ENOSYS rather than EPERM: glibc then goes on without what a newer kernel would offer.
_REFUSE = 0x00050000 | 38
# linux/bpf_common.h: load a word, jump if equal, jump if any bit is set, return.
_LOAD, _JUMP_EQUAL, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _AUDIT_ARCH, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data, little-endian
_CLONE_THREAD = 0x00010000

# linux/landlock.h; the numbers are the same on every architecture.
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
_LANDLOCK_VERSION = 1  # a flag: answer with the version
_LANDLOCK_FILES = {
    1: (1 << 13) - 1,
    2: 1 << 13,
    3: 1 << 14,
    5: 1 << 15,
}  # rights by the version they came with
_LANDLOCK_NET = {4: 0b11}
_LANDLOCK_SCOPES = {6: 0b11}  # abstract Unix sockets and signals


@dataclass(frozen=True, slots=True)
class _Architecture:
    audit: int  # AUDIT_ARCH of linux/audit.h
    clone: int
    tgkill: int
    allowed: tuple[int, ...]  # numbers of the system calls that need no look at their arguments


# read write readv writev pread64 pwrite64 lseek fstat newfstatat close ftruncate fsync fdatasync · mmap munmap mprotect
# mremap madvise brk futex set_robust_list rseq membarrier · sched_yield sched_getaffinity getcpu getpid gettid ·
# clock_gettime clock_getres gettimeofday clock_nanosleep nanosleep times getrusage sysinfo uname getrandom ·
# rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall · exit exit_group
_ARCHITECTURES = {
    "x86_64": _Architecture(
        audit=0xC000003E,
        clone=56,
        tgkill=234,
        allowed=(
            *(0, 1, 19, 20, 17, 18, 8, 5, 262, 3, 77, 74, 75),
            *(9, 11, 10, 25, 28, 12, 202, 273, 334, 324),
            *(24, 204, 309, 39, 186),
            *(228, 229, 96, 230, 35, 100, 98, 99, 63, 318),
            *(13, 14, 15, 131, 219),
            *(60, 231),
        ),
    ),
    "aarch64": _Architecture(
        audit=0xC00000B7,
        clone=220,
        tgkill=131,
        allowed=(
            *(63, 64, 65, 66, 67, 68, 62, 80, 79, 57, 46, 82, 83),
            *(222, 215, 226, 216, 233, 214, 98, 99, 293, 283),
            *(124, 123, 168, 172, 178),
            *(113, 114, 169, 115, 101, 153, 165, 179, 160, 278),
            *(134, 135, 139, 132, 128),
            *(93, 94),
        ),
    ),
}


class _Program(ctypes.Structure):
    """``struct sock_fprog`` of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


_active = NOTHING


def end_with_parent(parent: int) -> None:
    """End this process as soon as its parent ends. Linux only.

    Args:
        parent: The parent's process ID, taken before the fork: it may be gone already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def isolate() -> None:
    """Isolate this process for good. It must have one thread, and all its modules loaded."""
    global _active
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return
    # Landlock first: its system calls are not among the allowed ones.
    closed = [name for name in (_restrict_files(libc), _filter_calls(libc)) if name]
    _active = " and ".join(closed) or NOTHING


def active_mechanisms() -> str:
    """Return what isolates this process: the names of the mechanisms, or ``NOTHING``."""
    return _active


def _restrict_files(libc: ctypes.CDLL) -> str:
    version = libc.syscall(
        ctypes.c_long(_LANDLOCK_CREATE_RULESET), None, ctypes.c_size_t(0), _LANDLOCK_VERSION
    )
    if version < 1:
        return ""
    # No rule is added to the set: all that it handles is refused.
    handled = [
        sum(bits for since, bits in rights.items() if since <= version)
        for rights in (_LANDLOCK_FILES, _LANDLOCK_NET, _LANDLOCK_SCOPES)
    ]
    attributes = struct.pack("=QQQ", *handled)
    rules = libc.syscall(
        ctypes.c_long(_LANDLOCK_CREATE_RULESET), attributes, ctypes.c_size_t(len(attributes)), 0
    )
    if rules < 0:
        return ""
    try:
        is_restricted = libc.syscall(ctypes.c_long(_LANDLOCK_RESTRICT_SELF), rules, 0) == 0
    finally:
        os.close(rules)
    return f"Landlock (version {version})" if is_restricted else ""


def _filter_calls(libc: ctypes.CDLL) -> str:
    architecture = _ARCHITECTURES.get(platform.machine())
    if architecture is None:
        return ""
    instructions = [struct.pack("=HBBI", *one) for one in _program(architecture)]
    program = _Program(len(instructions), b"".join(instructions))
    is_filtered = libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0
    return "seccomp" if is_filtered else ""


def _program(architecture: _Architecture) -> Iterator[tuple[int, int, int, int]]:
    """Yield instructions: operation, instructions to skip if it holds, and if it doesn't, operand."""
    yield _LOAD, 0, 0, _AUDIT_ARCH
    yield _JUMP_EQUAL, 1, 0, architecture.audit
    yield _RETURN, 0, 0, _KILL_PROCESS
    yield _LOAD, 0, 0, _NUMBER
    # A clone is a new thread, or refused. (clone3 has its flags in memory: glibc takes clone when it is refused.)
    # A signal goes to this process, as abort() sends it.
    for number, test, operand in (
        (architecture.clone, _JUMP_BITS, _CLONE_THREAD),
        (architecture.tgkill, _JUMP_EQUAL, os.getpid()),
    ):
        yield _JUMP_EQUAL, 0, 4, number
        yield _LOAD, 0, 0, _FIRST_ARGUMENT
        yield test, 0, 1, operand
        yield _RETURN, 0, 0, _ALLOW
        yield _RETURN, 0, 0, _REFUSE
    count = len(architecture.allowed)
    for index, number in enumerate(architecture.allowed):
        yield _JUMP_EQUAL, count - index, 0, number
    yield _RETURN, 0, 0, _REFUSE
    yield _RETURN, 0, 0, _ALLOW
