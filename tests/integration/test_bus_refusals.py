#!/usr/bin/env python3
"""What ingest refuses, how it is counted, and what the origin is told."""
import os

import msgpack

from bus_client import Bus, Peer, check_books, event, main, store

FULL, BAD_TYPE, BAD_EVENT, TOO_BIG, VERSION = 4, 10, 12, 13, 14


def refused(peer, origin):
    state = peer.welcome(origin=origin)["origin"]
    return state["refused_seq"], state["refused_code"]


def marker(peer):
    """All that was published before has been worked off when this is acked."""
    peer.emit(b"the.marker", "x")
    return peer.wait_ack(peer.seq)


def counters_after(peer):
    marker(peer)
    state = peer.status()
    check_books(state)
    return state["counters"]


def test_types_outside_the_grammar():
    bus = Bus(store("types"))
    peer = Peer(bus)
    origin = os.urandom(16)
    bad = [b"$commit", b"$x", b"$ack/" + b"0" * 32, b"", b".", b"a.", b".a", b"a..b", b"a b", b"a\n",
           b"a.*", b">", "h\u00e9".encode(), b"\xff", b"x" * 256]
    for n, type_ in enumerate(bad, 1):
        peer.publish(type_, event(origin, n, n))
    counters = counters_after(peer)
    assert counters["bad_type"] == len(bad), counters
    assert refused(peer, origin) == (len(bad), BAD_TYPE)
    peer.publish(b"$x", event(origin, 20, 1), event(origin, 21, 2), b"\xc1 and junk")
    assert counters_after(peer)["bad_type"] == len(bad) + 3
    assert refused(peer, origin) == (21, BAD_TYPE)
    assert [row[0] for row in peer.read_log()] == [b"the.marker"] * 2
    assert {topic for topic, *_ in peer.events} == {b"the.marker"}  # nothing leaked out
    peer.publish(b"x" * 255, event(os.urandom(16), 1, "longest"))
    peer.wait("the longest type", lambda: any(e[0] == b"x" * 255 for e in peer.events))
    peer.close()


def test_messages_of_another_shape():
    bus = Bus(store("shapes"))
    peer = Peer(bus)
    good = event(peer.origin, 0, 1)
    peer.pub.send(b"a.b")
    peer.pub.send_multipart([b"a.b", good, good])
    peer.pub.send_multipart([b"a.b"] * 7)
    counters = counters_after(peer)
    assert counters["bad_frame"] == 3 and counters["stored"] == 1, counters
    peer.publish(b"a.b")  # a body without any event
    assert counters_after(peer)["bad_event"] == 1
    peer.close()


def test_malformed_events():
    bus = Bus(store("malformed"))
    peer = Peer(bus)
    origin = os.urandom(16)
    good = event(origin, 0, 1)

    def fields(**change):
        names = ("v", "origin", "seq", "time", "source", "subject", "cause", "trace", "data")
        made = dict(zip(names, [1, origin, 5, 1, "s", "x", None, None, 1]))
        made.update(change)
        return msgpack.packb(list(made.values()), use_bin_type=True)

    whole = [fields(origin=b"short"), fields(seq=-1), fields(seq="1"), fields(time=-5),
             fields(source=""), fields(source=None), fields(source="a\x07"), fields(subject=5),
             fields(subject="\x7f"), fields(cause=-1), fields(trace=b"x" * 24), fields(more=1),
             fields(seq=1 << 63), msgpack.packb({"a": 1}), b"\xc0", b"\x90", b"\x91\x01",
             fields(source=msgpack.ExtType(5, b"x"))]
    # values that are whole are passed over: what follows them is stored
    peer.publish(b"a.b", *[part for bad in whole for part in (bad, good)])
    counters = counters_after(peer)
    assert counters["bad_event"] == len(whole), (counters, len(whole))
    assert counters["stored"] == len(whole) + 1
    # without an end the rest of the message is one item
    for junk in (b"\xc1", b"\x99\x01", good[:-1], b"\xdd\xff\xff\xff\xff", b"\x91" * 100):
        before = peer.counter("bad_event")
        peer.publish(b"a.b", good, junk)
        assert counters_after(peer)["bad_event"] == before + 1, junk
    assert refused(peer, origin) == (5, BAD_EVENT)
    peer.close()


def test_a_message_of_junk_costs_little():
    bus = Bus(store("junk"))
    peer = Peer(bus)
    good = event(peer.origin, 0, 1)
    peer.publish(b"a.b", b"\xc0" * 63, good)  # up to the limit it is read on
    counters = counters_after(peer)
    assert counters["bad_event"] == 63 and counters["stored"] == 2, counters
    peer.publish(b"a.b", b"\xc0" * 64, good)  # then the rest is one item
    counters = counters_after(peer)
    assert counters["bad_event"] == 63 + 65 and counters["stored"] == 3, counters
    peer.publish(b"a.b", b"\xc0" * 64)  # unless there is none
    assert counters_after(peer)["bad_event"] == 63 + 65 + 64
    peer.publish(b"a.b", b"\xc0" * 1000000)
    counters = counters_after(peer)
    assert counters["bad_event"] == 63 + 65 + 64 + 65, counters
    check_books(peer.status())
    peer.close()


