#!/usr/bin/env python3
"""The log forgets: TRIM, --keep, and the services that hold it back, also over a restart of the bus."""
import os
import sqlite3
import time

import msgpack

from bus_client import Bus, Peer, check_books, main, store, wait_until

ARG, OTHER_LOG, GONE, BAD_FIELD = 9, 15, 18, 35
DAY = 86400 * 10**6


def filled(name, count, size=200, **more):
    bus = Bus(store(name), **more)
    peer = Peer(bus)
    fill(peer, count, size)
    return bus, peer


def fill(peer, count, size=200):
    for _ in range(count):
        peer.emit(b"a.b", b"x" * size)
    if peer.seq:
        peer.wait_ack(peer.seq)


def trim(peer, to=0, age_us=0, size=0, force=False, dry_run=False):
    return peer.ask(b"TRIM", {"to": to, "age_us": age_us, "bytes": size, "force": force,
                              "dry_run": dry_run})[:2]


def trimmed(peer, **more):
    command, body = trim(peer, **more)
    assert command == b"TRIMMED", (command, body)
    return body


def report(peer, resume, position=None, name="slow", instance=b"s" * 16, filters=("a.b",)):
    body = {"name": name, "instance": instance, "software": "test", "resume": resume,
            "position": resume if position is None else position, "outbox": 0, "parked": 0,
            "parked_oldest": 0, "skipped": 0, "on_error": "park", "database": "",
            "applied_catch_up": 0, "applied_live": 0, "live": True, "filters": list(filters)}
    count = peer.counter("report")
    peer.control.send_multipart([b"REPORT", msgpack.packb(body, use_bin_type=True)])
    wait_until("the report", lambda: peer.counter("report") > count)


def wait_first(peer, first):
    wait_until("first to be %d" % first, lambda: peer.welcome()["first"] == first)


def rows(name):
    with sqlite3.connect("file:%s?mode=ro" % store(name + "/log.db"), uri=True) as db:
        return db.execute("SELECT count(*), min(position), max(position) FROM events").fetchone()


def refused(answer, code, *words):
    command, body = answer
    assert command == b"ERROR" and body["code"] == code, (command, body)
    for word in words:
        assert word in body["text"], (word, body)


def test_a_trim_moves_the_beginning():
    bus, peer = filled("moves", 100)
    chains = {row[1]: row[3] for row in peer.read_log()}
    plan = trimmed(peer, to=40, dry_run=True)
    assert (plan["first"], plan["to"], plan["wanted"], plan["head"]) == (0, 40, 40, 100), plan
    assert 40 * 200 < plan["bytes"] < 400000 and plan["holder"] == "", plan
    assert peer.welcome()["first"] == 0
    assert trimmed(peer, to=40)["to"] == 40
    wait_first(peer, 40)
    welcome = peer.welcome()
    assert welcome["first_chain"] == chains[40] and welcome["head"] == 100
    assert welcome["chain"] == chains[100]
    assert peer.status()["first"] == 40
    for place in ([None, 39, None], [bus.log, 39, chains[39]], [None, 0, None], [bytes(16), 0, 0]):
        refused(peer.hello(position=place), GONE, "below 40", "--adopt-log")
        refused(peer.fetch(place)[:2], GONE, "below 40")
    refused(peer.hello(position=[os.urandom(16), 39, 1]), OTHER_LOG)
    assert peer.hello(position=[bus.log, 40, chains[40]])[0] == b"WELCOME"
    assert peer.hello(position=[bus.log, 40, 1])[1]["code"] == 17  # forked
    body, events = peer.page([bus.log, 40, chains[40]])
    assert [row[1] for row in events] == list(range(41, 101)) and body["chain"] == chains[100]
    # again, and less than before: nothing to do
    for to in (40, 10):
        plan = trimmed(peer, to=to)
        assert (plan["first"], plan["to"]) == (40, 40), plan
    refused(trim(peer, to=101), ARG, "101", "head 100")
    refused(trim(peer), ARG, "nothing says what to keep")
    refused(peer.ask(b"TRIM", {"to": 1})[:2], BAD_FIELD)
    peer.close()
    assert bus.stop()[0] == 0
    assert rows("moves") == (60, 41, 100)


def test_who_only_emits_holds_nothing_back():
    """A service without filters never asks for an event; it reports position 0 all its life."""
    bus, peer = filled("emits", 100)
    report(peer, 0, 0, name="emitter", instance=b"e" * 16, filters=())
    plan = trimmed(peer, to=40)
    assert (plan["to"], plan["holder"]) == (40, ""), plan
    wait_first(peer, 40)
    bus.stop()


def test_a_log_without_a_row_goes_on_where_it_was():
    bus, peer = filled("empty", 50)
    before = peer.welcome(origin=peer.origin)
    trimmed(peer, to=50)
    wait_first(peer, 50)
    fill(peer, 1)
    bus.process.kill()
    bus.end()
    bus = Bus(store("empty"))
    other = Peer(bus)
    welcome = other.welcome(origin=peer.origin)
    assert (welcome["first"], welcome["head"]) == (50, 51)
    assert welcome["origin"]["last"] == 51  # I4
    trimmed(other, to=51)
    wait_first(other, 51)
    assert bus.stop()[0] == 0
    bus = Bus(store("empty"))
    assert bus.ready["head"] == "51"
    third = Peer(bus)
    welcome = third.welcome(origin=peer.origin)
    assert (welcome["first"], welcome["head"], welcome["origin"]["last"]) == (51, 51, 51)
    assert welcome["chain"] == welcome["first_chain"] != before["chain"]
    assert third.page([None, 51, None])[1] == []
    third.origin, third.seq = peer.origin, 51
    fill(third, 3)
    assert [row[1] for row in third.page([None, 51, None])[1]] == [52, 53, 54]
    check_books(third.status())
    for one in (peer, other, third):
        one.close()


