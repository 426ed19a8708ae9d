#!/usr/bin/env python3
"""The control socket: positions that are refused, pages, requests that make no sense, STATUS."""
import os

import msgpack
import zmq

from bus_client import SLOW, Bus, Peer, check_books, event, main, receive, store

VERSION, OTHER_LOG, LOG_BEHIND, FORKED, GONE = 14, 15, 16, 17, 18
SANITIZED = SLOW > 1  # shadow memory and quarantine are not ours to bound
TOO_BIG, BAD_FILTER, BAD_FIELD, BAD_COMMAND = 13, 11, 35, 36


def filled(name, count=10):
    bus = Bus(store(name))
    peer = Peer(bus)
    for n in range(1, count + 1):
        peer.emit(b"a.odd" if n % 2 else b"b.c.even", n)
    peer.wait_ack(count)
    return bus, peer


def expect_error(answer, code, *words):
    command, body = answer[:2]
    assert command == b"ERROR" and body["code"] == code, (command, body)
    assert body["version"] == 1
    for word in words:
        assert word in body["text"], (word, body)


def test_positions_are_checked_by_hello_and_by_fetch():
    bus, peer = filled("places")
    rows = peer.read_log()
    chains = {position: chain for _, position, _, chain, _ in rows}
    other = os.urandom(16)
    cases = [
        ([bus.log, 4, chains[4]], None, ()),
        ([bus.log, 10, chains[10]], None, ()),
        ([bytes(16), 0, 0], None, ()),
        ([other, 4, chains[4]], OTHER_LOG, (other.hex(), bus.log.hex(), "position 4")),
        ([other, 99, 1], OTHER_LOG, ("position 99",)),
        ([bus.log, 11, 5], LOG_BEHIND, ("position 11", "head 10")),
        ([bus.log, 4, chains[4] ^ 1], FORKED, ("position 4", "%016x" % chains[4])),
        ([bus.log, 0, 1], FORKED, ("position 0",)),
        ([None, 3, None], None, ()),
        ([None, 10, None], None, ()),
        ([None, 11, None], LOG_BEHIND, ("position 11", "head 10")),
    ]
    for place, code, words in cases:
        for answer in (peer.hello(position=place), peer.fetch(place)):
            if code:
                expect_error(answer, code, *words)
            else:
                assert answer[0] in (b"WELCOME", b"PAGE"), (place, answer)
    counters = peer.status()["counters"]
    assert counters["place_refused"] == 12, counters
    assert peer.welcome(position=None)["head"] == 10
    peer.close()


def test_hello_of_another_version_is_refused_by_name():
    bus, peer = filled("version", 1)
    expect_error(peer.hello(version=7), VERSION, "7", "version 1")
    # what another version's HELLO looks like beyond id and version is not our business
    expect_error(peer.ask(b"HELLO", {"version": 2, "unheard": {"of": [1, 2]}}), VERSION, "2")
    assert peer.counter("version_refused") == 2
    assert peer.welcome()["head"] == 1
    _, errors = bus.stop()
    assert errors.count("control.version") == 2, errors
    peer.close()


def test_filters_choose_what_a_page_holds():
    bus, peer = filled("filters")
    for filters, positions in (
            ((">",), range(1, 11)), (("a.odd",), range(1, 11, 2)), (("a.*",), range(1, 11, 2)),
            (("b.>",), range(2, 11, 2)), (("b.*",), ()), (("b.c.*",), range(2, 11, 2)),
            (("*",), ()), (("a",), ()), (("a.o",), ()), (("a.odd", "b.c.even"), range(1, 11))):
        body, rows = peer.page([None, 0, None], filters=filters)
        assert [row[1] for row in rows] == list(positions), (filters, rows)
        assert body["next"] == body["head"] == 10
        assert body["chain"] == peer.welcome()["chain"]
    peer.close()


def test_page_limits_move_the_reader_to_the_last_event():
    bus, peer = filled("pages")
    body, rows = peer.page([None, 0, None], max_events=3)
    assert [row[1] for row in rows] == [1, 2, 3] and body["next"] == 3
    assert body["chain"] == rows[-1][3]
    body, rows = peer.page([bus.log, 3, body["chain"]], filters=("b.>",), max_events=2)
    assert [row[1] for row in rows] == [4, 6] and body["next"] == 6
    body, rows = peer.page([None, 0, None], max_bytes=0)
    assert len(rows) == 1 and body["next"] == 1
    body, rows = peer.page([None, 10, None])
    assert rows == [] and body["next"] == 10
    body, rows = peer.page([None, 0, None], max_events=1 << 60, max_bytes=1 << 60)
    assert len(rows) == 10
    peer.close()


def test_page_is_bounded_and_holds_an_event_of_any_size():
    bus = Bus(store("bounded"))
    peer = Peer(bus)
    for n in range(40):
        peer.emit(b"a.b", b"x" * 20000)
    largest = (256 << 10) - (len(event(peer.origin, 41, b"x" * 70000)) - 70000)
    peer.emit(b"a.b", b"x" * largest)
    peer.wait_ack(41)
    body, frame = peer.fetch([None, 0, None])[1:]
    assert body["count"] == 13 and len(frame) <= 256 << 10, (body, len(frame))
    body, rows = peer.page([None, 40, None])
    assert len(rows[0][4]) == 256 << 10
    assert len(peer.read_log()) == 41
    peer.close()


