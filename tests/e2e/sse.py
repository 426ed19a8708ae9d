"""Readers of server-sent events for tests: many at once, on one thread."""

import json
import re
import select
import socket
import time
import zlib

from process import SLOW, Failure, check


class Stream:
    """One client. It speaks HTTP/1.0, so what comes is the events alone, without chunks."""

    def __init__(self, address, path="/events/stream", headers=None, buffer=None):
        host, port = address.rsplit(":", 1)
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.connect((host, int(port)))
        lines = [f"GET {path} HTTP/1.0"] + [f"{k}: {v}" for k, v in (headers or {}).items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.socket.setblocking(False)
        self.head, self.size, self.crc, self.ended = b"", 0, 0, False
        self.body = bytearray()  # of many megabytes in some tests

    def begun(self):
        return b"\r\n\r\n" in self.head

    def status(self):
        return int(self.head.split(b" ", 2)[1])

    def read(self, keep=True):
        """Take what is there. keep: the text, too, not its checksum alone."""
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            self.ended = True
            return
        if not self.begun():
            self.head += data
            if not self.begun():
                return
            self.head, data = self.head.split(b"\r\n\r\n", 1)
            self.head += b"\r\n\r\n"
        data = data.replace(b":\n\n", b"")  # says that the server lives, also between events
        self.size += len(data)
        self.crc = zlib.crc32(data, self.crc)
        if keep:
            self.body += data

    def events(self):
        """[(id, envelope)] of all whole events."""
        return [(int(number), json.loads(data)) for number, data in
                re.findall(rb"id: (\d+)\ndata: (.*)\n\n", self.body)]

    def wait(self, what, done, seconds=20.0):
        end = time.monotonic() + seconds * SLOW
        while not done(self):
            if time.monotonic() > end or self.ended:
                raise Failure(f"not in time: {what}; {self.head!r} … {self.body[-300:]!r}")
            poller = select.poll()
            poller.register(self.socket, select.POLLIN)
            poller.poll(100)
            self.read()
        return self

    def close(self):
        self.socket.close()


def opened(address, path="/events/stream", **headers):
    """A stream whose answer has begun, with 200."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    stream = Stream(address, path, headers)
    stream.wait("the stream begins", Stream.begun)
    check(stream.status(), 200, f"{path} {headers}: {stream.head!r}")
    return stream


def read_all(streams, done, seconds):
    """Read all streams until done(); by epoll, for thousands of them."""
    poller, by_fd = select.epoll(), {}
    for stream in streams:
        by_fd[stream.socket.fileno()] = stream
        poller.register(stream.socket.fileno(), select.EPOLLIN)
    end = time.monotonic() + seconds * SLOW
    while not done():
        if time.monotonic() > end:
            raise Failure(f"not in time: streams have {sorted(s.size for s in streams)[:5]} bytes …")
        for fd, _ in poller.poll(0.1):
            by_fd[fd].read(keep=False)
            if by_fd[fd].ended:
                poller.unregister(fd)
    poller.close()
