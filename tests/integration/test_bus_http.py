#!/usr/bin/env python3
"""/metrics, /healthz and /readyz of a bus: its figures are those that STATUS tells, whoever asks stands in
nobody's way, and a bus in trouble says so."""
import json
import sqlite3
import subprocess
import threading

import msgpack

import metrics
import threads
from bus_client import BUS, SLOW, Bus, Peer, event, main, store, wait_until

HTTP = ["--http", "127.0.0.1:0"]


def report(name, instance, position, **more):
    return msgpack.packb({"name": name, "instance": instance, "software": "0", "position": position,
                          "resume": position, "outbox": 0, "parked": 0, "parked_oldest": 0,
                          "skipped": 0, "applied_catch_up": 0, "applied_live": 0, "live": True,
                          "on_error": "park", "database": "", "filters": [">"], **more},
                         use_bin_type=True)


def ready(address):
    status, _, body = metrics.get(address, "/readyz")
    return status, json.loads(body)


def test_figures_are_those_of_status():
    bus = Bus(store("figures"), arguments=HTTP)
    address = bus.ready["http"]
    peer = Peer(bus)
    for _ in range(3):
        peer.emit(b"a.b", "x")
    peer.emit(b"a.big", "x" * 100000)
    peer.publish(b"a.b", event(peer.origin, 1), event(peer.origin, 9))
    peer.publish(b"$no", event(peer.origin, 5))
    peer.wait_ack(4)
    peer.hello(version=99)
    peer.ask(b"WHAT", {})
    peer.page([None, 0, None])
    counters = wait_until("all is counted", lambda: (
        lambda c: c["taken"] == 7 and c)(peer.status()["counters"]))
    seen = metrics.scrape(address)
    for at, reasons in {
            "ingest": {"duplicate": "duplicate", "gap": "gap", "bad_type": "bad_type"},
            "fanout": {"too_big_for_live": "live_skipped"},
            "control": {"bad_version": "version_refused", "bad_request": "bad_request"}}.items():
        for reason, counter in reasons.items():
            value = seen.value("weft_bus_drops_total", at=at, reason=reason)
            assert value == counters[counter] == 1, (at, reason, value, counters[counter])
    assert seen.value("weft_bus_taken_events_total") == 7
    assert seen.value("weft_bus_stored_events_total") == 4 == seen.value("weft_bus_head_position")
    ingest = sum(value for (name, labels), value in seen.samples.items()
                 if name == "weft_bus_drops_total" and ("at", "ingest") in labels)
    assert ingest == 3
    assert seen.value("weft_bus_batch_events_sum") == 4
    assert seen.value("weft_bus_batch_events_count") == counters["commits"]
    assert seen.value("weft_bus_commit_seconds_count") == counters["commits"]
    assert 0 < seen.value("weft_bus_commit_seconds_sum") < 60 * SLOW
    assert seen.value("weft_bus_served_events_total") == 4
    assert seen.value("weft_bus_connections") >= 3
    assert seen.value("weft_bus_wal_bytes") > 100000
    assert seen.value("weft_bus_store_bytes", file="log.db-wal") > 100000
    assert seen.value("weft_bus_disk_free_bytes") > 0
    assert seen.value("process_resident_memory_bytes") > 1 << 20
    assert 10 < seen.value("process_open_fds") < 1000
    assert seen.value("weft_bus_info", boot="%016x" % peer.status()["boot"], log=bus.log.hex()) == 1
    assert ready(address) == (200, {"ready": True, "reason": "", "head": 4, "first": 0})
    if metrics.has_promtool():
        assert metrics.promtool("check", "metrics", text=seen.text) is None
    peer.close()


def test_services_are_told_by_name_the_last_report_counts():
    bus = Bus(store("services"), arguments=HTTP)
    peer = Peer(bus)
    for _ in range(5):
        peer.emit(b"a.b")
    peer.wait_ack(5)
    names = ["plain", 'quote" and \\ and ü']
    for body in (report("plain", b"1" * 16, 1), report("plain", b"2" * 16, 3, parked=7, outbox=2,
                                                       parked_oldest=1, applied_live=11, live=False),
                 report(names[1], b"3" * 16, 5)):
        peer.control.send_multipart([b"REPORT", body])
    peer.welcome()  # in order: all reports have been taken
    seen = metrics.scrape(bus.ready["http"])
    assert seen.value("weft_bus_services") == 2

    def of(figure, **labels):
        return seen.value("weft_bus_service_" + figure, service="plain", **labels)
    assert (of("position"), of("lag_events"), of("parked_events"), of("outbox_events"),
            of("live")) == (3, 2, 7, 2, 0)
    assert of("applied_events_total", by="live") == 11
    assert 0 < of("lag_seconds") < 60 * SLOW and 0 <= of("seen_age_seconds") < 60 * SLOW
    assert of("parked_oldest_age_seconds") > 1e9
    escaped = 'quote\\" and \\\\ and ü'
    assert seen.value("weft_bus_service_lag_seconds", service=escaped) == 0
    if metrics.has_promtool():
        assert metrics.promtool("check", "metrics", text=seen.text) is None
    peer.close()