def test_requests_that_make_no_sense_are_answered_and_counted():
    bus, peer = filled("nonsense", 1)
    place = [None, 0, None]
    whole = {"position": place, "filters": [">"], "max_events": 1, "max_bytes": 1}
    expect_error(peer.ask(b"FETCH", {k: v for k, v in whole.items() if k != "filters"}), BAD_FIELD)
    expect_error(peer.ask(b"FETCH", dict(whole, more=1)), BAD_FIELD)
    expect_error(peer.ask(b"FETCH", dict(whole, position=None)), BAD_FIELD)
    expect_error(peer.ask(b"FETCH", dict(whole, filters=[])), BAD_FIELD)
    expect_error(peer.ask(b"FETCH", dict(whole, filters=["a.**"])), BAD_FILTER)
    expect_error(peer.ask(b"FETCH", dict(whole, filters=[">"] * 257)), TOO_BIG)
    expect_error(peer.ask(b"HELLO", {"version": 1}), BAD_FIELD)
    expect_error(peer.ask(b"STATUS", {"what": 1}), BAD_FIELD)
    expect_error(peer.ask(b"WELCOME", {}), BAD_COMMAND)
    expect_error(peer.ask(b"fetch", whole), BAD_COMMAND)
    assert len(peer.page(place, filters=[">"] * 256)[1]) == 1
    for frames, code in (([b"FETCH", b"junk"], BAD_FIELD), ([b"FETCH"], BAD_COMMAND),
                         ([b"FETCH", b"\x80", b"more"], BAD_COMMAND), ([b"", b""], BAD_COMMAND)):
        peer.control.send_multipart(frames)
        command, body = receive(peer.control)
        body = msgpack.unpackb(body)
        assert command == b"ERROR" and body["id"] == 0 and body["code"] == code, (frames, body)
    assert peer.counter("bad_request") == 14
    peer.close()


def test_oversized_request_cuts_only_its_sender():
    bus, peer = filled("oversized", 1)
    context = zmq.Context()
    rude = context.socket(zmq.DEALER)
    rude.connect(bus.control)
    monitor = rude.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    rude.send_multipart([b"FETCH", b"x" * (1 << 20)])
    receive(monitor)
    rude.disable_monitor()
    context.destroy(linger=0)
    assert peer.welcome()["head"] == 1
    peer.close()


def report(instance, name="svc", filters=("a.b",)):
    return {"name": name, "instance": instance, "software": "test", "position": 1,
            "resume": 1, "outbox": 0,
            "parked": 0, "parked_oldest": 0, "skipped": 0, "applied_catch_up": 0, "applied_live": 1,
            "live": True, "on_error": "park", "database": "",
            "filters": list(filters)}


def test_status_counts_and_lists_the_last_report_of_each_service():
    bus, peer = filled("status", 3)
    one, two = os.urandom(16), os.urandom(16)
    sent = [report(one, "first"), report(two, "other"), report(one, "second")]
    for body in sent:
        peer.control.send_multipart([b"REPORT", msgpack.packb(body, use_bin_type=True)])
    peer.control.send_multipart([b"REPORT", msgpack.packb(dict(sent[0], more=1))])
    deep = []
    for _ in range(25):
        deep = [deep]
    peer.control.send_multipart(  # would be too deep to read within STATE
        [b"REPORT", msgpack.packb(dict(sent[0], filters=deep), use_bin_type=True)])
    state = peer.status()
    assert sorted((s["report"] for s in state["services"]), key=lambda r: r["name"]) == sent[1:]
    assert all(abs(s["seen"] - state["at"]) < 60e6 for s in state["services"])
    counters = state["counters"]
    assert counters["report"] == 5 and counters["bad_request"] == 2
    assert counters["taken"] == counters["stored"] == 3
    assert counters["commits"] >= 1 and counters["records"] >= 1
    peer.wait("the ack to be counted", lambda: peer.counter("acks") >= 1)
    assert state["started"] <= state["at"] and state["head"] == 3 and state["first"] == 0
    assert state["accepting"] is True and state["reason"] == ""
    check_books(state)
    peer.page([None, 0, None])
    counters = peer.status()["counters"]
    assert (counters["fetch"], counters["pages"], counters["events_served"]) == (1, 1, 3)
    peer.close()


def test_many_reports_stay_readable():
    bus, peer = filled("reports", 1)
    for n in range(1100):
        body = report(os.urandom(16), "s%d" % n, ["f%d.x" % i for i in range(60)])
        peer.control.send_multipart([b"REPORT", msgpack.packb(body, use_bin_type=True)])
    state = peer.status()
    names = {s["report"]["name"] for s in state["services"]}
    assert 100 < len(names) <= 1024 and "s1099" in names and "s0" not in names, len(names)
    peer.close()


def test_reader_that_never_reads_costs_the_others_nothing():
    bus = Bus(store("stalled"))
    peer = Peer(bus)
    for n in range(60):
        peer.emit(b"a.b", b"x" * 50000)
    peer.wait_ack(60)
    context = zmq.Context()
    stalled = context.socket(zmq.DEALER)
    stalled.setsockopt(zmq.RCVHWM, 1)
    stalled.setsockopt(zmq.SNDHWM, 0)
    stalled.connect(bus.control)
    for n in range(1600):  # asks for 400 MiB and reads nothing
        stalled.send_multipart([b"FETCH", msgpack.packb(
            {"id": n, "position": [None, 0, None], "filters": [">"], "max_events": 9999,
             "max_bytes": 1 << 18})])
        if n % 100 == 0:
            assert peer.welcome()["head"] == 60
    peer.wait("all to be worked off", lambda: peer.counter("fetch") == 1600, 60)
    with open("/proc/%d/status" % bus.process.pid, encoding="ascii") as f:
        rss = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
    print("%d KiB" % rss)
    assert rss < 200 << 10 or SANITIZED, "%d KiB" % rss
    context.destroy(linger=0)
    peer.close()


if __name__ == "__main__":
    main(globals())
