#!/usr/bin/env python3
"""weft backup and restore: a whole copy while the bus takes 10^5 events a second, and what they refuse.

Load is paced by the clock. Each commit's time comes from the bus' own debug line."""
import datetime
import json
import os
import pty
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import threading
import time

import msgpack

from bus_client import SCRATCH, SLOW, Bus, Peer, check_books, main, store, wait_until
from process import Process

WEFT = os.path.join(os.environ["WEFT_BIN_DIR"], "weft")
RATE = 100_000 if SLOW == 1 else 10_000  # sanitizers are no place to measure
FILL = 500_000 if SLOW == 1 else 100_000
ROUNDS = int(os.environ.get("WEFT_TEST_ROUNDS", "3"))
WITHIN = float(os.environ.get("WEFT_TEST_WITHIN", "8"))  # p99.9 of commits during a backup, of that before
BEFORE = 5 * RATE
LATE_S = 0.05
ENOUGH_S = 10 * ROUNDS + 1
BURST = 500
WAL_BOUND = 64 << 20
LOG_BEHIND, FORKED = 16, 17


def weft(*arguments, status=0):
    done = subprocess.run([WEFT, *arguments], capture_output=True, text=True, check=False,
                          timeout=300)
    assert done.returncode == status, (arguments, done)
    return done.stdout if status == 0 else done.stderr


class Load(threading.Thread):
    """Events of one origin, in bursts: as fast as they are stored, or so many a second."""

    def __init__(self, peer):
        super().__init__(daemon=True)
        self.peer, self.ends, self.late = peer, threading.Event(), 0.0
        before, _, self.tail = msgpack.packb([1, peer.origin, 0xffffffff, 1, "python", "s", None, None, "x" * 100],
                                             use_bin_type=True).partition(b"\xce\xff\xff\xff\xff")
        self.head = before + b"\xce"  # 32 bits of sequence follow

    def burst(self):
        pack, first = struct.Struct(">I").pack, self.peer.seq + 1
        self.peer.seq += BURST
        self.peer.pub.send_multipart([b"load.made", b"".join(
            self.head + pack(seq) + self.tail for seq in range(first, first + BURST))])

    def fill(self, count):
        while self.peer.seq < 1 << 16:  # below that the sequence would take fewer bytes
            self.peer.emit(b"load.made", "x" * 100)
        while self.peer.seq < count:
            for _ in range(20):
                self.burst()
            wait_until("what was sent is stored", lambda: self.peer.counter("stored") > self.peer.seq - 20 * BURST, 60)

    def run(self):
        due = time.monotonic()
        while not self.ends.is_set():
            self.burst()
            due += BURST / RATE
            wait = due - time.monotonic()
            self.late = max(self.late, -wait)
            if wait > 0:
                self.ends.wait(wait)

    def end(self):
        self.ends.set()
        self.join()


def commits(bus, begin, end):
    """Durations in µs of the commits whose line was written between two Unix times."""
    out = []
    for stamp, us in re.findall(r"^(\S+)Z debug bus.commit events=\d+ us=(\d+)$", bus.log(), re.M):
        at = datetime.datetime.fromisoformat(stamp + "+00:00").timestamp()
        if begin <= at < end:
            out.append(int(us))
    return sorted(out)


def p999(figures):
    return figures[min(len(figures) - 1, int(len(figures) * 0.999))]


def debug_bus(name):
    bus = Process(name, [os.path.join(os.environ["WEFT_BIN_DIR"], "weft-bus"), "--endpoint",
                         "tcp://127.0.0.1:0", "--store", store(name)], SCRATCH,
                  {"WEFT_DIAG": "debug"}).start()
    bus.control, bus.fanout, bus.ingest = (
        bus.ready[key] for key in ("control", "fanout", "ingest"))
    return bus


