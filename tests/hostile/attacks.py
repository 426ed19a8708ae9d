"""Peers that mean harm, each a process of its own: attacks.py NAME N CONTROL FANOUT INGEST. Prints "under way"
once the bus has felt it, goes on until it is killed."""
import os
import resource
import socket
import sys
import time

import msgpack
import zmq


def under_way():
    print("under way", flush=True)


def make(kind, endpoint, **options):
    made = zmq.Context.instance().socket(kind)
    made.setsockopt(zmq.LINGER, 0)
    for name, value in options.items():
        made.setsockopt(getattr(zmq, name), value)
    made.connect(endpoint)
    return made


def event(size, seq=0):
    return msgpack.packb([1, b"h" * 16, seq, 1, "hostile", None, None, None, b"x" * size],
                         use_bin_type=True)


def frames(count, control, _, ingest):
    """Wrong numbers of frames, junk of up to 1 MB, frames beyond the limit that cost the connection."""
    dealer, pub = make(zmq.DEALER, control, SNDHWM=64), make(zmq.XPUB, ingest, SNDHWM=64)
    pub.recv()
    shapes = [[b"a.b"], [b"a.b", event(1), event(1)], [b"x"] * 9, [b"a.b", b"\xc0" * 1000000],
              [b"a.b", os.urandom(1000000)], [b"$commit", event(10)], [b"a.b", b"\x91" * 900000]]
    for turn in range(1 << 40):
        shape = shapes[turn % len(shapes)]
        pub.send_multipart(shape)
        try:
            dealer.send_multipart(shape if len(shape[-1]) < 100000 else [b"FETCH", b"\xc1"], zmq.NOBLOCK)
        except zmq.Again:
            pass
        while dealer.poll(0):
            dealer.recv_multipart()
        if turn % 50 == 49:
            make(zmq.PUB, ingest, IMMEDIATE=1).send_multipart([b"a.b", bytes(2 << 20)])
        if turn == count:
            under_way()


def silent(count, *endpoints):
    """Connections that say nothing; whoever is cut comes again."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    addresses = [("127.0.0.1", int(endpoint.rsplit(":", 1)[1])) for endpoint in endpoints]

    def connect(i):
        made = socket.socket()
        made.settimeout(0.5)    # a full backlog counts as refused
        try:
            made.connect(addresses[i % 3])
        except OSError:
            pass
        made.setblocking(False)
        return made

    connections = [connect(i) for i in range(count)]
    under_way()
    while True:
        for i, connection in enumerate(connections):
            try:
                if not connection.recv(1000):
                    raise ConnectionError
            except BlockingIOError:
                continue
            except OSError:
                connection.close()
                connections[i] = connect(i)
        time.sleep(0.2)


def stalled(count, _, fanout, ingest):
    """Subscribers that never read, and a publisher that gives them something to hold."""
    held = [make(zmq.SUB, fanout, RCVHWM=1, SUBSCRIBE=b"", RCVBUF=4096) for _ in range(count)]
    pub = make(zmq.XPUB, ingest, SNDHWM=16)
    pub.recv()
    for turn in range(1 << 40):
        pub.send_multipart([b"load", event(60000)])
        if turn == 2000:
            under_way()
    return held


def fetch(count, control, _, __):
    """Requests for the largest pages, the answers never read."""
    dealers = [make(zmq.DEALER, control, RCVHWM=1, RCVBUF=4096) for _ in range(count)]
    body = msgpack.packb({"id": 1, "position": [None, 0, None], "filters": [">"], "max_events": 65536,
                          "max_bytes": 1 << 20}, use_bin_type=True)
    for turn in range(1 << 40):
        for dealer in dealers:
            try:
                dealer.send_multipart([b"FETCH", body], zmq.NOBLOCK)
            except zmq.Again:
                time.sleep(0.0002)
        if turn == 100:
            under_way()


def topics(count, _, fanout, __):
    """Subscriptions to so many prefixes."""
    sub = make(zmq.XSUB, fanout, SNDHWM=0)
    for i in range(count):
        sub.send(b"\x01hostile.prefix.%d" % i)
    time.sleep(1)
    under_way()
    while True:
        sub.poll(1000)
        while sub.poll(0):
            sub.recv()


if __name__ == "__main__":
    globals()[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:6])
