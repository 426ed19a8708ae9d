#!/usr/bin/env python3
"""The index of causes: EFFECTS and TRACE, and what becomes of an index that is gone, damaged, of another
log, of another history, or not closed before the machine went down."""
import os
import shutil
import signal
import sqlite3

from bus_client import Bus, Peer, main, store, wait_until

TOO_BIG, BAD_FIELD = 13, 35
ONE, TWO = b"\1" * 16, b"\2" * 16
REST = b"\7" * 8 + b"\1"


def emit(peer, cause=None, trace=None):
    peer.emit(b"a.b", "x", cause=cause, trace=trace and trace + REST)


def filled(name):
    """1 ← 2, 3 ← 4 ← 5; 1, 2 and 4 belong to one trace, 5 to another. 6 to 8 name what is no cause."""
    bus = Bus(store(name))
    peer = Peer(bus)
    for cause, trace in ((None, ONE), (1, ONE), (1, None), (3, ONE), (4, TWO),
                         (6, None), (8, None), (2**62, None)):
        emit(peer, cause, trace)
    peer.wait_ack(8)
    return bus, peer


def again(name, bus, peer, number=signal.SIGTERM):
    peer.close()
    errors = bus.stop(number)[1]
    return Bus(store(name)), errors


def ask(peer, command, **body):
    answer, found, _ = peer.ask(command, body)
    assert answer == b"FOUND", (answer, found)
    return found


def effects(peer, *causes, after=0):
    return ask(peer, b"EFFECTS", causes=causes, after=after)


def trace(peer, id_, after=0):
    return ask(peer, b"TRACE", trace=id_, after=after)["positions"]


def settle(peer):
    """Until the index has come to the head."""
    def all_in():
        found = effects(peer, 1)
        return found["indexed"] == found["head"]
    wait_until("the index has come to the head", all_in)


def check_filled(peer, more=0):
    settle(peer)
    found = effects(peer, 1, 2, 3, 4, 5, 6, 7, 8)
    assert found["positions"] == [1, 2, 1, 3, 3, 4, 4, 5], found
    assert found["head"] == found["indexed"] == 8 + more and found["first"] == 0, found
    assert not found["more"]
    assert trace(peer, ONE) == [1, 2, 4] and trace(peer, TWO) == [5]
    assert trace(peer, b"\3" * 16) == []
    wait_until("STATUS tells it, too, once the indexer has come round", lambda: peer.counter("indexed") == 8 + more)


def sql(name, text):
    db = sqlite3.connect(store(name + "/causes.db"), timeout=20)
    with db:
        rows = db.execute(text).fetchall()
    db.close()
    return rows


def refused(peer, code, command, **body):
    answer, error, _ = peer.ask(command, body)
    assert (answer, error["code"]) == (b"ERROR", code), (answer, error)


def test_effects_and_traces_are_found():
    bus, peer = filled("found")
    check_filled(peer)
    assert bus.log == effects(peer, 1)["log"]
    assert effects(peer, 3, 1)["positions"] == [3, 4, 1, 2, 1, 3]  # in the order asked for
    assert effects(peer, 1, 3, after=2)["positions"] == [1, 3, 3, 4]
    assert trace(peer, ONE, after=1) == [2, 4] and trace(peer, ONE, after=4) == []


def test_bad_requests_are_refused():
    bus, peer = filled("bad")
    settle(peer)
    refused(peer, BAD_FIELD, b"EFFECTS", causes=[], after=0)
    refused(peer, BAD_FIELD, b"EFFECTS", causes=[0], after=0)
    refused(peer, BAD_FIELD, b"EFFECTS", causes=[2**63], after=0)
    refused(peer, BAD_FIELD, b"EFFECTS", causes=1, after=0)
    refused(peer, BAD_FIELD, b"EFFECTS", causes=[1])
    refused(peer, TOO_BIG, b"EFFECTS", causes=[1] * 257, after=0)
    refused(peer, BAD_FIELD, b"TRACE", trace=b"short", after=0)
    refused(peer, BAD_FIELD, b"TRACE", trace=None, after=0)
    assert effects(peer, *[1] * 256)["positions"] == [1, 2, 1, 3] * 256
    assert bus.process.poll() is None


def test_a_long_answer_comes_in_parts():
    bus, peer = filled("parts")
    for _ in range(5000):
        emit(peer, 2, TWO)
    peer.wait_ack(5008)
    settle(peer)
    first = effects(peer, 3, 2, 4)
    assert first["more"] and len(first["positions"]) == 8192, len(first["positions"])
    assert first["positions"][:4] == [3, 4, 2, 9] and first["positions"][-2] == 2
    rest = effects(peer, 2, 4, after=first["positions"][-1])
    assert not rest["more"] and rest["positions"][-2:] == [4, 5]
    got = first["positions"][3::2] + rest["positions"][1:-2:2]
    assert got == list(range(9, 5009)), (got[:3], got[-3:])
    assert trace(peer, TWO) == [5, *range(9, 5009)]
    assert bus.process.poll() is None


def remove_index(name):
    for end in ("", "-wal", "-shm"):
        if os.path.exists(store(f"{name}/causes.db{end}")):
            os.remove(store(f"{name}/causes.db{end}"))


