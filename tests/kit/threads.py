"""Stop one thread of a process while the others go on, as a disk that does not answer would.

SIGSTOP is of no use for that: it stops all threads alike."""

import contextlib
import ctypes
import os

from process import wait_until

_SEIZE, _INTERRUPT, _DETACH, _WALL = 0x4206, 0x4207, 17, 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request, thread):
    if _libc.ptrace(request, thread, None, None) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"ptrace {request:#x} of {thread}: {os.strerror(error)}")


def may_stop():
    """Whether this process may do so at all, tried on a child that only sleeps."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    try:
        with stopped(child):
            return True
    except OSError:
        return False
    finally:
        os.close(writer)
        os.waitpid(child, 0)


def named(process, name):
    """The id of a process' thread of that name, once it has given itself the name."""
    def find():
        for thread in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{thread}/comm", encoding="utf-8") as comm:
                if comm.read().strip() == name:
                    return int(thread)
        return None
    return wait_until(f"a thread {name}", find)


@contextlib.contextmanager
def stopped(thread):
    """Within the block the thread does nothing."""
    _ptrace(_SEIZE, thread)
    try:
        _ptrace(_INTERRUPT, thread)
        os.waitpid(thread, _WALL)
        yield
    finally:
        _ptrace(_DETACH, thread)
