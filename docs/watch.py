#!/usr/bin/env python3
# Watch events with stock tools (pyzmq and msgpack): watch.py tcp://127.0.0.1:7601 comment.
# Frame 0 is the type; frame 1 is stamp, event, stamp, event …, each a msgpack array (docs/protocol.md).
# It sees what is published while it runs, and nothing is sent again: weft sub misses nothing.
import sys
import msgpack
import zmq

socket = zmq.Context().socket(zmq.SUB)
socket.connect(sys.argv[1])
socket.subscribe(sys.argv[2] if len(sys.argv) > 2 else "")
for topic, body in iter(socket.recv_multipart, None):
    unpacker = msgpack.Unpacker(strict_map_key=False)
    unpacker.feed(body)
    for stamp, event in zip(unpacker, unpacker):
        if not topic.startswith(b"$"):  # commit records and acknowledgements
            print(stamp[0], topic.decode(), event[5], event[8], flush=True)
