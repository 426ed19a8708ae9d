"""The mesh that the chaos tests break: a bus, two bare publishers, five services on one another's events.

    sensor-1, sensor-2  publish reading.taken               (chaos-pub)
    orders              makes order.created, hears order.done
    stock               makes stock.changed
    pricing             order.created, reading.*  →  order.priced
    shipping            order.priced, stock.>     →  order.done
    audit               hears everything

While the file "go" is there, events are made. All programs have crash points (src/base/weft_crash.h).
Whether things came right is judged from outside, by checker.py; what is waited for is read from the
databases, too, so that nobody has to be asked."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import traceback

from process import SLOW, Failure, Process, wait_until

CAST = {  # name: (filters, emits, makes, ms between two)
    "orders": (["order.done"], "", "order.created", 15),
    "stock": ([], "", "stock.changed", 25),
    "pricing": (["order.created", "reading.*"], "order.priced", "", 1000),
    "shipping": (["order.priced", "stock.>"], "order.done", "", 1000),
    "audit": ([">"], "", "", 1000),
}
PUBLISHERS = ("sensor-1", "sensor-2")
BUS_ROOMS, SERVICE_ROOMS, PUBLISHER_ROOMS = ("bus",), ("client",), ("client/weft_relay.c",)
CONVERGE_SECONDS = 30
JOURNAL_TAIL_BYTES = 1 << 15
HERE = os.path.dirname(os.path.abspath(__file__))


class Skip(Exception):
    """The test cannot run here; says why."""


def crash_points(*rooms):
    """The names of the points compiled into a kind of program, from the source itself."""
    found = []
    for room in rooms:
        top = os.path.join(os.environ["WEFT_SOURCE_DIR"], "src", room)
        paths = [top] if os.path.isfile(top) else sorted(
            os.path.join(top, name) for name in os.listdir(top) if name.endswith(".c"))
        for path in paths:
            with open(path, encoding="utf-8") as source:
                found += re.findall(r'WEFT_CRASH_POINT\("([\w.]+)"\)', source.read())
    assert found, rooms
    return found


class World:
    """bus: endpoint the bus binds; reach: endpoint that the others are given, if another.
    keep: what the bus is told to keep; what it forgets, audit has applied by then.
    around: {name: words to put before a program's command}; "" is for those without words of their own.
    environment: added to that of every program."""

    def __init__(self, scratch, bus=None, reach=None, store=None, around=None, bind_any=False,
                 environment=None, keep=None):
        self.scratch, self.cast, self.keep = scratch, CAST, keep
        self.environment = environment or {}
        self.bin = os.environ["WEFT_CHAOS_BIN"]
        self.go = os.path.join(scratch, "go")
        self.store = store or os.path.join(scratch, "store")
        self.around = around or {}
        endpoint = bus or "ipc://" + os.path.join(scratch, "bus")
        self.endpoint = reach or endpoint
        words = ["chaos-bus", "--endpoint", endpoint, "--store", self.store]
        words += (["--bind-any"] if bind_any else []) + (["--keep", keep] if keep else [])
        self.processes = {"bus": self.process("bus", words)}
        for name in PUBLISHERS:
            self.processes[name] = self.process(name, [
                "chaos-pub", "--bus", self.endpoint, "--name", name, "--journal",
                self.journal(name), "--go", self.go, "--every", "20"])
        for name, (on, emit, make, every) in self.cast.items():
            self.processes[name] = self.process(name, [
                "chaos-service", name, "--bus", self.endpoint, "--data", self.data(name),
                "--on", ",".join(on), "--emit", emit, "--make", make, "--every", str(every),
                "--go", self.go])
        self.publishers = list(PUBLISHERS)

    def process(self, name, words):
        words[0] = os.path.join(self.bin, words[0])
        return Process(name, [*self.around.get(name, self.around.get("", [])), *words], self.scratch,
                       self.environment)

    def __getitem__(self, name):
        return self.processes[name]

    def data(self, name):
        return os.path.join(self.scratch, "data-" + name)

    def journal(self, name):
        return os.path.join(self.scratch, name + ".journal")

    def points(self, name):
        if name == "bus":
            return crash_points(*BUS_ROOMS)
        return crash_points(*(PUBLISHER_ROOMS if name in self.publishers else SERVICE_ROOMS))

    # ---- load and processes

    def start(self):
        for process in self.processes.values():
            process.start()
        if self.keep:
            self.wait("the bus has written down who reads, and forgets nothing that they lack",
                      self.readers_known, CONVERGE_SECONDS)
        self.load(True)

    def readers_known(self):
        with contextlib.closing(sqlite3.connect(f"file:{self.log_path()}?mode=ro", uri=True)) as db:
            return {name for (name,) in db.execute("SELECT name FROM readers")} >= {name for name, cast in self.cast.items() if cast[0]}

    def load(self, on):
        if on:
            with open(self.go, "wb"):
                pass
        elif os.path.exists(self.go):
            os.unlink(self.go)

    def kill(self, name):
        self[name].stop(kill=True)

    def pause(self, name):
        self[name].child.send_signal(signal.SIGSTOP)

    def go_on(self, name):
        self[name].child.send_signal(signal.SIGCONT)

    def stop_all(self):
        for process in self.processes.values():
            child, process.child = process.child, None
            if child:
                child.kill()
                child.wait()

    def check_alive(self):
        for process in self.processes.values():
            if not process.alive():
                raise Failure(f"{process.name} has ended by itself")

    # ---- what the databases say

    def log_path(self):
        return os.path.join(self.store, "log.db")

    def database_path(self, name):
        return os.path.join(self.data(name), name + ".db")

    @staticmethod
    def ask(path, sql, *values):
        db = sqlite3.connect(path, timeout=10 * SLOW)
        try:
            return db.execute(sql, values).fetchall()
        finally:
            db.close()

    def head(self):
        return max(self.ask(self.log_path(), "SELECT coalesce(max(position), 0), (SELECT value FROM meta"
                            " WHERE key = 'anchor_position') FROM events")[0])

    def emitted(self, name):
        """(origin, how many events a service has committed)"""
        return self.ask(self.database_path(name), "SELECT (SELECT value FROM weft_meta WHERE key = 'origin'),"
                        " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'weft_outbox'), 0)")[0]

    def applied(self, name):
        rows = self.ask(self.database_path(name), "SELECT position FROM applied ORDER BY id DESC LIMIT 1")
        return rows[0][0] if rows else 0

    def last_wanted(self, name, head):
        """Position of the last event up to head that a service's filters match."""
        likes = [f.rstrip("*>") + ("%" if f[-1] in "*>" else "") for f in self.cast[name][0]]
        if not likes:
            return 0
        where = " OR ".join("name LIKE ?" for _ in likes)
        rows = self.ask(self.log_path(), "SELECT position FROM events WHERE position <= ? AND type IN"
                        f" (SELECT id FROM types WHERE {where}) ORDER BY position DESC LIMIT 1", head, *likes)
        return rows[0][0] if rows else 0

    def stored(self, origin):
        rows = self.ask(self.log_path(), "SELECT last FROM origins WHERE origin = ?", origin)
        return rows[0][0] if rows else 0

    def acked(self, name):
        """(sent, acknowledged) of a publisher's present run; the end of its journal tells."""
        sent, acked = 0, 0
        with open(self.journal(name), "rb") as journal:
            journal.seek(max(0, os.path.getsize(self.journal(name)) - JOURNAL_TAIL_BYTES))
            for line in journal.read().splitlines()[1:]:
                word, _, value = line.partition(b" ")
                if word == b"run":
                    sent, acked = 0, 0
                elif word == b"sent":
                    sent = int(value or 0)
                elif word == b"acked":
                    acked = int(value or 0)
        return sent, acked

    # ---- coming right

    def converge(self, seconds=CONVERGE_SECONDS):
        """All that was committed anywhere when this begins has reached the log, and all that the log held
        has reached everyone."""
        for name in self.cast:
            origin, count = self.emitted(name)
            self.wait(f"all {count} events of {name} are in the log",
                      lambda: self.stored(origin) >= count, seconds)
        for name in self.publishers:
            sent = self.acked(name)[0]
            self.wait(f"all {sent} events of {name} are acknowledged",
                      lambda: self.acked(name)[1] >= sent, seconds)
        head = self.head()
        for name in self.cast:
            goal = self.last_wanted(name, head)
            self.wait(f"{name} has applied {goal}", lambda: self.applied(name) >= goal, seconds)

    def wait(self, what, condition, seconds):
        def alive_and_true():
            self.check_alive()
            return condition()
        wait_until(what, alive_and_true, seconds)

    def rest(self, seconds=CONVERGE_SECONDS):
        """No more load; until nothing moves any more: all is in the log, applied, settled."""
        self.load(False)
        before = None
        end = time.monotonic() + seconds * SLOW
        while True:
            self.converge(seconds)
            now = self.head(), [self.emitted(name) for name in self.cast]
            if now == before and all(self.settled(name) for name in self.cast):
                return
            if time.monotonic() > end:
                raise Failure(f"no rest: {now}, before {before}")
            before = now

    def settled(self, name):
        waiting, acked, last = self.ask(
            self.database_path(name), "SELECT (SELECT count(*) FROM weft_outbox), (SELECT acked FROM weft_acked),"
            " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'weft_outbox'), 0)")[0]
        return waiting == 0 and acked == last

    # ---- the judge

    def spec(self):
        path = os.path.join(self.scratch, "spec.json")
        spec = {"log": self.log_path(), "keeper": "audit" if self.keep else None,
                "publishers": {name: self.journal(name) for name in self.publishers},
                "services": {name: {"database": self.database_path(name), "on": on, "emit": emit, "make": make}
                             for name, (on, emit, make, _) in self.cast.items()}}
        with open(path, "w", encoding="utf-8") as file:
            json.dump(spec, file)
        return path

    def judge(self):
        """(exit status, what the checker says) of the mesh as it is."""
        done = subprocess.run([sys.executable, os.path.join(HERE, "checker.py"), self.spec()],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def rest_and_judge(self, seconds=CONVERGE_SECONDS):
        self.rest(seconds)
        status, verdict = self.judge()
        print("  " + verdict.replace("\n", "\n  ").rstrip(), flush=True)
        if status:
            raise Failure(f"the checker found fault\n{verdict}")
        return verdict

    def show(self):
        for process in self.processes.values():
            state = "runs" if process.alive() else "is down"
            print(f"  {process.name} {state}; last lines:\n{process.tail(12)}", file=sys.stderr)


def main(names):
    """Run the test functions of a file, or those named as arguments; each gets a scratch directory."""
    tests = {name: fn for name, fn in names.items() if name.startswith("test_") and callable(fn)}
    wanted = sys.argv[1:] or list(tests)
    failed, skipped = [], []
    for index, name in enumerate(wanted):
        scratch = os.path.join(os.environ["WEFT_TEST_DIR"], str(index))
        os.makedirs(scratch)
        began = time.monotonic()
        print(f"{name} …", flush=True)
        try:
            tests[name](scratch)
            print(f"  ok, {time.monotonic() - began:.1f} s", flush=True)
        except Skip as skip:
            skipped.append(name)
            print(f"  skipped: {skip}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed.append(name)
            traceback.print_exc()
            print(f"  FAILED after {time.monotonic() - began:.1f} s; again: {sys.argv[0]} {name}",
                  file=sys.stderr, flush=True)
    sys.exit(1 if failed else 77 if skipped == wanted else 0)


class Running:
    """with Running(World(…)) as world: started, and nothing of it is left afterwards."""

    def __init__(self, world, start=True):
        self.world, self.begin = world, start

    def __enter__(self):
        try:
            if self.begin:
                self.world.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self.world

    def __exit__(self, kind, value, trace):
        if kind and not issubclass(kind, Skip):
            self.world.show()
        self.world.stop_all()
