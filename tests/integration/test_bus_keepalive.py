#!/usr/bin/env python3
"""C4: on each connection of the bus the kernel asks a silent peer whether it is there; who connects and
never greets is let go. Spoken by hand over TCP, since a ZeroMQ client would answer by itself."""
import socket
import time

from bus_client import SLOW, Bus, main, store, wait_until

GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + b"\x00" + bytes(31)
KEEPALIVE = 2     # of the timers in /proc/net/tcp
TICKS_A_SECOND = 100


def connections(bus):
    return [socket.create_connection(("127.0.0.1", int(endpoint.rsplit(":", 1)[1])))
            for endpoint in (bus.control, bus.fanout, bus.ingest)]


def timer(sock):
    """(kind, seconds) of the timer that runs on the other end of the connection."""
    ports = ":%04X" % sock.getpeername()[1], ":%04X" % sock.getsockname()[1]
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(path, encoding="ascii") as file:
            for fields in map(str.split, file):
                if fields[1].endswith(ports[0]) and fields[2].endswith(ports[1]):
                    kind, ticks = fields[5].split(":")
                    return int(kind, 16), int(ticks, 16) / TICKS_A_SECOND
    return None


def test_silent_peers_are_asked_by_the_kernel():
    bus = Bus(store("silent"))
    for sock in connections(bus):
        sock.sendall(GREETING)
        sock.settimeout(10 * SLOW)
        assert sock.recv(1)

        def keepalive(sock=sock):
            kind, seconds = timer(sock) or (0, 0)  # asked once: the next look may find another one
            return kind == KEEPALIVE and [seconds]
        seconds, = wait_until("a keepalive timer", keepalive)
        assert seconds <= 2.5, seconds
    bus.stop()


def test_who_never_greets_is_let_go():
    bus = Bus(store("greeting"))
    begun = time.monotonic()
    for sock in connections(bus):
        sock.settimeout(20 * SLOW)
        while sock.recv(1000):    # the bus' own greeting, then the end
            pass
    assert time.monotonic() - begun < 15 * SLOW
    bus.stop()


if __name__ == "__main__":
    main(globals())
