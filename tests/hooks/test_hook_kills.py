"""kill -9 of the bridge at random moments, under load: no event that POST /events accepted is lost, and no hook
leaves one out, or takes the order of what it has not sent before."""

import http.client
import json
import os
import random
import threading
import time

import hooks
from process import check, seed, wait_until

KILLS = int(os.environ.get("WEFT_TEST_KILLS", "8"))
WRITERS = 4


class Load:
    """Writers that POST numbered events, and go on as soon as somebody answers again."""

    def __init__(self, mesh):
        self.mesh, self.accepted, self.stopped = mesh, [], threading.Event()
        self.threads = [threading.Thread(target=self._write, args=(name,)) for name in range(WRITERS)]
        for thread in self.threads:
            thread.start()

    def _write(self, name):
        number, connection = 0, None
        while not self.stopped.is_set():
            number += 1
            try:
                connection = connection or http.client.HTTPConnection(self.mesh.http, timeout=10)
                connection.request("POST", "/events", json.dumps(
                    {"type": "work.done", "data": {"writer": name, "number": number}}),
                    {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    self.accepted.append((name, number))
            except (OSError, http.client.HTTPException):
                connection = None
                time.sleep(0.002)

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


def first_seen(receiver):
    """Positions in the order in which they were taken for the first time."""
    seen = {}
    for got in receiver.taken:
        seen.setdefault(got.position, got)
    return seen


def test_no_event_is_lost_and_no_hook_leaves_one_out(mesh):
    chance = random.Random(seed())
    every, picky = mesh.receiver(), mesh.receiver(lambda got: 500 if chance.random() < 0.01 else 200)
    mesh.start("--hook", f"every={every.url()}", "--hook", f"picky={picky.url()};attempts=0")
    load = Load(mesh)
    try:
        for _ in range(KILLS):
            before = len(every.taken)
            wait_until("there is load", lambda: len(every.taken) > before + 20, 30)
            time.sleep(chance.random() * 0.3)
            mesh.restart(kill=True)
    finally:
        load.stop()
    wait_until("what was accepted is in the log", lambda: mesh.ask("GET", "/readyz")[1]["outbox"] == 0, 60)
    last = mesh.publish("the.end", [None])
    for name, receiver in (("every", every), ("picky", picky)):
        wait_until(f"{name} has come to the end", lambda: receiver.taken and receiver.taken[-1].position == last, 60)
        seen = first_seen(receiver)
        check(list(seen), list(range(1, last + 1)), f"{name}: each position, in order")
        check(len({got.id for got in seen.values()}), last, f"{name}: ids")
    got = [(got.json["data"]["writer"], got.json["data"]["number"])
           for got in first_seen(every).values() if got.json["data"]]
    lost = set(load.accepted) - set(got)
    check(lost, set(), "accepted and lost")
    print(f"  {KILLS} kills, {len(load.accepted)} events accepted, {last} in the log, 0 lost; sent again: "
          f"{len(every.taken) - last} and {len(picky.taken) - last}", flush=True)


if __name__ == "__main__":
    hooks.main(globals())
