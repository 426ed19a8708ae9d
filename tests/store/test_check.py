#!/usr/bin/env python3
"""weft check as a process: whole stores, damaged ones, beside a running bus, wrong use."""
import json
import os
import sqlite3
import subprocess

from bus_client import SLOW, Bus, Peer, chain_after, main, store, words, xxh

WEFT = os.path.join(os.environ["WEFT_BIN_DIR"], "weft")


def check(*arguments):
    done = subprocess.run([WEFT, "check", *arguments], capture_output=True, text=True,
                          timeout=30 * SLOW, check=False)
    return done.returncode, done.stdout, done.stderr


def filled(name, count=200, rare=None):
    """Events of two types, or three: one in so many of a.rare."""
    bus = Bus(store(name))
    peer = Peer(bus)
    for n in range(count):
        peer.emit(b"a.rare" if rare and n % rare == 7 else b"a.odd" if n % 2 else b"a.even", n)
    peer.wait_ack(count)
    return bus, peer


def damaged(name, sql, *words, position=0):
    bus, peer = filled(name, 50)
    peer.close()
    bus.stop()
    assert check(store(name))[0] == 0
    db = sqlite3.connect(store(name + "/log.db"))
    db.execute(sql)
    db.commit()
    db.close()
    status, out, errors = check(store(name), "--json")
    told = json.loads(out)
    assert status == 1 and not told["whole"] and told["error"] == "CORRUPT", (out, errors)
    assert told["position"] == position, out
    for word in words:
        assert word in told["reason"] and word in errors, (word, out, errors)
    assert len(errors.splitlines()) == 1


def test_whole_store_also_while_a_bus_holds_it():
    bus, peer = filled("whole")
    status, out, errors = check(store("whole"))
    assert status == 0 and errors == "" and "rows 1 to 200" in out, (out, errors)
    peer.emit(b"b.new", "the check has taken no lock")
    peer.wait_ack(201)
    peer.close()
    bus.stop()
    status, out, _ = check(store("whole"), "--json")
    told = json.loads(out)
    assert status == 0 and told["whole"] and told["rows"] == 201 and told["types"] == 3, out
    assert told["origins"] == 1 and told["first"] == 1 and told["head"] == 201


def test_damage_is_named():
    damaged("event", "UPDATE events SET event = zeroblob(60) WHERE position = 20",
            "row 20 is damaged", position=20)
    damaged("gap", "DELETE FROM events WHERE position = 7", "row 7 is damaged", "missing", position=7)
    damaged("type", "UPDATE types SET name = 'a.evil' WHERE id = 2", "is damaged", position=2)
    damaged("lost-type", "UPDATE events SET type = 9 WHERE position = 30", "type is unknown",
            position=30)
    damaged("origin", "UPDATE origins SET last = last + 1", "origin", "checksum")
    damaged("no-origin", "DELETE FROM origins", "0 origins are there, and 1 should be")
    damaged("log", "UPDATE meta SET value = randomblob(16) WHERE key = 'log'", "the log's id")
    damaged("spare-type", "INSERT INTO types VALUES (3, 'c.d')", "type 3 has no row")


def test_postings_are_those_of_the_rows():
    """A block of 4,096 rows has postings; a changed copy, one in another's place, and what looks right but is
    not that of the rows."""
    bus, peer = filled("postings", 2 * 4096 + 10)
    peer.close()
    bus.stop()
    path = store("postings/log.db")

    def change(*statements):
        with sqlite3.connect(path) as db:
            for statement in statements:
                db.execute(statement)
        db.close()

    def told(*words):
        status, out, errors = check(store("postings"), "--json")
        report = json.loads(out)
        assert status == 1 and report["error"] == "CORRUPT" and report["position"] == 0, (out, errors)
        for word in words:
            assert word in report["reason"], out
        change("DELETE FROM postings", "INSERT INTO postings SELECT * FROM saved")
        assert check(store("postings"))[0] == 0

    change("CREATE TABLE saved AS SELECT * FROM postings")
    assert json.loads(check(store("postings"), "--json")[1])["blocks"] == 2
    change("UPDATE postings SET types = zeroblob(length(types)) WHERE block = 1")
    told("rows 4097 to 8192", "checksum")
    change("UPDATE postings SET types = CAST(types AS TEXT) WHERE block = 1")
    told("rows 4097 to 8192", "checksum")
    change("UPDATE postings SET block = 2 WHERE block = 1")
    told("rows 8193 to 12288", "checksum")
    # Whole in itself, but of other rows.
    with sqlite3.connect(path) as db:
        blob = db.execute("SELECT types FROM postings WHERE block = 0").fetchone()[0]
        body = b"\x03" + blob[1:-8]  # the first list is of another type
        db.execute("UPDATE postings SET types = ? WHERE block = 0",
                   (body + words(chain_after(0, xxh(body))),))
    db.close()
    told("rows 1 to 4096", "not that of the rows")


def test_copies_of_rare_rows_are_those_rows():
    bus, peer = filled("rare", 4096, rare=300)
    peer.close()
    bus.stop()
    path = store("rare/log.db")

    def change(*statements):
        with sqlite3.connect(path) as db:
            for statement in statements:
                db.execute(statement)
        db.close()

    change("CREATE TABLE saved AS SELECT * FROM rare")
    with sqlite3.connect(path) as db:
        copies = [row[0] for row in db.execute("SELECT position FROM rare ORDER BY position")]
    db.close()
    assert len(copies) > 5, copies
    assert check(store("rare"))[0] == 0
    for damage in ("event = zeroblob(length(event))", "event = CAST(event AS TEXT)", "stored_us = stored_us + 1",
                   "chain = chain + 1", "before = before + 1", "type = 70000", "position = 5000"):
        change(f"UPDATE rare SET {damage} WHERE position = {copies[3]}")
        status, out, errors = check(store("rare"), "--json")
        report = json.loads(out)
        assert status == 1 and report["error"] == "CORRUPT", (damage, out, errors)
        assert f"copy of row {5000 if 'position' in damage else copies[3]} " in report["reason"], (damage, out)
        change("DELETE FROM rare", "INSERT INTO rare SELECT * FROM saved")
    change(f"DELETE FROM rare WHERE position = {copies[3]}")  # then the row itself is read
    assert check(store("rare"))[0] == 0


def test_wrong_use():
    for arguments in ((), ("/nonexistent",), (store("x"), "y"), ("--never",)):
        status, out, errors = check(*arguments)
        assert status == 2 and out == "" and len(errors.splitlines()) == 1, (arguments, errors)
    status, out, errors = check("--help")
    assert status == 0 and "DIR" in out and errors == ""


if __name__ == "__main__":
    main(globals())
