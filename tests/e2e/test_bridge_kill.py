"""kill -9 of the bridge at random moments under load: what it has accepted is in the log, once, in order."""

import random
import threading
import time

import mesh
import sse
from process import SLOW, Failure, check, seed, wait_until

WRITERS = 4


class Writer(threading.Thread):
    """Posts n = 0, 1, 2 … one after the other, each under a key of its own until it is accepted."""

    def __init__(self, client, name):
        super().__init__(daemon=True)
        self.client, self.name, self.accepted, self.lost, self.leave = client, name, 0, 0, False
        self.wrong = None

    def run(self):
        while not self.leave:
            body = {"type": "load." + self.name, "data": self.accepted}
            try:
                answer = self.client.request("POST", "/events", body,
                                             {"Idempotency-Key": f"{self.name}-{self.accepted}"})
            except mesh.Lost:
                self.lost += 1
                time.sleep(0.002)  # nobody there: not to spin until there is
                continue
            if answer.status == 200:
                self.accepted += 1
            elif answer.status != 503:
                self.wrong = repr(answer)
                return


def test_no_accepted_event_is_lost(mesh_):
    rounds = 50 if SLOW == 1 else 10
    chance = random.Random(seed())
    bridge = mesh_.bridge()
    writers = [Writer(mesh_.client("bridge"), f"w{number}") for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    seen, streams = [], 0

    def follow():
        """Read on from the last event that was seen, until there are more."""
        last = str(seen[-1][0]) if seen else "0"
        stream = sse.Stream(bridge.http, headers={"Last-Event-ID": last})
        try:
            stream.wait("events", lambda s: s.begun() and (s.status() != 200 or s.events()), 1)
        except Failure:
            pass  # the bridge has just begun, and writers have not
        stream.close()
        seen.extend(stream.events() if stream.begun() and stream.status() == 200 else [])

    for _ in range(rounds):
        before = sum(writer.accepted for writer in writers)
        wait_until("events are accepted", lambda: sum(w.accepted for w in writers) > before, 20)
        if chance.random() < 0.3:
            follow()
        time.sleep(chance.uniform(0, 0.15))  # a random moment is what is wanted
        bridge.stop(kill=True)
        bridge.start()
    for writer in writers:
        writer.leave = True
    for writer in writers:
        writer.join(30)
        check((writer.wrong, writer.is_alive()), (None, False), writer.name)
    total = sum(writer.accepted for writer in writers)
    print(f"  {rounds} kills, {total} events accepted, {sum(w.lost for w in writers)} answers lost")
    wait_until("all are in the log", lambda: mesh_.ask("bridge", "GET", "/readyz").json["outbox"] == 0, 30)
    events = mesh_.get("bridge", "/events")
    for writer in writers:
        got = [event["data"] for event in events if event["type"] == "load." + writer.name]
        # The last one may have been stored without its answer.
        check(got[:writer.accepted], list(range(writer.accepted)), writer.name)
        check(len(got) <= writer.accepted + 1, True, f"{writer.name}: {len(got)} in the log")
    while len(seen) < len(events):
        follow()
    check([number for number, _ in seen], [event["position"] for event in events], "the stream")
    bridge.stop()


if __name__ == "__main__":
    mesh.main(globals())
