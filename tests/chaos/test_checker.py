"""The checker can fail: a mesh that came right is tampered with, one place at a time, and each time it says so."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys

from process import Failure, check, wait_until
from world import HERE, Running, World, main

# name: (file, statement, a word of the verdict)
TAMPERED = {
    "an event of the log is gone": ("log", "DELETE FROM events WHERE position = 30", "where 30 should be"),
    "the last event of the log is gone":
        ("log", "DELETE FROM events WHERE position = (SELECT max(position) FROM events)", "table origins"),
    "an event of the log is doubled": (
        "log", "INSERT INTO events SELECT 1 + (SELECT max(position) FROM events), type, stored_us, chain, event"
        " FROM events WHERE position = 30", "chain is broken"),
    "two events of the log are swapped": (
        "log", "UPDATE events SET event = (SELECT event FROM events b WHERE b.position = 61 - events.position)"
        " WHERE position IN (30, 31)", "chain is broken at position 30"),
    "a bit of an event is another": (
        "log", "UPDATE events SET event = CAST(substr(event, 1, length(event) - 1)"
        " || iif(substr(event, -1) = x'01', x'02', x'01') AS BLOB) WHERE position = 40", "chain is broken at position 40"),
    "the clock of the log goes back": ("log", "UPDATE events SET stored_us = 5 WHERE position = 50", "goes back"),
    "an origin is forgotten": ("log", "DELETE FROM origins WHERE origin = (SELECT min(origin) FROM origins)", "table origins"),
    "the log has forgotten something": (
        "log", "UPDATE meta SET value = 5 WHERE key = 'anchor_position'", "forgotten 5 events"),
    "an applied row is gone": ("audit", "DELETE FROM applied WHERE id = 20", "never applied"),
    "an applied row is doubled": (
        "audit", "INSERT INTO applied (position, type, event) SELECT position, type, event FROM applied"
        " ORDER BY id DESC LIMIT 1", "applied twice"),
    "two applied rows are swapped": (
        "audit", "UPDATE applied SET position = 41 - position WHERE position IN (20, 21)", "after a later one"),
    "an applied event has other bytes": (
        "audit", "UPDATE applied SET event = (SELECT event FROM applied b WHERE b.id = 7) WHERE id = 8",
        "is not the log's"),
    "a total is off by one": ("pricing", "UPDATE totals SET amount = amount + 1 WHERE subject = 'sensor/1'",
                              "totals of sensor/1"),
    "the order of a fold is another": ("pricing", "UPDATE totals SET mix = mix + 1 WHERE subject = 'sensor/1'",
                                       "totals of sensor/1"),
    "a row has no event": ("orders", "INSERT INTO made (subject, amount) VALUES ('account/1', 5)", "made "),
    "an event has no row": ("orders", "DELETE FROM made WHERE n = 3", "made "),
    "an event waits in an outbox": (
        "orders", "INSERT INTO weft_outbox (type, time_us, subject, cause, data)"
        " VALUES ('order.created', 1, '', 0, x'c0')", "outbox"),
    "more is acknowledged than stored": ("orders", "UPDATE weft_acked SET acked = acked + 1", "were acknowledged"),
    "an event is parked": (
        "audit", "INSERT INTO weft_parked VALUES (5, '', '', 'a.b', x'c0', 1, 1, 1, 'no', 1)", "parked"),
    "a position has another chain": ("audit", "UPDATE weft_position SET chain = chain + 1", "its chain"),
    "a position is of another log": ("audit", "UPDATE weft_position SET log = zeroblob(16)", "another log"),
    "a bare publisher was told too much": ("journal", "acked 100000\n", "was told that 100000 are safe"),
    "a bare publisher sent less": ("journal", "sent 1\n", "the log has"),
}


def tamper(spec, where, what):
    if where == "journal":
        with open(spec["publishers"]["sensor-1"], "a", encoding="ascii") as journal:
            journal.write(what)
        return
    path = spec["log"] if where == "log" else spec["services"][where]["database"]
    db = sqlite3.connect(path)
    changed = db.execute(what).rowcount
    db.commit()
    db.close()
    assert changed > 0, (where, what)


def verdict(scratch, spec):
    path = os.path.join(scratch, "spec.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(spec, file)
    done = subprocess.run([sys.executable, os.path.join(HERE, "checker.py"), path],
                          capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def copy_of(world, scratch):
    """The spec of a copy of the mesh, below scratch."""
    shutil.copytree(world.scratch, scratch, ignore=shutil.ignore_patterns("bus*", "case*"))
    with open(world.spec(), encoding="utf-8") as file:
        return json.loads(file.read().replace(world.scratch + "/", scratch + "/"))


def test_checker_names_each_fault_that_is_made(scratch):
    with Running(World(scratch)) as world:
        wait_until("a few hundred events", lambda: world.head() > 300, 30)
        world.rest()
        for process in world.processes.values():
            process.stop()
        check(world.judge()[0], 0, "before anything is tampered with")
        for number, (name, (where, what, word)) in enumerate(TAMPERED.items()):
            case = os.path.join(scratch, f"case{number}")
            spec = copy_of(world, case)
            tamper(spec, where, what)
            status, said = verdict(case, spec)
            if status != 1 or word not in said or "Traceback" in said:
                raise Failure(f"{name}: exit {status}, the checker says:\n{said}")
            shutil.rmtree(case)
        check(world.judge()[0], 0, "after all copies were tampered with")


if __name__ == "__main__":
    main(globals())
