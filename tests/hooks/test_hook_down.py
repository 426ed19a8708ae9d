"""A hook that is down while 10,000 events are written, then up: all of them, in order, each once; another hook's
live latency stays as it is. Latency is measured from before the POST until the other receiver has the event."""

import http.client
import json
import os
import statistics
import time

import hooks
from process import check, wait_until

BACKLOG = int(os.environ.get("WEFT_TEST_BACKLOG", "6000"))
TURNS, EACH = 5, 40
# On a machine of its own 1.5 holds. A hook that waits for another one waits for seconds.
WITHIN = float(os.environ.get("WEFT_TEST_WITHIN", "5"))


def latencies(mesh, live, count):
    """How long an event takes from POST /events to the live receiver, one after the other, in ms."""
    connection = http.client.HTTPConnection(mesh.http, timeout=30)
    found = []
    for number in range(count):
        seen = len(live.taken)
        began = time.monotonic()
        connection.request("POST", "/events", json.dumps({"type": "live.event", "data": number}),
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        check(answer.status, 200, "POST /events")
        end = time.monotonic() + 20
        while len(live.taken) == seen and time.monotonic() < end:
            time.sleep(0.0001)
        found.append((live.taken[seen].at - began) * 1000)
    connection.close()
    return found


def test_a_long_backlog_comes_in_order_and_holds_nobody_up(mesh):
    live = mesh.receiver()
    slow = mesh.receiver(lambda got: 0.001)  # so long it works on each
    mesh.start("--hook", f"live={live.url()}=live.event", "--hook", f"slow={slow.url()}=work.done")
    mesh.wait_live("live", "slow")
    slow.down()
    for start in range(0, BACKLOG, 2000):
        mesh.publish("work.done", range(start, min(start + 2000, BACKLOG)))
    wait_until("the hook has noticed", lambda: mesh.hook("slow")["state"] == "waiting")
    found = {"without": [], "down": [], "without it": [], "catching up": []}
    latencies(mesh, live, EACH)
    for _ in range(TURNS):
        mesh.put("slow", paused=True)
        found["without"] += latencies(mesh, live, EACH)
        mesh.put("slow", paused=False)
        found["down"] += latencies(mesh, live, EACH)
    check(slow.taken, [], "nobody is there")
    slow.up()
    for turn in range(TURNS):
        if turn and len(slow.taken) > BACKLOG / 2:
            break  # where each event takes long, few turns use the backlog up
        mesh.put("slow", paused=True)
        found["without it"] += latencies(mesh, live, EACH)
        done = len(slow.taken)
        mesh.put("slow", paused=False)
        wait_until("it goes on", lambda: len(slow.taken) > done, 30)
        found["catching up"] += latencies(mesh, live, EACH)
    check(len(slow.taken) < BACKLOG, True, "the backlog was there to the end of the measurement")
    wait_until("all has come", lambda: len(slow.taken) >= BACKLOG, 120)
    check([got.json["data"] for got in slow.taken], list(range(BACKLOG)), "all, in order, each once")
    check(len({got.id for got in slow.taken}), BACKLOG, "ids")
    check(mesh.hook("slow")["parked"], 0, "parked")
    p50 = {name: statistics.median(values) for name, values in found.items()}
    print("  p50 in ms: " + ", ".join(f"{name} {value:.2f}" for name, value in p50.items()) +
          f"; {len(found['down'])} events each, in turns", flush=True)
    for one, other in (("down", "without"), ("catching up", "without it")):
        check(p50[one] <= WITHIN * p50[other], True, f"p50 {one}: {p50}")


if __name__ == "__main__":
    hooks.main(globals())
