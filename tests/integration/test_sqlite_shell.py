#!/usr/bin/env python3
"""The log read with SQLite's shell and weft's extension, opened for reading only: while the bus writes to it, after
it, and as an early version left it."""
import json
import os
import subprocess
import sys

from bus_client import SCRATCH, SLOW, Bus, Peer, main, store, wait_until

LIBRARY = os.path.join(os.environ["WEFT_BIN_DIR"], "..", "lib", "libweft_sqlite")
WEFT = os.path.join(os.environ["WEFT_BIN_DIR"], "weft")
OLD = os.path.join(os.environ["WEFT_SOURCE_DIR"], "tests", "old")


def shell(path, sql, status=0):
    done = subprocess.run(["sqlite3", "-readonly", "-json", "-cmd", f".load {LIBRARY}", path, sql], check=False,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done
    return json.loads(done.stdout or "[]") if status == 0 else done.stderr


def exported(bus):
    done = subprocess.run([WEFT, "export", "--bus", bus.control], check=True, capture_output=True, text=True,
                          timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_view_of_the_log_says_what_export_says():
    bus = Bus(store("read"))
    peer = Peer(bus)
    peer.emit(b"a.b", {"total": 12, "bytes": b"\x00\x01"})
    peer.emit(b"a.c", None)
    peer.wait_ack(2)
    path = store("read/log.db")
    for running in (True, False):
        if running:
            events = exported(bus)
        else:
            bus.stop()
        rows = shell(path, "SELECT * FROM log ORDER BY position")
        assert len(rows) == len(events) == 2
        for row, event in zip(rows, map(dict, events)):
            assert json.loads(row.pop("data")) == event.pop("data")
            assert row.pop("subject") in (event["subject"], None if not event["subject"] else "")
            del event["subject"]
            assert row == event, (row, event)
        one = shell(path, "SELECT weft_json(event) AS json, weft_data(event) ->> '$.total' AS total,"
                          " json_object('data', weft_data(event)) AS nested FROM events LIMIT 1")[0]
        assert one["total"] == 12 and json.loads(one["nested"])["data"]["total"] == 12, one
        whole = json.loads(one["json"])
        assert whole["data"] == {"total": 12, "bytes": {"$binary": "AAE="}} and whole["sequence"] == 1, whole
        types = shell(path, "SELECT type, events, first, last FROM log_types")
        assert types == [{"type": "a.b", "events": 1, "first": 1, "last": 1},
                         {"type": "a.c", "events": 1, "first": 2, "last": 2}], types
        origins = shell(path, "SELECT origin, sequence, position FROM log_origins")
        assert origins == [{"origin": peer.origin.hex(), "sequence": 2, "position": 2}], origins
        assert shell(path, "SELECT * FROM log_readers") == []


def test_it_reads_only_and_leaves_the_store_as_it_is():
    bus = Bus(store("kept"))
    peer = Peer(bus)
    peer.emit(b"a.b", 1)
    peer.wait_ack(1)
    bus.stop()
    path = store("kept/log.db")
    with open(path, "rb") as file:
        before = file.read()
    assert "readonly" in shell(path, "DELETE FROM events", status=8)
    shell(path, "SELECT * FROM log")
    with open(path, "rb") as file:
        assert file.read() == before
    done = subprocess.run([WEFT, "check", store("kept")], check=False, capture_output=True, timeout=60)
    assert done.returncode == 0, done


def test_what_is_no_event_is_an_error_and_nothing_is_nothing():
    said = shell(":memory:", "SELECT weft_json(x'00')", status=1)
    assert "this is no event" in said, said
    assert "this is no event" in shell(":memory:", "SELECT weft_subject('text')", status=1)
    row = shell(":memory:", "SELECT weft_json(NULL) AS a, weft_data(NULL) AS b, weft_time(0) AS c")[0]
    assert row == {"a": None, "b": None, "c": "1970-01-01T00:00:00.000000Z"}, row


def test_stores_of_earlier_versions_are_read():
    versions = sorted(name for name in os.listdir(OLD) if name.startswith("v"))
    assert versions
    for version in versions:
        copy = store("old-" + version)
        subprocess.run(["cp", "-r", os.path.join(OLD, version, "bus"), copy], check=True)
        rows = shell(os.path.join(copy, "log.db"), "SELECT position, type, source, data FROM log")
        assert [row["position"] for row in rows] == list(range(1, len(rows) + 1)) and rows, rows
        assert all(row["source"].startswith("blog-") for row in rows), rows


if __name__ == "__main__":
    if SLOW > 1:
        print("skipped: a plain sqlite3 cannot load an instrumented library")
        sys.exit(77)
    main(globals())
