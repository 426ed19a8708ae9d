"""Processes that stand still for seconds, and a clock that jumps while they run."""

import glob
import os
import random
import sqlite3
import time

import msgpack

from process import SLOW, check, seed, wait_until
from world import Running, Skip, World, main

SILENCE_SECONDS = 3  # after so long without a record a subscriber asks (S3)
LIBRARIES = "/usr/lib/*/faketime/libfaketimeMT.so.1"


def test_stopped_service_holds_up_nobody(scratch):
    with Running(World(scratch)) as world:
        wait_until("some history", lambda: world.head() > 200, 30)
        for name in ("audit", "shipping", "sensor-1", "orders"):
            world.pause(name)
            head = world.head()
            wait_until(f"the others go on without {name}", lambda: world.head() > head + 200, 30)
            if name == "audit":
                check(world.applied(name) <= head, True, "what it applies while it stands still")
            world.go_on(name)
            world.converge()
        world.rest_and_judge()


def test_stopped_bus(scratch):
    """Beyond the silence after which everyone asks, and shorter than that."""
    rng = random.Random(seed())
    with Running(World(scratch)) as world:
        for seconds in (0.3, SILENCE_SECONDS + 2, rng.uniform(0, 2), rng.uniform(2, 7)):
            wait_until("some history", lambda: world.head() > 200, 30)
            world.pause("bus")
            made = world.emitted("stock")[1]
            time.sleep(seconds)  # the fault itself
            wait_until("services write without the bus", lambda: world.emitted("stock")[1] > made, 30)
            world.go_on("bus")
            world.converge()
        world.rest_and_judge()


def test_everyone_stands_still(scratch):
    """As a machine that sleeps."""
    with Running(World(scratch)) as world:
        wait_until("some history", lambda: world.head() > 200, 30)
        for _ in range(2):
            for name in world.processes:
                world.pause(name)
            time.sleep(SILENCE_SECONDS + 1)  # the fault itself
            for name in world.processes:
                world.go_on(name)
            world.converge()
        world.rest_and_judge()


def event_times(world):
    db = sqlite3.connect(world.log_path())
    rows = db.execute("SELECT stored_us, event FROM events ORDER BY position").fetchall()
    db.close()
    return [stored for stored, _ in rows], [msgpack.unpackb(event)[3] for _, event in rows]


def test_clock_jumps_while_they_run(scratch):
    """Back by an hour, far ahead, back again; CLOCK_MONOTONIC goes on, as it does on a real machine."""
    libraries = glob.glob(LIBRARIES)
    if not libraries or SLOW != 1:
        raise Skip("sanitizers want to be loaded first" if libraries else "no libfaketime here")
    clock = os.path.join(scratch, "clock")

    def set_clock(offset):
        with open(clock + ".new", "w", encoding="ascii") as file:
            file.write(offset + "\n")
        os.rename(clock + ".new", clock)

    set_clock("+0")
    faked = {"LD_PRELOAD": libraries[0], "FAKETIME_TIMESTAMP_FILE": clock, "FAKETIME_NO_CACHE": "1",
             "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}
    with Running(World(scratch, environment=faked)) as world:
        for offset in ("-1h", "+2d", "-30d", "+0"):
            head = world.head()
            wait_until("events before the jump", lambda: world.head() > head + 150, 30)
            set_clock(offset)
            head = world.head()
            wait_until("events after the jump", lambda: world.head() > head + 150, 30)
            world.converge()
        world.kill("bus")  # the new one starts with a clock behind the log's
        set_clock("-3h")
        world["bus"].start()
        world.converge()
        world.rest_and_judge()
        stored, emitted = event_times(world)
        back = max(a - b for a, b in zip(emitted, emitted[1:]))
        check(back > 30 * 86400 * 1_000_000, True, f"the clock did jump back, by {back} µs at most")
        check(stored, sorted(stored), "stored_us never goes back")


if __name__ == "__main__":
    main(globals())