def test_a_long_log_is_indexed_whole_in_steps_of_several_pages():
    """Each event but the first has the one before as its cause; 50 traces take turns."""
    count, traces = 20000, 50
    bus = Bus(store("long"))
    peer = Peer(bus)
    for n in range(1, count + 1):
        emit(peer, n - 1 or None, bytes([n % traces + 1]) * 16)
        if n % 4000 == 0:
            peer.wait_ack(n)
    peer.close()
    bus.stop()
    remove_index("long")
    bus = Bus(store("long"))
    peer = Peer(bus)
    settle(peer)
    for first in range(1, count, 256):
        causes = range(first, min(first + 256, count))
        want = [number for cause in causes for number in (cause, cause + 1)]
        assert effects(peer, *causes)["positions"] == want, first
    for n in range(traces):
        assert trace(peer, bytes([n + 1]) * 16) == list(range(n or traces, count + 1, traces)), n


def test_an_index_outlives_a_restart_and_a_kill():
    bus, peer = filled("restart")
    check_filled(peer)
    for number in (signal.SIGTERM, signal.SIGKILL):
        bus, errors = again("restart", bus, peer, number)
        assert "causes." not in errors, errors
        peer = Peer(bus)
        check_filled(peer)
    _, errors = again("restart", bus, peer)
    assert "causes." not in errors, errors


def test_an_index_that_is_gone_is_made_anew():
    bus, peer = filled("gone")
    check_filled(peer)
    peer.close()
    bus.stop()
    remove_index("gone")
    bus = Bus(store("gone"))
    check_filled(Peer(bus))


def spoiled(name, spoil):
    """The bus comes up with a spoiled index, throws it away, and answers as before."""
    bus, peer = filled(name)
    check_filled(peer)
    peer.close()
    bus.stop()
    spoil(store(name + "/causes.db"))
    bus = Bus(store(name))
    peer = Peer(bus)
    def as_before():
        return effects(peer, 1)["positions"] == [1, 2, 1, 3]
    wait_until("the index is there again", as_before)
    check_filled(peer)
    _, errors = again(name, bus, peer)
    assert "causes.discarded" in errors, errors


def test_garbage_is_thrown_away():
    def spoil(path):
        with open(path, "wb") as file:
            file.write(b"garbage" * 4000)
    spoiled("garbage", spoil)


def test_a_damaged_page_is_noticed():
    def spoil(path):
        with open(path, "r+b") as file:
            file.seek(8192)
            file.write(b"\x55" * (os.path.getsize(path) - 8192))
    spoiled("damaged", spoil)


def test_an_index_that_was_open_when_the_machine_went_down_is_not_trusted():
    spoiled("reboot", lambda path: sql("reboot", "UPDATE meta SET machine = 'another start'"))


def test_the_index_of_another_log_is_not_trusted():
    bus, peer = filled("other")
    for cause in (1, 1, 2):
        emit(peer, cause, TWO)
    peer.wait_ack(11)
    settle(peer)
    again("other", bus, peer)[0].stop()
    spoiled("another", lambda path: shutil.copy(store("other/causes.db"), path))


def test_the_index_of_another_history_is_not_trusted():
    bus, peer = filled("history")
    check_filled(peer)
    peer.close()
    bus.stop()
    shutil.copytree(store("history"), store("history-old"))
    bus = Bus(store("history"))
    peer = Peer(bus)
    emit(peer, 2, TWO)
    emit(peer, 2, TWO)
    peer.wait_ack(2)
    settle(peer)
    assert effects(peer, 2)["positions"] == [2, 9, 2, 10]
    peer.close()
    bus.stop()
    # The log is put back, and goes on in another way; the index is that of the first way.
    for name in ("log.db", "log.db-wal", "log.db-shm"):
        if os.path.exists(store("history/" + name)):
            os.remove(store("history/" + name))
    shutil.copy(store("history-old/log.db"), store("history/log.db"))
    shutil.copy(store("history/causes.db"), store("history-old/first-way.db"))
    bus = Bus(store("history"))
    peer = Peer(bus)
    for cause in (1, 1, 1):
        emit(peer, cause)
    peer.wait_ack(3)
    settle(peer)
    assert effects(peer, 1, 2)["positions"] == [1, 2, 1, 3, 1, 9, 1, 10, 1, 11]
    peer.close()
    assert "LOG_BEHIND" in bus.stop()[1]
    # The same while the log is beyond it: its chain tells.
    shutil.copy(store("history-old/first-way.db"), store("history/causes.db"))
    bus = Bus(store("history"))
    peer = Peer(bus)
    settle(peer)
    assert effects(peer, 1, 2)["positions"] == [1, 2, 1, 3, 1, 9, 1, 10, 1, 11]
    peer.close()
    assert "FORKED" in bus.stop()[1]


def test_what_the_log_forgets_the_index_forgets():
    bus, peer = filled("trim")
    for _ in range(3000):
        emit(peer, peer.seq, TWO)
    peer.wait_ack(3008)
    settle(peer)
    assert sql("trim", "SELECT count(*) FROM effects") == [(3004,)]
    command, body, _ = peer.ask(b"TRIM", {"to": 2000, "age_us": 0, "bytes": 0, "force": True,
                                          "dry_run": False})
    assert command == b"TRIMMED" and body["to"] == 2000, (command, body)
    wait_until("the log is trimmed", lambda: peer.welcome()["first"] == 2000)
    wait_until("the index is, too", lambda: sql("trim", "SELECT min(cause) FROM effects") == [(2001,)])
    found = effects(peer, 1, 1999, 2001)
    assert found["positions"] == [2001, 2002] and found["first"] == 2000, found
    assert trace(peer, TWO)[0] == 2001
    # An index that begins when all that was before is gone.
    peer.close()
    bus.stop()
    os.remove(store("trim/causes.db"))
    bus = Bus(store("trim"))
    peer = Peer(bus)
    settle(peer)
    assert effects(peer, 1, 1999, 2001)["positions"] == [2001, 2002]


if __name__ == "__main__":
    main(globals())
