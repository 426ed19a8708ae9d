#!/usr/bin/env python3
"""Makes the golden frames: one message of each kind as hex, by an implementation that shares no code
with weft (msgpack for Python, xxhash). The C tests decode and encode them.

    make.py           write the files
    make.py --check   say which files differ, and fail
"""
import os
import struct
import sys

import msgpack
import xxhash

HERE = os.path.dirname(os.path.abspath(__file__))

LOG = bytes(range(0x10, 0x20))
ORIGIN = bytes(range(0xA0, 0xB0))
TRACEPARENT = bytes(range(0x40, 0x40 + 25))
BOOT = 0x0123456789ABCDEF
TIME = 1764000000123456


def pack(value):
    return msgpack.packb(value, use_bin_type=True)


def nine_bytes(*numbers):
    """An array of three numbers in nine bytes each, as the bus writes stamps."""
    return b"\x93" + b"".join(b"\xcf" + struct.pack(">Q", n) for n in numbers)


def xxh(data):
    return xxhash.xxh3_64_intdigest(data)


def words(*numbers):
    return struct.pack("<%dQ" % len(numbers), *numbers)


EVENT = [1, ORIGIN, 41, TIME, "posts", "post/42", 40, TRACEPARENT,
         {"title": "Grüße", "n": [1, -1, 1.5, None, True], "raw": b"\x00\xff"}]
BARE_EVENT = [1, ORIGIN, 0, 0, "s", None, None, None, None]
ORIGIN_STATE = {"last": 41, "chain": 2**64 - 1, "position": 1000, "refused_seq": 42,
                "refused_code": 12}
FILTERS = ["comment.created", "post.*", "order.>", "*", ">"]
LIMITS = {"type_bytes": 255, "subject_bytes": 1024, "event_bytes": 262144,
          "live_message_bytes": 65536, "batch_events": 4096, "page_bytes": 786432,
          "window_events": 8192, "filters": 256, "types": 65536}
REPORT = {"name": "query", "instance": ORIGIN, "software": "0.1.0", "position": 1000,
          "resume": 990, "outbox": 3,
          "parked": 2, "parked_oldest": TIME - 5000000, "skipped": 4, "applied_catch_up": 900,
          "applied_live": 100, "live": True, "on_error": "park",
          "database": "/var/lib/weft/query.db", "filters": FILTERS}


def frames():
    event = pack(EVENT)
    type_ = b"post.created"
    yield "event", event
    yield "event_bare", pack(BARE_EVENT)
    yield "stamp", nine_bytes(1000, TIME + 7, 2**64 - 2)
    yield "record", pack({
        "boot": BOOT, "log": LOG, "prev": 997, "prev_chain": 5, "last": 1000, "chain": 2**63,
        "at": TIME, "types": {"post.created": [2, 2**64 - 1], "comment.created": [1, 7]}})
    yield "record_heartbeat", pack({
        "boot": BOOT, "log": LOG, "prev": 1000, "prev_chain": 9, "last": 1000, "chain": 9,
        "at": TIME, "types": {}})
    yield "ack", pack([41, 1000, 2**64 - 1])
    yield "hello", pack({"id": 2**64 - 1, "version": 1, "name": "query",
                         "position": [LOG, 1000, 2**63], "origin": ORIGIN})
    yield "hello_number", pack({"id": 1, "version": 1, "name": "tool",
                                "position": [None, 1000, None], "origin": None})
    yield "hello_bare", pack({"id": 1, "version": 1, "name": "", "position": None, "origin": None})
    yield "origin_state", pack(ORIGIN_STATE)
    yield "limits", pack(LIMITS)
    yield "welcome", pack({
        "id": 7, "version": 1, "boot": BOOT, "log": LOG, "first": 3, "first_chain": 2**64 - 3, "head": 1000, "chain": 2**63,
        "at": TIME, "fanout": "tcp://127.0.0.1:7601", "ingest": "tcp://127.0.0.1:7602",
        "software": "weft-bus 0.1.0", "accepting": False, "reason": "disk is full",
        "limits": LIMITS, "origin": ORIGIN_STATE})
    yield "filters", pack(FILTERS)
    yield "fetch", pack({"id": 8, "position": [LOG, 1000, 2**63], "filters": FILTERS,
                         "max_events": 4096, "max_bytes": 786432})
    yield "page", pack({"id": 8, "boot": BOOT, "log": LOG, "from": 1000, "next": 1010,
                        "chain": 2**63 + 1, "head": 2000, "count": 1, "sum": 2**64 - 1})
    yield "report", pack(REPORT)
    yield "status", pack({"id": 9})
    yield "state", pack({
        "id": 9, "boot": BOOT, "log": LOG, "first": 0, "head": 1000, "chain": 2**63, "at": TIME,
        "started": TIME - 1000000, "software": "weft-bus 0.1.0", "fanout": "ipc:///run/weft.fan",
        "ingest": "ipc:///run/weft.in", "accepting": True, "reason": "",
        "counters": {"taken": 1000, "stored": 999, "duplicate": 1},
        "services": [{"seen": TIME, "report": REPORT}]})
    yield "error", pack({"id": 8, "code": 17, "text": "log has another history at 1000",
                         "version": 1})
    yield "trim", pack({"id": 10, "to": 900, "age_us": 2592000000000, "bytes": 20000000000,
                        "force": True, "dry_run": False})
    yield "trimmed", pack({"id": 10, "first": 3, "to": 990, "wanted": 995, "head": 1000,
                           "bytes": 123456, "holder": "query", "holder_resume": 990})
    yield "effects", pack({"id": 11, "causes": [1, 1000, 2**63 - 1], "after": 7})
    yield "trace", pack({"id": 12, "trace": bytes(range(16)), "after": 0})
    yield "found", pack({"id": 11, "boot": BOOT, "log": LOG, "first": 3, "head": 1000,
                         "indexed": 990, "positions": [1, 5, 1, 900], "more": True})
    # hash of type, hash of event, row checksum, chain, origin chain: eight bytes each, big-endian
    row = xxh(words(1000, TIME, xxh(type_), xxh(event)))
    yield "checksums", struct.pack(
        ">5Q", xxh(type_), xxh(event), row, xxh(words(2**63, row)),
        xxh(words(5, xxh(type_), xxh(event))))


def as_hex(data):
    text = data.hex()
    return "".join(text[at:at + 96] + "\n" for at in range(0, len(text), 96))


def main():
    differs = []
    for name, data in frames():
        path = os.path.join(HERE, name + ".hex")
        if "--check" not in sys.argv:
            with open(path, "w", encoding="ascii") as file:
                file.write(as_hex(data))
        elif not os.path.exists(path) or open(path, encoding="ascii").read() != as_hex(data):
            differs.append(name)
    if differs:
        sys.exit("golden frames that make.py would write otherwise: " + " ".join(differs))


if __name__ == "__main__":
    main()
