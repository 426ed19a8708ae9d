#!/usr/bin/env python3
"""Hostile peers against a live bus: an honest publisher goes on being acknowledged, memory stays bounded,
nothing spins. Prints the bus' anonymous memory and the publisher's latency at rest, meanwhile, after.
WEFT_HOSTILE=full: as many as docs/testing.md tells; else fewer."""
import os
import subprocess
import sys
import time

from bus_client import SLOW, Bus, Peer, check_books, main, store, wait_until

FULL = os.environ.get("WEFT_HOSTILE") == "full"
HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 300 if FULL else 60
# how many; the most MiB that the bus may hold beyond what it held at rest (sanitizers need more)
ATTACKS = {"frames": (100, 200), "silent": (10000 if FULL else 600, 250 if FULL else 60),
           "stalled": (8, 250), "fetch": (8, 300), "topics": (100000 if FULL else 20000, 60)}


def memory(bus):
    """Anonymous memory in MiB."""
    with open("/proc/%d/smaps_rollup" % bus.process.pid, encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Anonymous:")) / 1024


def cpu_seconds(bus):
    with open("/proc/%d/stat" % bus.process.pid, encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def latencies(peer, rounds=ROUNDS):
    """(p50, p99) in ms from the send of an event to its acknowledgement, one after the other."""
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        peer.emit(b"honest.event", 1)
        peer.wait_ack(peer.seq)
        took.append((time.perf_counter() - start) * 1000)
        del peer.acks[:], peer.events[:], peer.records[:]
    took.sort()
    return took[len(took) // 2], took[len(took) * 99 // 100]


def share(bus, work):
    """Of one core, that the bus uses while work is done."""
    spent, start = cpu_seconds(bus), time.monotonic()
    work()
    return (cpu_seconds(bus) - spent) / (time.monotonic() - start)


def attack(name, arguments=(), count=None):
    bus = Bus(store(name), arguments=arguments)
    peer = Peer(bus, topics=(b"$ack/", b"$commit"))
    if name == "fetch":
        for _ in range(40):     # pages that are worth asking for
            peer.emit(b"honest.event", b"x" * 200000)
            peer.wait_ack(peer.seq)
    latencies(peer, 20)
    rest, rest_p = memory(bus), latencies(peer)
    attacker = subprocess.Popen(
        [sys.executable, os.path.join(HERE, "attacks.py"), name, str(count or ATTACKS[name][0]),
         bus.control, bus.fanout, bus.ingest], stdout=subprocess.PIPE, text=True)
    try:
        assert attacker.stdout.readline() == "under way\n"
        most, meanwhile_p = 0, latencies(peer, 20)

        def publish():
            nonlocal most, meanwhile_p
            for _ in range(6):
                meanwhile_p = max(meanwhile_p, latencies(peer, ROUNDS // 6), key=lambda p: p[1])
                most = max(most, memory(bus))

        busy = share(bus, publish)
        idle = share(bus, lambda: time.sleep(1))  # nobody honest wants anything: the attack alone
        state = peer.status()
    finally:
        attacker.kill()
        attacker.communicate()
    check_books(peer.status())
    after_p = latencies(peer)
    # cut connections are noticed by heartbeats; what they held is free then
    wait_until("the attacker's connections to be gone", lambda: peer.counter("connections") <= 3, 30)
    after = memory(bus)
    print("| %s | %.0f | %.0f | %.0f | %.2f / %.2f | %.2f / %.2f | %.2f / %.2f | %.0f %% |" % (
        name, rest, most, after, *rest_p, *meanwhile_p, *after_p, busy * 100), flush=True)
    peer.close()
    status, errors = bus.stop()
    assert status == 0, errors
    return most - rest, idle, state["counters"]


def check(name):
    grown, _, _ = attack(name)
    assert SLOW > 1 or grown < ATTACKS[name][1], "%s: %d MiB more" % (name, grown)


def test_table_head():
    print("| attack | MiB at rest | under attack | after | ms p50 / p99 at rest | under attack | after | CPU |\n"
          "|---|---|---|---|---|---|---|---|")


def test_wrong_and_huge_frames():
    check("frames")


def test_connections_that_say_nothing():
    check("silent")


def test_connections_beyond_the_cap_are_refused_without_spinning():
    _, idle, counters = attack("silent", ("--connections", "60"), 600)
    # Those of the moment that it has not refused yet come on top; without a cap there would be 1,800.
    assert counters["connections_refused"] > 0 and counters["connections"] <= 3 * 60 + 300, counters
    assert idle < 0.5, idle  # a loop that spins uses a core


def test_subscribers_that_never_read():
    check("stalled")


def test_a_flood_of_requests():
    check("fetch")


def test_subscriptions_to_many_prefixes():
    grown, _, counters = attack("topics")
    assert counters["topics_cut"] > 0, counters
    assert SLOW > 1 or grown < ATTACKS["topics"][1], grown


main(globals())
