"""A client of weft-bus that shares no code with it: checksums, chains and messages as the protocol
describes them, on pyzmq, msgpack and xxhash. And the few helpers that the bus' tests need."""
import os
import random
import select
import signal
import struct
import subprocess
import sys
import time
import traceback

import msgpack
import xxhash
import zmq

from process import SLOW, wait_until  # pylint: disable=unused-import

SCRATCH = os.environ["WEFT_TEST_DIR"]
BUS = os.path.join(os.environ["WEFT_BIN_DIR"], "weft-bus")
MASK = (1 << 64) - 1
BYTES = struct.Struct("<Q")


# ---- checksums

def xxh(data):
    return xxhash.xxh3_64_intdigest(data)


def words(*numbers):
    return b"".join(BYTES.pack(n) for n in numbers)


def row_checksum(position, stored_us, type_, event):
    return xxh(words(position, stored_us, xxh(type_), xxh(event)))


def chain_after(chain, checksum):
    return xxh(words(chain, checksum))


def origin_chain_after(chain, type_, event):
    return xxh(words(chain, xxh(type_), xxh(event)))


# ---- bytes

def event(origin, seq, data=None, subject=None, source="python", version=1, time_us=1234567,
          cause=None, trace=None):
    return msgpack.packb([version, origin, seq, time_us, source, subject, cause, trace, data],
                         use_bin_type=True)


def values(data):
    """The msgpack values of a run, each as (value, its bytes)."""
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=1 << 26)
    unpacker.feed(data)
    at = 0
    for value in unpacker:
        yield value, data[at:unpacker.tell()]
        at = unpacker.tell()


def stamped(body):
    """[(position, stored_us, chain, event bytes)] of a fan-out body."""
    all_values = list(values(body))
    assert len(all_values) % 2 == 0, all_values
    return [(*stamp, raw) for (stamp, _), (_, raw) in zip(all_values[::2], all_values[1::2])]


# ---- waiting

def receive(socket, seconds=20):
    if not socket.poll(int(seconds * SLOW * 1000)):
        raise AssertionError("no message within %s s" % (seconds * SLOW))
    return socket.recv_multipart()


# ---- the bus as a process

