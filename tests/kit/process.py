"""Processes of a test: start, wait until ready, stop, kill; and waiting for what can be observed.

Environment: WEFT_TEST_SLOW (factor for waits), WEFT_TEST_SEED (to repeat a random test). Only
processes that were started here are ever signalled, and none outlives the test."""

import ctypes
import os
import re
import signal
import subprocess
import time

SLOW = float(os.environ.get("WEFT_TEST_SLOW", "1"))
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Failure(AssertionError):
    """A check that did not hold."""


def wait_until(what, condition, seconds=10.0):
    """Ask condition again and again until it gives something true, and return that."""
    end = time.monotonic() + seconds * SLOW
    pause = 0.002
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise Failure(f"waited {seconds * SLOW:.0f} s for: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def check(got, wanted, what):
    if got != wanted:
        raise Failure(f"{what}\n  wanted {wanted!r}\n  got    {got!r}")


def seed():
    """The seed of this run, printed so that a failure can be repeated."""
    value = int(os.environ.get("WEFT_TEST_SEED") or int.from_bytes(os.urandom(4), "big"))
    print(f"  seed: {value}   (again: WEFT_TEST_SEED={value})", flush=True)
    return value


class Process:
    """A program that prints one line "ready key=value …" when it serves."""

    def __init__(self, name, arguments, scratch, environment=None):
        self.name, self.arguments = name, arguments
        self.environment = environment or {}
        self.out_path = os.path.join(scratch, name + ".out")
        self.err_path = os.path.join(scratch, name + ".err")
        self.child, self.ready = None, {}

    @property
    def http(self):
        return self.ready["http"]

    def start(self, ready=True, **environment):
        """environment: of this start alone. Without ready it may end before it is."""
        assert self.child is None, self.name
        with open(self.out_path, "wb") as out, open(self.err_path, "ab") as err:
            self.child = subprocess.Popen(
                self.arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env={**os.environ, **self.environment, **environment},
                preexec_fn=lambda: _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        if not ready:
            return self
        return self.wait_ready()

    def wait_ready(self):
        line = wait_until(f"{self.name} is ready", self._ready_line, 20)
        self.ready = dict(word.split("=", 1) for word in line.split()[1:] if "=" in word)
        return self

    def _ready_line(self):
        status = self.child.poll()
        if status is not None:
            self.child = None
            raise Failure(f"{self.name} ended with {status} before it was ready")
        with open(self.out_path, encoding="utf-8") as out:
            found = re.search(r"^ready .*\n", out.read(), re.M)
        return found and found.group(0)

    def stop(self, kill=False):
        """SIGTERM must be a clean end; kill is SIGKILL."""
        child, self.child = self.child, None
        child.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            status = child.wait(20 * SLOW)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise Failure(f"{self.name} did not end on SIGTERM") from None
        if not kill:
            check(status, 0, f"{self.name}: exit status after SIGTERM")

    def alive(self):
        return self.child is not None and self.child.poll() is None

    def log(self):
        with open(self.err_path, encoding="utf-8", errors="replace") as err:
            return err.read()

    def tail(self, count=40, access=False):
        """The last lines of its diagnostics; access: with those of each request."""
        if not os.path.exists(self.err_path):
            return ""
        lines = self.log().splitlines()
        plain = [line for line in lines if access or "http.access" not in line]
        return "\n".join(["    " + line for line in plain[-count:]])
