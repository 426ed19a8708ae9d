"""Hosts of a test: network namespaces with a cable to ours, and small disks. Nothing of it outlives the test.

The test runs in a network and a mount namespace of its own (enter), so it needs no free port and no
clean-up. A Host is one more network namespace: 10.9.N.1 is our end of its cable, 10.9.N.2 its own."""

import ctypes
import errno
import os
import shutil
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1
ENTERED = "WEFT_TEST_NAMESPACE"
_libc = ctypes.CDLL(None, use_errno=True)


def enter():
    """Start this script over in namespaces of its own; exit 77 where that is not allowed."""
    if os.environ.get(ENTERED):
        run("ip", "link", "set", "lo", "up")
        return
    own = [shutil.which("unshare") or "unshare", "--net", "--mount"]
    try:
        tried = subprocess.run([*own, "true"], capture_output=True, text=True, check=False)
        reason = tried.stderr.strip() if tried.returncode else ""
    except OSError as error:
        reason = str(error)
    if reason:
        print(f"skipped: no right to make namespaces: {reason}")
        sys.exit(77)
    os.environ[ENTERED] = "1"
    os.execv(own[0], [*own, sys.executable, *sys.argv])


def run(*words, check=True):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(words)}: exit {done.returncode}: {done.stderr.strip()}")
    return done


def small_disk(path, mib):
    """A file system of so many MiB, mounted at path."""
    os.makedirs(path)
    run("mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", path)


def fill(path):
    """A file that takes all the room there is."""
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC, error


class Host:
    """A network namespace; command(…) before a program's words lets it run there."""

    used = 0

    def __init__(self):
        Host.used += 1
        self.ours, self.theirs = f"weft{Host.used}", "eth0"
        self.near, self.address = f"10.9.{Host.used}.1", f"10.9.{Host.used}.2"
        self.holder = subprocess.Popen(
            ["unshare", "--net", "cat"], stdin=subprocess.PIPE,
            preexec_fn=lambda: _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        pid = str(self.holder.pid)
        while os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            assert self.holder.poll() is None
        run("ip", "link", "add", self.ours, "type", "veth", "peer", "name", self.theirs, "netns", pid)
        run("ip", "address", "add", self.near + "/24", "dev", self.ours)
        run("ip", "link", "set", self.ours, "up")
        self.run("ip", "address", "add", self.address + "/24", "dev", self.theirs)
        self.run("ip", "link", "set", self.theirs, "up")
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "route", "add", "default", "via", self.near)

    def command(self):
        return ["nsenter", "--net=/proc/%d/ns/net" % self.holder.pid]

    def run(self, *words, check=True):
        return run(*self.command(), *words, check=check)

    def close(self):
        """Ends with the last program that runs in it."""
        self.holder.stdin.close()
        self.holder.wait()

    # ---- faults of the cable

    def cable(self, plugged):
        run("ip", "link", "set", self.ours, "up" if plugged else "down")
        if plugged:  # the route went with the link
            self.run("ip", "route", "replace", "default", "via", self.near)

    def filter(self, rule):
        """An nft rule on all that comes in and goes out there, or None: all passes again."""
        self.run("nft", "flush", "ruleset")
        if rule is None:
            return
        self.run("nft", "add", "table", "ip", "weft")
        for hook in ("input", "output"):
            self.run("nft", "add", "chain", "ip", "weft", hook,
                     "{ type filter hook %s priority 0; }" % hook)
            self.run("nft", "add", "rule", "ip", "weft", hook, *rule.split())

    def throttle(self, rate):
        """rate: as tc tbf takes it, "200kbit"; None: as fast as it goes. Both ways."""
        for run_there, device in ((run, self.ours), (self.run, self.theirs)):
            run_there("tc", "qdisc", "del", "dev", device, "root", check=False)
            if rate:
                run_there("tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", rate,
                          "burst", "16kb", "latency", "200ms")
