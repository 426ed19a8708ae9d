#!/usr/bin/env python3
"""The way of an event through the bus: publish, commit, fan-out, record, ack, catch-up."""
import os

import msgpack
import zmq

from bus_client import (Bus, Peer, chain_after, check_books, event, main, origin_chain_after, receive,
                        row_checksum, store, MASK)


def test_event_is_stored_published_recorded_and_acked():
    bus = Bus(store("flow"))
    peer = Peer(bus)
    sent = [peer.emit(b"post.created", {"title": "one"}, subject="post/1"),
            peer.emit(b"comment.created", [1, 2, 3])]
    ack = peer.wait_ack(2)
    peer.wait("the record", lambda: peer.records and peer.records[-1]["last"] == 2)
    assert [e[4] for e in peer.events] == sent, "bytes came back changed"
    assert [e[0] for e in peer.events] == [b"post.created", b"comment.created"]
    chain = origin_chain = 0
    sums = {}
    for type_, position, stored_us, row_chain, raw in peer.events:
        checksum = row_checksum(position, stored_us, type_, raw)
        chain = chain_after(chain, checksum)
        assert chain == row_chain
        origin_chain = origin_chain_after(origin_chain, type_, raw)
        sums[type_.decode()] = (sums.get(type_.decode(), 0) + checksum) & MASK
    assert ack[1:] == (2, 2, origin_chain)
    told = {}
    for record in peer.records:
        assert record["log"] == bus.log
        for type_, (count, total) in record["types"].items():
            told[type_] = (told.get(type_, 0) + total) & MASK
            assert count == 1
    assert told == sums
    assert peer.records[-1]["chain"] == chain
    welcome = peer.welcome(origin=peer.origin)
    assert welcome["head"] == 2 and welcome["chain"] == chain and welcome["accepting"]
    assert welcome["origin"] == {"last": 2, "position": 2, "chain": origin_chain,
                                 "refused_seq": 0, "refused_code": 0}
    assert welcome["limits"]["event_bytes"] == 256 << 10
    assert welcome["boot"] == peer.records[-1]["boot"] and welcome["reason"] == ""
    assert [row[4] for row in peer.read_log()] == sent
    peer.close()


def test_fanout_order_is_events_record_ack():
    bus = Bus(store("order"))
    peer = Peer(bus)
    peer.emit(b"a.b", 1)
    seen = []
    while not seen or seen[-1] != "ack":
        topic, body = receive(peer.sub)
        if topic == b"a.b":
            seen.append("event")
        elif topic == b"$commit" and msgpack.unpackb(body)["types"]:
            seen.append("record")
        elif topic.startswith(b"$ack/"):
            seen.append("ack")
    assert seen == ["event", "record", "ack"], seen
    peer.close()


def test_group_is_stored_in_order():
    bus = Bus(store("group"))
    peer = Peer(bus)
    sent = [event(peer.origin, n, {"n": n, "pad": "x" * 100}) for n in range(1, 6001)]
    for at in range(0, len(sent), 100):
        peer.publish(b"many.things", *sent[at:at + 100])
    peer.wait_ack(len(sent))
    peer.wait("all events", lambda: len(peer.events) == len(sent))
    assert [e[4] for e in peer.events] == sent
    last = 0
    for record in peer.records:  # no record leaves anything out
        assert record["prev"] == last
        last = record["last"]
    assert last == len(sent)
    counters = peer.status()["counters"]
    assert counters["commits"] < 100, counters  # many events a commit
    assert [row[4] for row in peer.read_log()] == sent
    peer.close()


def test_duplicates_and_gaps_are_dropped_and_acked_from_the_old_state():
    bus = Bus(store("duplicates"))
    peer = Peer(bus)
    batch = [event(peer.origin, n, n) for n in (1, 2, 3)]
    peer.publish(b"a.b", *batch)
    first = peer.wait_ack(3)
    peer.acks.clear()
    records = peer.counter("records")
    peer.publish(b"a.b", *batch)  # the ack was lost, say
    assert peer.wait_ack(3) == first
    peer.acks.clear()
    peer.publish(b"a.b", event(peer.origin, 6, 6))  # 4 and 5 are missing
    assert peer.wait_ack(3) == first
    state = peer.status()
    assert state["counters"]["duplicate"] == 3 and state["counters"]["gap"] == 1
    assert state["head"] == 3 and state["counters"]["commits"] == 1
    peer.acks.clear()
    peer.publish(b"a.b", event(peer.origin, 3, 3), event(peer.origin, 4, 4), event(peer.origin, 4, 4),
                 event(peer.origin, 6, 6), event(peer.origin, 5, 5))  # event by event, in a group too
    assert peer.wait_ack(5)[1:3] == (5, 5)
    state = peer.status()
    assert state["counters"]["duplicate"] == 5 and state["counters"]["gap"] == 2
    check_books(state)
    assert records >= 1
    peer.close()