class Bus:
    """A weft-bus of its own. Killed at the end, whatever happens."""

    alive = []

    def __init__(self, store, endpoint="tcp://127.0.0.1:0", arguments=(), ready=True):
        self.process = subprocess.Popen(
            [BUS, "--endpoint", endpoint, "--store", store, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        Bus.alive.append(self)
        if ready:
            if not select.select([self.process.stdout], [], [], 20 * SLOW)[0]:
                raise AssertionError("no ready line")
            line = self.process.stdout.readline()
            assert line.startswith("ready "), (line, self.process.stderr.read())
            self.ready = dict(word.split("=", 1) for word in line.split()[1:])
            self.control, self.fanout, self.ingest = (
                self.ready[key] for key in ("control", "fanout", "ingest"))
            self.log = bytes.fromhex(self.ready["log"])

    def stop(self, number=signal.SIGTERM):
        """(exit status, stderr)"""
        self.process.send_signal(number)
        return self.end()

    def end(self):
        _, errors = self.process.communicate(timeout=20 * SLOW)
        Bus.alive.remove(self)
        return self.process.returncode, errors

    @staticmethod
    def kill_all():
        for bus in list(Bus.alive):
            bus.process.kill()
            bus.process.communicate()
        Bus.alive.clear()


# ---- a peer of it

class Peer:
    """Publisher, subscriber and control client in one."""

    def __init__(self, bus, topics=(b"",)):
        self.context = zmq.Context()
        self.control = self._socket(zmq.DEALER)
        self.sub = self._socket(zmq.SUB)
        self.pub = self._socket(zmq.XPUB)
        self.pub.setsockopt(zmq.SNDHWM, 0)
        self.sub.setsockopt(zmq.RCVHWM, 0)
        self.control.connect(bus.control)
        for topic in topics:
            self.sub.setsockopt(zmq.SUBSCRIBE, topic)
        self.sub.connect(bus.fanout)
        self.pub.connect(bus.ingest)
        assert receive(self.pub) == [b"\x01"]  # I1: the bus wants everything
        self.origin = os.urandom(16)
        self.seq = 0
        receive(self.sub)  # a heartbeat, or more: the subscription has arrived
        self.records, self.acks, self.events = [], [], []

    def _socket(self, kind):
        socket = self.context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        return socket

    def close(self):
        self.context.destroy(linger=0)

    # publishing

    def publish(self, type_, *events):
        self.pub.send_multipart([type_, b"".join(events)])

    def emit(self, type_, data=None, **more):
        """The next event of this peer's own origin, published. Its bytes are returned."""
        self.seq += 1
        made = event(self.origin, self.seq, data, **more)
        self.publish(type_, made)
        return made

    # listening

    def pump(self, seconds=10):
        """Sort one message into records, acks and events."""
        topic, body = receive(self.sub, seconds)
        if topic == b"$commit":
            self.records.append(msgpack.unpackb(body, raw=False))
        elif topic.startswith(b"$ack/"):
            self.acks.append((topic[5:].decode(), *msgpack.unpackb(body)))
        else:
            self.events += [(topic, *row) for row in stamped(body)]

    def wait(self, what, condition, seconds=10):
        end = time.monotonic() + seconds * SLOW
        while True:
            value = condition()
            if value:
                return value
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError("waited in vain for %s; records %r acks %r" %
                                     (what, self.records[-3:], self.acks[-3:]))
            if self.sub.poll(int(left * 1000)):
                self.pump()

    def wait_ack(self, seq, origin=None):
        hex_ = (origin or self.origin).hex()
        return self.wait("ack %d" % seq, lambda: next(
            (ack for ack in self.acks if ack[0] == hex_ and ack[1] >= seq), None))

    # asking

    def ask(self, command, body, seconds=10):
        """(command, body, page frame or None) of the answer with our id."""
        body = dict(body, id=random.getrandbits(63))
        self.control.send_multipart([command, msgpack.packb(body, use_bin_type=True)])
        while True:
            frames = receive(self.control, seconds)
            answer = msgpack.unpackb(frames[1], raw=False)
            if answer["id"] == body["id"]:
                return frames[0], answer, frames[2] if len(frames) > 2 else None

    def hello(self, position=None, origin=None, version=1):
        return self.ask(b"HELLO", {"version": version, "name": "python", "position": position,
                                   "origin": origin})[:2]

    def welcome(self, **more):
        command, body = self.hello(**more)
        assert command == b"WELCOME", (command, body)
        return body

    def fetch(self, position, filters=(">",), max_events=65536, max_bytes=1 << 18):
        return self.ask(b"FETCH", {"position": position, "filters": list(filters),
                                   "max_events": max_events, "max_bytes": max_bytes})

    def page(self, position, **more):
        """(page body, [(type, position, stored_us, chain, event bytes)])"""
        command, body, frame = self.fetch(position, **more)
        assert command == b"PAGE", (command, body)
        run = list(values(frame))
        rows = [(type_.encode(), *stamp, raw) for (type_, _), (stamp, _), (_, raw) in
                zip(run[::3], run[1::3], run[2::3])]
        assert len(rows) == body["count"]
        total = sum(row_checksum(p, us, t, e) for t, p, us, _, e in rows) & MASK
        assert total == body["sum"], (total, body)
        return body, rows

    def read_log(self, filters=(">",)):
        """All rows from the start; contiguous chains are checked when nothing is filtered."""
        rows, at, chain = [], 0, 0
        while True:
            body, more = self.page([None, at, None], filters=filters)
            assert body["from"] == at
            rows += more
            if tuple(filters) == (">",):
                for type_, position, stored_us, row_chain, raw in more:
                    at += 1
                    assert position == at
                    chain = chain_after(chain, row_checksum(position, stored_us, type_, raw))
                    assert chain == row_chain, position
                assert body["chain"] == chain and body["next"] == at
            at = body["next"]
            if at == body["head"]:
                return rows

    def status(self):
        command, body, _ = self.ask(b"STATUS", {})
        assert command == b"STATE", (command, body)
        return body

    def counter(self, name):
        return self.status()["counters"][name]


def check_books(state):
    counters = state["counters"]
    drops = ("duplicate", "gap", "bad_frame", "bad_type", "bad_event", "bad_version", "too_big",
             "types_full", "store_failed", "not_accepting")
    assert counters["taken"] == counters["stored"] + sum(counters[d] for d in drops), counters


def store(name):
    return os.path.join(SCRATCH, name)


def main(namespace):
    """Run every function test_… of a module; each in the order of the file."""
    only = sys.argv[1:]
    failed = 0
    for name, function in list(namespace.items()):
        if not name.startswith("test_") or (only and name not in only):
            continue
        try:
            function()
            print("ok", name, flush=True)
        except Exception:
            failed += 1
            traceback.print_exc()
            for bus in Bus.alive:
                bus.process.kill()
                print("bus said:", bus.process.stderr.read(), file=sys.stderr)
            print("FAIL", name, flush=True)
        finally:
            Bus.kill_all()
    sys.exit(1 if failed else 0)