def test_garbage_makes_no_types():
    bus = Bus(store("garbage"))
    peer = Peer(bus)
    for n in range(65536 + 10):  # more than the types there may be
        peer.publish(b"garbage.t%d" % n, b"\xc1")
    counters = counters_after(peer)
    assert counters["bad_event"] == 65536 + 10 and counters["types_full"] == 0, counters
    assert [row[0] for row in peer.read_log()] == [b"the.marker"]
    peer.close()


def test_other_versions_of_the_event():
    bus = Bus(store("versions"))
    peer = Peer(bus)
    peer.publish(b"a.b", event(os.urandom(16), 0, 1, version=2), msgpack.packb([3, {"new": 1}]),
                 event(os.urandom(16), 0, 1))
    counters = counters_after(peer)
    assert counters["bad_version"] == 2 and counters["stored"] == 2
    peer.close()


def test_limits_at_and_one_beyond():
    bus = Bus(store("limits"))
    peer = Peer(bus)
    origin = os.urandom(16)
    empty = len(event(origin, 1, b"x" * 70000)) - 70000
    largest = (256 << 10) - empty
    peer.publish(b"a.b", event(origin, 0, b"x" * largest))
    counters = counters_after(peer)
    assert counters["too_big"] == 0 and counters["stored"] == 2
    peer.publish(b"a.b", event(origin, 1, b"x" * (largest + 1)))
    assert counters_after(peer)["too_big"] == 1
    assert refused(peer, origin) == (1, TOO_BIG)
    peer.publish(b"a.b", event(origin, 0, 1, subject="s" * 1024, source="n" * 255))
    assert counters_after(peer)["too_big"] == 1
    peer.publish(b"a.b", event(origin, 0, 1, subject="s" * 1025),
                 event(origin, 0, 1, source="n" * 256), event(origin, 0, "follows"))
    counters = counters_after(peer)
    assert counters["too_big"] == 3
    assert msgpack.unpackb(peer.read_log()[-2][4])[8] == "follows"
    peer.close()


def test_refused_event_stalls_its_origin_until_it_is_replaced():
    bus = Bus(store("stall"))
    peer = Peer(bus)
    origin = os.urandom(16)
    peer.publish(b"a.b", event(origin, 1, 1))
    peer.publish(b"a b", event(origin, 2, 2))
    peer.publish(b"a.b", event(origin, 3, 3))
    counters = counters_after(peer)
    assert counters["bad_type"] == 1 and counters["gap"] == 1
    assert peer.wait_ack(1, origin)[1] == 1
    welcome = peer.welcome(origin=origin)["origin"]
    assert welcome["last"] == 1 and refused(peer, origin) == (2, BAD_TYPE)
    peer.publish(b"a.b", event(origin, 2, "placeholder"), event(origin, 3, 3))
    assert peer.wait_ack(3, origin)[1] == 3
    peer.close()


def test_batches_of_many_types():
    bus = Bus(store("many"))
    peer = Peer(bus)
    for last in range(600, 3001, 600):  # more types than one batch takes, fewer messages than a queue holds
        for n in range(last - 599, last + 1):
            peer.publish(b"t.n%d" % n, event(peer.origin, n, n))
        peer.wait_ack(last)
        peer.wait("all events", lambda: len(peer.events) == last)
    assert max(len(record["types"]) for record in peer.records) <= 256
    assert [e[1] for e in sorted(peer.events, key=lambda e: e[1])] == list(range(1, 3001))
    assert [row[0] for row in peer.read_log()] == [b"t.n%d" % n for n in range(1, 3001)]
    peer.close()


def test_message_larger_than_a_batch():
    bus = Bus(store("larger"))
    peer = Peer(bus)
    events = [event(peer.origin, n, n) for n in range(1, 10001)]
    peer.publish(b"a.b", *events)
    peer.wait_ack(10000)
    peer.wait("all events", lambda: len(peer.events) == 10000)
    assert [e[4] for e in peer.events] == events
    assert all(record["last"] - record["prev"] <= 4096 for record in peer.records)
    assert [row[4] for row in peer.read_log()] == events
    peer.close()


def test_types_beyond_the_last_one_allowed():
    bus = Bus(store("full"), arguments=["--sync", "normal"])
    peer = Peer(bus, topics=(b"$", b"the."))
    limit = 65536
    origin = os.urandom(16)
    peer.seq = 0
    for n in range(limit - 1):
        peer.publish(b"t.n%d" % n, event(origin, n + 1, None))
        if n % 2000 == 1999:
            peer.wait_ack(n + 1, origin)
    peer.wait_ack(limit - 1, origin)
    marker(peer)  # the.marker is the last type there may be
    peer.publish(b"one.more", event(origin, limit, None))
    peer.publish(b"t.n5", event(origin, limit, None))
    peer.wait_ack(limit, origin)
    counters = counters_after(peer)
    assert counters["types_full"] == 1 and counters["stored"] == limit + 2, counters
    assert refused(peer, origin) == (limit, FULL)
    peer.close()


if __name__ == "__main__":
    main(globals())
