"""C4: each socket of the bus pings a peer that says nothing, and lets go of it if it stays silent. Spoken
by hand over TCP, since a ZeroMQ client would answer by itself."""
import socket
import struct
import time

from bus_client import SLOW, Bus, main, store

SIGNATURE = b"\xff" + bytes(8) + b"\x7f"
GREETING = SIGNATURE + b"\x03\x00" + b"NULL".ljust(20, b"\0") + b"\x00" + bytes(31)


def exact(sock, size):
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def frame(sock):
    """(flags, body) of the next ZMTP frame."""
    flags = exact(sock, 1)[0]
    size = struct.unpack(">Q", exact(sock, 8))[0] if flags & 2 else exact(sock, 1)[0]
    return flags, exact(sock, size)


def shake_hands(endpoint, kind):
    host, port = endpoint[len("tcp://"):].rsplit(":", 1)
    sock = socket.create_connection((host, int(port)))
    sock.settimeout(20 * SLOW)
    sock.sendall(GREETING)
    exact(sock, len(GREETING))
    ready = b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
    sock.sendall(bytes([4, len(ready)]) + ready)
    flags, body = frame(sock)
    assert flags == 4 and body.startswith(b"\x05READY"), (flags, body)
    return sock


def test_silent_peers_are_pinged_and_let_go():
    bus = Bus(store("silent"))
    socks = [shake_hands(bus.control, b"DEALER"), shake_hands(bus.fanout, b"SUB"),
             shake_hands(bus.ingest, b"PUB")]
    begun = time.monotonic()
    for sock in socks:
        pings = 0
        try:
            while True:
                flags, body = frame(sock)
                pings += flags == 4 and body.startswith(b"\x04PING")
        except (EOFError, ConnectionResetError):
            pass
        assert pings >= 1
    assert time.monotonic() - begun < 15 * SLOW
    bus.stop()


if __name__ == "__main__":
    main(globals())