def compared(bus, peer, load, name, *words):
    """Commits just before a copy and during it, None where the load came late: others had the machine. And what
    the copy told."""
    load.late = 0.0
    start, stored = time.time(), peer.counter("stored")
    wait_until("some seconds of load", lambda: peer.counter("stored") >= stored + BEFORE, 60)
    began = time.time()
    told = json.loads(weft(*words, store(name), "--json"))
    ended = time.time()
    before, during = commits(bus, start, began), commits(bus, began, ended)
    print("  %s: %d events in %.1f s; commits before: %d, p50 %d, p99.9 %d us; during: %d, p50 %d, p99.9 %d us" % (
        words[0], told["head"], ended - began, len(before), before[len(before) // 2], p999(before),
        len(during), during[len(during) // 2], p999(during)))
    return (before, during) if load.late < LATE_S else None, told


def interrupted_check(path):
    """Ctrl-C in the midst of a check, as seen by its progress on a terminal. The exit status: 0 if it was done before."""
    main, end = pty.openpty()
    run = subprocess.Popen([WEFT, "check", path], stdout=subprocess.DEVNULL, stderr=end)
    os.close(end)
    text, asked = b"", False  # a second one would kill
    try:
        while True:
            text += os.read(main, 4096)
            if b" left" in text and not asked:
                run.send_signal(signal.SIGINT)
                asked = True
    except OSError:
        pass
    os.close(main)
    assert b"damaged" not in text and (not text or text.endswith(b"\x1b[K")), text
    return run.wait(60)


def goes_on(name, head, origin):
    """A bus comes up on the copy, and its publisher goes on where the copy has it."""
    bus = Bus(store(name))
    peer = Peer(bus)
    body = peer.welcome(origin=origin)
    assert body["head"] == head, body
    peer.origin, peer.seq = origin, body["origin"]["last"]
    assert 0 < peer.seq <= head, body
    peer.emit(b"load.made", "on")
    peer.wait_ack(peer.seq)
    command, error = peer.hello(position=[bus.log, head + 10**9, 1])
    assert command == b"ERROR" and error["code"] == LOG_BEHIND, error
    bus.stop()


def test_a_backup_under_load_is_whole_and_the_bus_goes_on():
    bus = debug_bus("loaded")
    try:
        peer = Peer(bus)
        peer.sub.close()  # nobody reads here
        load = Load(peer)
        load.fill(FILL)
        load.start()
        wal, rounds, began = store("loaded/log.db-wal"), [], time.monotonic()
        for number in range(ROUNDS):
            if number and time.monotonic() - began > ENOUGH_S:
                break  # on a busy machine the log grows nearly as fast as it is copied
            head = peer.status()["head"]
            both, told = compared(bus, peer, load, "copy%d" % number, "backup", "--store", store("loaded"))
            rounds.append(both)
            assert os.path.getsize(wal) <= WAL_BOUND, os.path.getsize(wal)
            assert told["first"] == 1 and head <= told["head"], told
            wait_until("the bus goes on beyond the copy", lambda least=told["head"]: peer.status()["head"] > least, 60)
        _, cut = compared(bus, peer, load, "forked", "fork", "--to", str(FILL // 2), "--store", store("loaded"))
        wait_until("the WAL is within its bound", lambda: os.path.getsize(wal) <= WAL_BOUND, 10)
        load.end()
        wait_until("all is stored", lambda: peer.counter("stored") == peer.seq, 60)
        check_books(peer.status())
        ratios = [both and p999(both[1]) / p999(both[0]) for both in rounds]
        print("  p99.9 during / before: %s; store of %d MB" % (
            " ".join("%.2f" % ratio if ratio else "(late)" for ratio in ratios),
            os.path.getsize(store("loaded/log.db")) >> 20))
        before, during = (sorted(us for both in rounds if both for us in both[i]) for i in (0, 1))
        if before:
            print("  all rounds: %d commits before, p99.9 %d us; %d during, %d us: %.2f" % (
                len(before), p999(before), len(during), p999(during), p999(during) / p999(before)))
        check = json.loads(weft("check", store("copy0"), "--json"))
        assert check["whole"], check
        assert interrupted_check(store("loaded")) in (0, 1)
        assert sorted(os.listdir(store("copy0"))) == ["lock", "log.db"], os.listdir(store("copy0"))
        weft("restore", "--store", store("restored"), store("copy0"))
        goes_on("restored", check["head"], peer.origin)
        assert cut["head"] == FILL // 2, cut
        goes_on("forked", cut["head"], peer.origin)
        # On a machine of its own two of three are within 2, on one that others use 2.2 was seen; a copy that
        # keeps commits waiting makes it a hundred.
        assert SLOW > 1 or sum(ratio is not None and ratio > WITHIN for ratio in ratios) * 3 < 2 * ROUNDS, ratios
    finally:
        bus.stop()


def filled(name, count):
    bus = Bus(store(name))
    peer = Peer(bus)
    for number in range(count):
        peer.emit(b"a.b", number)
    peer.wait_ack(count)
    return bus, peer


def test_a_restored_store_goes_on_and_services_that_saw_more_are_refused():
    bus, peer = filled("old", 100)
    weft("backup", "--store", store("old"), store("old.copy"))
    peer.emit(b"a.b", "late")
    peer.wait_ack(101)
    head = peer.page([None, 100, None])[1][0]
    bus.stop()
    weft("restore", "--store", store("new"), store("old.copy"))
    assert os.path.exists(store("old.copy/log.db"))
    bus = Bus(store("new"))
    again = Peer(bus)
    assert len(again.read_log()) == 100 and bus.log == bytes.fromhex(bus.ready["log"])
    command, body = again.hello(position=[bus.log, 101, head[3]])
    assert command == b"ERROR" and body["code"] == LOG_BEHIND, body
    # the origin goes on from where the copy has it
    again.origin, again.seq = peer.origin, 100
    again.emit(b"a.b", "other")
    again.wait_ack(101)
    command, body = again.hello(position=[bus.log, 101, head[3]])
    assert command == b"ERROR" and body["code"] == FORKED, body


def test_a_trimmed_store_is_copied_from_where_it_begins():
    bus, peer = filled("trimmed", 100)
    assert peer.ask(b"TRIM", {"to": 40, "age_us": 0, "bytes": 0, "force": True,
                              "dry_run": False})[0] == b"TRIMMED"
    wait_until("the trim", lambda: peer.welcome()["first"] == 40)
    told = json.loads(weft("backup", "--store", store("trimmed"), store("trimmed.copy"), "--json"))
    assert (told["first"], told["head"]) == (41, 100), told
    bus.stop()


def test_a_store_of_an_old_schema_is_copied():
    """It has no checksums of what stands beside its rows; the copy has, and a bus runs on it."""
    old, copy = os.path.join(os.environ["WEFT_SOURCE_DIR"], "tests", "old", "v1", "bus"), store("schema.copy")
    shutil.copytree(old, store("schema"))
    told = json.loads(weft("backup", "--store", store("schema"), copy, "--json"))
    assert json.loads(weft("check", copy, "--json"))["whole"]
    with sqlite3.connect(copy + "/log.db") as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
        assert db.execute("SELECT count(*) FROM origins WHERE sum IS NULL").fetchone() == (0,)
    db.close()
    bus = Bus(copy)
    assert int(bus.ready["head"]) == told["head"] > 0
    bus.stop()


def test_what_is_refused_leaves_nothing_behind():
    bus, _ = filled("whole", 3000)
    assert "no store" in weft("backup", "--store", store("none"), store("x"), status=2)
    assert "--store DIR is missing" in weft("backup", store("x"), status=2)
    weft("backup", "--store", store("whole"), store("x"))
    assert "is there already" in weft("backup", "--store", store("whole"), store("x"), status=1)
    assert "is there already" in weft("restore", "--store", store("whole"), store("x"), status=1)
    with open(store("x/log.db"), "r+b") as file:
        middle = os.path.getsize(store("x/log.db")) // 2
        file.seek(middle)
        byte = file.read(1)[0]
        file.seek(middle)
        file.write(bytes([byte ^ 1]))
    said = weft("restore", "--store", store("y"), store("x"), status=1)
    assert "is damaged" in said and "weft check" in said, said
    assert not [name for name in os.listdir(SCRATCH) if name.startswith("y")]
    bus.stop()


def test_an_interrupted_backup_leaves_nothing_and_a_killed_one_is_no_hindrance():
    bus, _ = filled("cut", 3000)
    for number in (signal.SIGINT, signal.SIGKILL):
        child = subprocess.Popen([WEFT, "backup", "--store", store("cut"), store("z")],
                                 stderr=subprocess.PIPE)
        wait_until("its directory", lambda: os.path.exists(store("z.partial/lock")) or
                   os.path.exists(store("z/log.db")))
        child.send_signal(number)
        child.communicate(timeout=60)
        assert os.path.exists(store("z/log.db")) == (child.returncode == 0)
        if number == signal.SIGINT and child.returncode == 1:
            assert not os.path.exists(store("z.partial"))
        if child.returncode == 0:
            os.rename(store("z"), store("z%d" % number))
    weft("backup", "--store", store("cut"), store("z"))
    bus.stop()


if __name__ == "__main__":
    main(globals())
