#!/usr/bin/env python3
"""Events so small that ZeroMQ keeps them inside its message object: moving that object moves the bytes."""
from bus_client import Bus, Peer, event, main, store


def test_tiny_events_are_stored_as_they_came():
    bus = Bus(store("tiny"))
    peer = Peer(bus)
    sent = []
    for seq in range(1, 2001):
        tiny = event(peer.origin, seq, seq % 100, source="a", time_us=0)
        assert len(tiny) <= 33, len(tiny)
        peer.publish(b"a.%d" % (seq % 7), tiny)
        sent.append(tiny)
    peer.wait_ack(2000)
    assert [raw for _, _, _, _, raw in peer.read_log()] == sent
    peer.close()
    bus.stop()


main(globals())