def test_the_slowest_service_that_reported_lately_holds_it():
    bus, peer = filled("holds", 100)
    report(peer, 80, name="fast", instance=b"f" * 16)
    report(peer, 30, position=90)
    plan = trimmed(peer, to=70)
    assert (plan["to"], plan["wanted"], plan["holder"], plan["holder_resume"]) == (30, 70, "slow", 30)
    wait_first(peer, 30)
    # a service that goes away, and a bus that is killed: it still holds
    wait_until("it to be written down", lambda: sqlite3.connect(store("holds/log.db")).execute(
        "SELECT count(*) FROM readers").fetchone() == (2,))
    peer.close()
    bus.process.kill()
    bus.end()
    bus = Bus(store("holds"))
    peer = Peer(bus)
    plan = trimmed(peer, to=70)
    assert (plan["first"], plan["to"], plan["holder"]) == (30, 30, "slow"), plan
    report(peer, 60)
    assert trimmed(peer, to=70)["to"] == 60
    wait_first(peer, 60)
    plan = trimmed(peer, to=95, force=True)
    assert (plan["to"], plan["holder"], plan["holder_resume"]) == (95, "slow", 60), plan
    wait_first(peer, 95)
    peer.close()


def test_a_service_that_is_silent_for_long_holds_nothing():
    bus, peer = filled("silent", 100, arguments=["--lately", "1s"])

    def planned_within_a_second():
        began = time.monotonic()
        report(peer, 30)
        plan = trimmed(peer, to=70, dry_run=True)
        return time.monotonic() - began < 1 and plan  # later the service may have been given up already
    assert wait_until("a plan right after a report", planned_within_a_second, 30)["to"] == 30
    wait_until("it to be given up", lambda: trimmed(peer, to=70, dry_run=True)["to"] == 70)
    peer.close()


def test_keep_by_age():
    bus, peer = filled("age", 100)
    plan = trimmed(peer, age_us=DAY, dry_run=True)
    assert plan["to"] == plan["first"] == 0
    middle = peer.read_log()[49]
    fill(peer, 50)
    # everything that is older than an event in the middle
    at = peer.welcome()["at"]
    plan = trimmed(peer, age_us=at - middle[2], dry_run=True)
    assert 49 <= plan["to"] <= 150, plan
    wait_until("all to be older than a second", lambda: trimmed(
        peer, age_us=10**6, dry_run=True)["to"] == 150)
    bus.stop()
    peer.close()
    bus = Bus(store("age"), arguments=["--keep", "1s"])
    peer = Peer(bus)
    wait_until("all to be forgotten", lambda: peer.welcome()["first"] == 150, 30)
    peer.close()


def test_keep_by_size_bounds_the_file():
    """Ten times as much as is kept goes through; a service that keeps up holds nothing back for long."""
    bus, peer = filled("size", 0, arguments=["--keep", "3MB"])
    for round_ in range(10):
        fill(peer, 30, 100000)
        head = peer.welcome()["head"]
        report(peer, head)
        wait_until("the log to be within its bound", lambda: trimmed(
            peer, size=3000000, dry_run=True)["to"] == peer.welcome()["first"], 30)
        kept = peer.page([None, head - 1, None])[1]
        assert [row[1] for row in kept] == [head]
        assert peer.welcome()["head"] - peer.welcome()["first"] >= 20, round_  # not much less than 3 MB
    assert peer.welcome()["head"] == 300
    peer.close()
    bus.stop()
    assert os.path.getsize(store("size/log.db")) < 9000000


def test_keep_by_size_looks_where_the_bytes_lie():
    bus, peer = filled("uneven", 100, 50000)
    fill(peer, 5000, 10)
    plan = trimmed(peer, size=2500000, dry_run=True)
    assert 40 <= plan["to"] <= 80, plan  # half of the bytes, but only 1 % of the events
    assert 1.5e6 < plan["bytes"] < 4e6, plan
    peer.close()


def test_damage_at_the_cut_is_no_anchor():
    bus, peer = filled("damaged", 100)
    bus.stop()
    with sqlite3.connect(store("damaged/log.db")) as db:
        db.execute("UPDATE events SET chain = chain + 1 WHERE position = 40")
    bus = Bus(store("damaged"))
    other = Peer(bus)
    for to in (40, 41):
        refused(trim(other, to=to), 19, "is damaged")
    assert trimmed(other, to=42)["to"] == 42  # what is damaged goes
    wait_first(other, 42)
    body = other.page([None, 42, None])[0]
    assert body["next"] == 100
    other.close()
    peer.close()


def test_wrong_use_of_keep():
    import subprocess
    from bus_client import BUS
    for arguments, word in ((["--keep", "30"], "unit"), (["--keep", ""], "number"), (["--keep"], "--keep"),
                            (["--keep", "1d,2d"], "one age"), (["--keep", "10kB"], "unit"),
                            (["--lately", "1GB"], "age"), (["--lately", "x"], "number")):
        done = subprocess.run([BUS, "--store", store("use"), *arguments], capture_output=True, text=True,
                              check=False, timeout=20)
        assert done.returncode == 2 and word in done.stderr and "try --help" in done.stderr, done
        assert len(done.stderr.splitlines()) == 1
    assert not os.path.exists(store("use"))


if __name__ == "__main__":
    main(globals())
