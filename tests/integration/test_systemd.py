#!/usr/bin/env python3
"""What systemd sees: units that it takes, and READY, WATCHDOG and STOPPING of bus and service, told by the
loop that works. The test plays the notify socket."""
import os
import shutil
import socket
import subprocess
import time

import metrics
import threads
from bus_client import main, store
from process import SLOW, Process, check, wait_until

BIN = os.environ["WEFT_BIN_DIR"]
UNITS = os.path.join(os.environ["WEFT_SOURCE_DIR"], "ops/systemd")
BEATS_WITHIN_US = 1000000


class Notified(Process):
    """A process started as by systemd with Type=notify and WatchdogSec=1."""

    def __init__(self, name, arguments):
        scratch = store(name)
        os.makedirs(scratch, exist_ok=True)
        super().__init__(name, arguments, scratch)
        path = os.path.join(scratch, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.setblocking(False)
        self.environment = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": str(BEATS_WITHIN_US)}

    def heard(self):
        """What has come since the last call, in order."""
        found = []
        while True:
            try:
                found += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return found

    def wait_heard(self, what, count=1):
        """All that comes until `what` has come so often."""
        found = []

        def enough():
            found.extend(self.heard())
            return found.count(what) >= count
        wait_until(f"{self.name} says {what}", enough, 30)
        return found


def bus(name):
    return Notified(name, [BIN + "/weft-bus", "--endpoint", "ipc://" + store(name) + "/bus",
                           "--store", store(name) + "/store", "--http", "127.0.0.1:0"])


def service(name, the_bus):
    return Notified(name, [BIN + "/blog-query", "--bus", the_bus.ready["endpoint"], "--data",
                           store(name), "--http", "127.0.0.1:0"])


def end(*processes):
    for process in processes:
        if process.child:
            process.child.kill()
            process.child.wait()
        process.socket.close()


def told_in_turn(process):
    first = process.wait_heard("WATCHDOG=1", 3)
    check((first[0], set(first[1:])), ("READY=1", {"WATCHDOG=1"}), "what comes while it works")
    process.stop()
    rest = process.wait_heard("STOPPING=1")
    check(rest[-1], "STOPPING=1", "the last word")
    check(set(rest[:-1]) - {"WATCHDOG=1"}, set(), "before it")
    check(process.heard(), [], "after it")


def test_ready_beats_and_stopping_come_in_turn():
    the_bus = bus("turn")
    reader = None
    try:
        the_bus.start()
        reader = service("turn-query", the_bus).start()
        told_in_turn(reader)
        told_in_turn(the_bus)
    finally:
        end(*filter(None, (reader, the_bus)))


def test_a_beat_comes_at_most_each_half_of_the_time():
    the_bus = bus("rate").start()
    try:
        the_bus.wait_heard("WATCHDOG=1")
        began = time.monotonic()
        the_bus.heard()  # what came while this process did not run belongs to the time before
        count = the_bus.wait_heard("WATCHDOG=1", 6).count("WATCHDOG=1")
        most = (time.monotonic() - began) / (BEATS_WITHIN_US / 2e6) + 2  # one may have been under way
        assert count <= most, (count, most)
    finally:
        end(the_bus)


def expect_silence(process, is_over):
    """No beat until is_over, which comes later than several would have."""
    process.heard()
    wait_until("enough time has passed", is_over, 60)
    check(process.heard(), [], f"beats of {process.name} while its loop stands still")


def test_no_beat_comes_while_the_loop_stands_still_and_the_rest_goes_on():
    if not threads.may_stop():
        print("  skipped: may not ptrace", flush=True)
        return
    the_bus = bus("still").start()
    reader = service("still-query", the_bus).start()
    try:
        reader.wait_heard("WATCHDOG=1")
        with threads.stopped(reader.child.pid):  # the bus' beats are the clock
            beats = []
            the_bus.heard()

            def several():
                beats.extend(word for word in the_bus.heard() if word == "WATCHDOG=1")
                return len(beats) >= 4
            expect_silence(reader, several)
        reader.wait_heard("WATCHDOG=1")

        def age(loop, least):
            return lambda: metrics.scrape(the_bus.http).value("weft_bus_loop_age_seconds",
                                                              loop=loop) > least
        with threads.stopped(the_bus.child.pid):
            expect_silence(the_bus, age("bus", 4))
        the_bus.wait_heard("WATCHDOG=1")
        with threads.stopped(threads.named(the_bus.child.pid, "weft-control")):  # it is noticed after ten seconds
            wait_until("the bus misses it", lambda: metrics.get(the_bus.http, "/healthz")[0] == 503, 30)
            expect_silence(the_bus, age("control", 14))
        the_bus.wait_heard("WATCHDOG=1")
    finally:
        end(reader, the_bus)


def verify(directory, *units):
    return subprocess.run(["systemd-analyze", "verify", *(os.path.join(directory, unit) for unit in units)],
                          capture_output=True, text=True, timeout=60 * SLOW, check=False,
                          env={**os.environ, "SYSTEMD_LOG_LEVEL": "info"})


def test_units_are_verified():
    if not shutil.which("systemd-analyze"):
        print("  skipped: there is no systemd-analyze", flush=True)
        return
    units = {"weft-bus.service": "weft-bus.service"}
    units.update({f"weft-service@{program}.service": "weft-service@.service"
                  for program in ("blog-posts", "blog-query", "weft-bridge")})
    os.makedirs(store("units"))
    for unit, source in units.items():
        with open(os.path.join(UNITS, source), encoding="utf-8") as file:
            text = file.read().replace("/usr/local/bin", BIN)
        assert BIN in text, source
        with open(os.path.join(store("units"), unit), "w", encoding="utf-8") as file:
            file.write(text)
    done = verify(store("units"), *units)
    check((done.returncode, done.stderr), (0, ""), "systemd-analyze verify")

    for right, wrong in (("WatchdogSec=", "WatchdogSeconds="), ("bin/weft-bus ", "bin/nothing ")):
        with open(os.path.join(store("units"), "weft-bus.service"), encoding="utf-8") as file:
            text = file.read()
        assert right in text, right
        with open(os.path.join(store("units"), "wrong.service"), "w", encoding="utf-8") as file:
            file.write(text.replace(right, wrong))
        done = verify(store("units"), "wrong.service")  # this check can fail
        assert wrong.strip("= ") in done.stderr, (wrong, done)


if __name__ == "__main__":
    main(globals())