def test_a_bus_that_takes_no_events_is_not_ready_and_says_why():
    bus = Bus(store("locked"), arguments=HTTP)
    address = bus.ready["http"]
    peer = Peer(bus)
    other = sqlite3.connect(store("locked") + "/log.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    peer.emit(b"a.b")
    wait_until("the bus is not ready", lambda: ready(address)[0] == 503)
    status, body = ready(address)
    assert not body["ready"] and "lock" in body["reason"], body
    seen = wait_until("it accepts nothing", lambda: (
        lambda scrape: scrape.value("weft_bus_accepting") == 0 and scrape)(metrics.scrape(address)))
    assert seen.value("weft_bus_trouble", reason="locked") == 1
    assert seen.value("weft_bus_trouble", reason="full") == 0
    assert metrics.get(address, "/healthz")[0] == 200  # a restart would mend nothing
    other.execute("ROLLBACK")
    wait_until("the bus is ready again", lambda: ready(address)[0] == 200)
    peer.emit(b"a.b")  # the first one was dropped, the publisher's own code would send it again
    peer.publish(b"a.b", event(peer.origin, 1), event(peer.origin, 2))
    peer.wait_ack(2)
    wait_until("it accepts", lambda: metrics.scrape(address).value("weft_bus_accepting") == 1)
    peer.close()


def test_a_loop_that_stands_still_is_told_by_the_others():
    if not threads.may_stop():
        print("  skipped: may not ptrace", flush=True)
        return
    bus = Bus(store("stuck"), arguments=HTTP)
    address, pid = bus.ready["http"], bus.process.pid
    for name, thread in (("bus", pid), ("control", threads.named(pid, "weft-control"))):
        assert metrics.get(address, "/healthz")[0] == 200
        with threads.stopped(thread):
            status, _, body = wait_until(f"the {name} loop is missed", lambda: (
                lambda answer: answer[0] == 503 and answer)(metrics.get(address, "/healthz")), 30)
            assert json.loads(body) == {"alive": False, "stuck": name}, body
            status, told = ready(address)
            assert status == 503 and name in told["reason"], told
            wait_until("the age of the loop", lambda: metrics.scrape(address).value(
                "weft_bus_loop_age_seconds", loop=name) > 10)
        wait_until("it goes round again", lambda: metrics.get(address, "/healthz")[0] == 200)


def test_many_who_ask_hold_up_no_commit():
    bus = Bus(store("many"), arguments=HTTP)
    address, over = bus.ready["http"], threading.Event()
    counts = [0] * 4

    def ask(index):
        while not over.is_set():
            metrics.scrape(address)
            counts[index] += 1
    askers = [threading.Thread(target=ask, args=(index,)) for index in range(len(counts))]
    for asker in askers:
        asker.start()
    peer = Peer(bus)
    try:
        wait_until("they ask", lambda: sum(counts) > 20, 30)
        for _ in range(200):
            peer.emit(b"a.b", "x")
            peer.wait_ack(peer.seq)
    finally:
        over.set()
        for asker in askers:
            asker.join()
    wait_until("all are counted", lambda: metrics.scrape(address).value(
        "weft_bus_stored_events_total") == 200)
    peer.close()


def test_wrong_addresses_are_refused_before_the_store_is_made():
    for value, word in (("nowhere", "HOST:PORT"), ("127.0.0.1:70000", "HOST:PORT"),
                        ("0.0.0.0:0", "--bind-any"), ("10.1.2.3:7680", "--bind-any")):
        done = subprocess.run([BUS, "--store", store("wrong"), "--http", value], capture_output=True,
                              text=True, timeout=20 * SLOW, check=False)
        assert done.returncode == 2 and word in done.stderr, done
        assert len(done.stderr.splitlines()) == 1, done.stderr
    bus = Bus(store("first"), arguments=HTTP)
    done = subprocess.run([BUS, "--store", store("second"), "--endpoint", "ipc://" + store("second.sock"),
                           "--http", bus.ready["http"]], capture_output=True, text=True,
                          timeout=20 * SLOW, check=False)
    assert done.returncode == 1 and "http.listen" in done.stderr, done
    assert "in use" in done.stderr, done.stderr


def test_it_serves_nothing_else_and_ends_with_the_bus():
    bus = Bus(store("end"), arguments=HTTP)
    assert metrics.get(bus.ready["http"], "/")[0] == 404
    assert bus.stop()[0] == 0


if __name__ == "__main__":
    main(globals())
