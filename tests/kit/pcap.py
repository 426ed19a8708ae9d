"""Captures of TCP for tests: written from bytes that somebody saw pass, read, and spoiled.

A file is in the classic pcap format, packets are Ethernet, IPv4 and TCP on 127.0.0.1. Checksums are left
zero: Wireshark looks at them only when told to."""

import struct
import threading

HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
HEADERS_BYTES = 14 + 20 + 20
SEGMENT = 1460  # bytes of a packet's payload at most
SYN, ACK = 2, 16


class Stream:
    """One connection: what each side sends, in order."""

    def __init__(self, writer, client_port, server_port):
        self.writer = writer
        self.ports = {"client": (client_port, server_port), "bus": (server_port, client_port)}
        self.sequence = {"client": 1000, "bus": 5000}
        for side in ("client", "bus"):
            self._packet(side, b"", SYN if side == "client" else SYN | ACK)
            self.sequence[side] += 1

    def _packet(self, side, data, flags=ACK):
        other = "bus" if side == "client" else "client"
        tcp = struct.pack(">HHIIBBHHH", *self.ports[side], self.sequence[side],
                          self.sequence[other], 5 << 4, flags, 65535, 0, 0)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(data), 0, 0, 64, 6, 0,
                         b"\x7f\0\0\1", b"\x7f\0\0\1")
        self.writer.packet(b"\0" * 12 + b"\x08\0" + ip + tcp + data)

    def send(self, side, data):
        for at in range(0, len(data), SEGMENT):
            piece = data[at:at + SEGMENT]
            self._packet(side, piece)
            self.sequence[side] += len(piece)


class Writer:
    """Any thread may write."""

    def __init__(self, path):
        self.path, self._lock, self._count = path, threading.RLock(), 0
        self._file = open(path, "wb")  # pylint: disable=consider-using-with
        self._file.write(HEAD)

    def stream(self, server_port):
        with self._lock:
            self._count += 1
            return Stream(self, 40000 + self._count, server_port)

    def packet(self, data):
        with self._lock:
            self._count += 1
            self._file.write(struct.pack("<IIII", self._count // 1000, self._count % 1000 * 1000,
                                         len(data), len(data)) + data)

    def close(self):
        with self._lock:
            self._file.close()


def packets(path):
    """The packets of a file in classic pcap of this machine's byte order: (time, length on the wire,
    what was captured)."""
    with open(path, "rb") as file:
        data = file.read()
    at, found = len(HEAD), []
    while at < len(data):
        seconds, micros, captured, length = struct.unpack_from("<IIII", data, at)
        found.append(((seconds, micros), length, data[at + 16:at + 16 + captured]))
        at += 16 + captured
    return data[:len(HEAD)], found


def write(path, head, found):
    with open(path, "wb") as file:
        file.write(head)
        for (seconds, micros), length, data in found:
            file.write(struct.pack("<IIII", seconds, micros, len(data), length) + data)


def snapped(path, target, size):
    """The same with at most size bytes of each packet."""
    head, found = packets(path)
    write(target, head, [(when, length, data[:size]) for when, length, data in found])


def cut(path, target, size):
    """The first size bytes of the file."""
    with open(path, "rb") as source, open(target, "wb") as file:
        file.write(source.read()[:size])


def garbled(path, target, rng, share):
    """A share of the packets with some bytes of their payload changed, others lost or swapped."""
    head, found = packets(path)
    out = []
    for when, length, data in found:
        data = bytearray(data)
        if len(data) > HEADERS_BYTES + 12 and rng.random() < share:
            for _ in range(rng.choice((1, 1, 2, 8, 64))):
                data[rng.randrange(HEADERS_BYTES + 12, len(data))] = rng.choice(
                    (0, 1, 2, 4, 7, 8, 0x7F, 0x80, 0x90, 0xC1, 0xDD, 0xDF, 0xFF, rng.randrange(256)))
        if rng.random() > share / 10:
            out.append((when, length, bytes(data)))
        if len(out) > 1 and rng.random() < share / 10:
            out[-1], out[-2] = out[-2], out[-1]
    write(target, head, out)
