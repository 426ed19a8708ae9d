#!/usr/bin/env python3
"""No leak and no bad access over a start, some work and a stop of the bus, as valgrind sees it."""
import os
import shutil
import subprocess
import sys

from bus_client import BUS, SCRATCH, SLOW, Peer, event, store, wait_until


class Started:
    """What a Peer needs to know of a bus."""

    def __init__(self, line):
        ready = dict(word.split("=", 1) for word in line.split()[1:])
        self.control, self.fanout, self.ingest = (ready[k] for k in ("control", "fanout", "ingest"))


def work(peer):
    for seq in range(1, 501):
        peer.emit(b"work.%d" % (seq % 3), {"n": seq}, subject="s/%d" % seq)
    peer.wait_ack(500, peer.origin)
    peer.publish(b"work.1", event(peer.origin, 3))          # a double
    peer.publish(b"work.1", event(peer.origin, 900))        # a gap
    peer.publish(b"$commit", event(peer.origin, 501))       # refused
    peer.publish(b"work.1", b"\xff\xff")                    # malformed
    peer.pub.send_multipart([b"one frame"])
    peer.emit(b"work.big", b"x" * 100_000)                  # comes by catch-up alone
    peer.wait_ack(501, peer.origin)
    assert len(peer.read_log()) == 501
    assert len(peer.read_log(filters=("work.1",))) == 167
    peer.hello(version=9)
    peer.ask(b"NONSENSE", {})
    peer.status()


def main():
    valgrind = shutil.which("valgrind")
    if SLOW != 1 or not valgrind:
        print("skipped: " + ("sanitizers look for the same" if valgrind else "no valgrind here"))
        sys.exit(77)
    log = os.path.join(SCRATCH, "valgrind.log")
    bus = subprocess.Popen(
        [valgrind, "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible",
         "--error-exitcode=99", "--log-file=" + log, BUS, "--endpoint", "tcp://127.0.0.1:0", "--store",
         store("valgrind")], stdout=subprocess.PIPE, text=True)
    try:
        line = wait_until("the ready line", bus.stdout.readline, 60)
        peer = Peer(Started(line))
        work(peer)
        peer.close()
        bus.terminate()
        status = bus.wait(60)
    finally:
        bus.kill()
    with open(log, encoding="utf-8") as text:
        report = text.read()
    print(report[-2000:])
    assert status == 0, status
    assert "ERROR SUMMARY: 0 errors" in report
    assert "definitely lost: 0 bytes" in report or "no leaks are possible" in report


main()