def test_origin_without_history_gets_no_ack_for_a_gap():
    bus = Bus(store("noack"))
    peer = Peer(bus)
    stranger = os.urandom(16)
    peer.publish(b"a.b", event(stranger, 5, 5))
    peer.emit(b"a.b", 1)
    peer.wait_ack(1)
    assert all(ack[0] != stranger.hex() for ack in peer.acks), peer.acks
    assert peer.counter("gap") == 1
    peer.close()


def test_fire_and_forget_is_stored_without_ack():
    bus = Bus(store("forget"))
    peer = Peer(bus)
    for n in range(3):
        peer.publish(b"a.b", event(peer.origin, 0, n))
    peer.wait("three events", lambda: len(peer.events) == 3)
    peer.emit(b"a.b", "marker")
    assert peer.wait_ack(1)[2] == 4
    assert len(peer.acks) == 1 and peer.status()["head"] == 4
    peer.close()


def test_plain_pub_reaches_the_log():
    bus = Bus(store("plain"))
    peer = Peer(bus)
    context = zmq.Context()
    pub = context.socket(zmq.PUB)
    pub.connect(bus.ingest)
    monitor = pub.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    receive(monitor)
    # a PUB cannot tell when the subscription is there: send until the first one is stored
    while not peer.events:
        pub.send_multipart([b"stock.tool", event(os.urandom(16), 0, "hi")])
        if peer.sub.poll(20):
            peer.pump()
    assert peer.events[0][0] == b"stock.tool"
    pub.disable_monitor()
    context.destroy(linger=0)
    peer.close()


def test_big_event_is_counted_but_not_fanned_out():
    bus = Bus(store("big"))
    peer = Peer(bus)
    small = peer.emit(b"a.small", "before")
    big = peer.emit(b"a.big", b"x" * (100 << 10))
    after = peer.emit(b"a.big", "after")
    peer.wait_ack(3)
    peer.wait("the record", lambda: peer.records and peer.records[-1]["last"] == 3)
    assert [e[4] for e in peer.events] == [small, after]
    count = sum(record["types"].get("a.big", [0])[0] for record in peer.records)
    assert count == 2
    assert [row[4] for row in peer.read_log()] == [small, big, after]
    peer.close()


def test_live_limit_to_the_byte():
    bus = Bus(store("limit"))
    peer = Peer(bus)
    live_max, stamp = 64 << 10, 28
    empty = len(event(peer.origin, 1, b"x" * 1000)) - 1000
    fits = peer.emit(b"a.b", b"x" * (live_max - stamp - empty))
    assert len(fits) + stamp == live_max
    peer.emit(b"a.b", b"x" * (live_max - stamp - empty + 1))
    peer.emit(b"a.b", "marker")
    peer.wait_ack(3)
    peer.wait("the marker", lambda: len(peer.events) >= 2)
    assert [e[1] for e in peer.events] == [1, 3]
    peer.close()


def test_heartbeat_comes_when_idle():
    bus = Bus(store("heart"))
    peer = Peer(bus)
    peer.emit(b"a.b", 1)
    peer.wait_ack(1)
    peer.records.clear()
    peer.wait("two heartbeats", lambda: len(peer.records) >= 2)
    for record in peer.records:
        assert record["prev"] == record["last"] == 1 and record["types"] == {}
        assert record["prev_chain"] == record["chain"]
    peer.close()


def test_stored_time_never_goes_back():
    bus = Bus(store("time"))
    peer = Peer(bus)
    for n in range(200):
        peer.emit(b"a.b", n)
    peer.wait_ack(200)
    times = [row[2] for row in peer.read_log()]
    assert times == sorted(times)
    peer.close()


def test_ipc_endpoint_serves_all_three():
    path = "ipc://" + store("bus.sock")
    bus = Bus(store("ipc"), endpoint=path)
    assert (bus.control, bus.fanout, bus.ingest) == (path, path + ".fan", path + ".in")
    peer = Peer(bus)
    peer.emit(b"a.b", 1)
    peer.wait_ack(1)
    welcome = peer.welcome()
    assert (welcome["fanout"], welcome["ingest"]) == (bus.fanout, bus.ingest)
    assert len(peer.read_log()) == 1
    peer.close()


if __name__ == "__main__":
    main(globals())
