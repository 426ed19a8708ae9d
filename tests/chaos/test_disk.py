"""A disk that fills and is freed again: under the bus, and under a service."""

import json
import os
import shutil
import subprocess

import namespaces
from process import SLOW, Failure, check, wait_until
from world import Running, World, main

WEFT = os.path.join(os.environ["WEFT_BIN_DIR"], "weft")
BUS_DISK_MIB, SERVICE_DISK_MIB = 64, 24  # both hold a WAL of full size


def state(world):
    done = subprocess.run([WEFT, "status", "--json", "--bus", world.endpoint], capture_output=True,
                          text=True, timeout=20 * SLOW, check=True)
    return json.loads(done.stdout)


def said(world, name, word):
    return [line for line in world[name].log().splitlines() if f" {word} " in line]


def test_full_disk_under_the_bus(scratch):
    """New events are refused and wait in the outboxes, a reader from the start is served all that
    is there, the bus goes on by itself when there is room, and so does everything else."""
    disk = os.path.join(scratch, "disk")
    namespaces.small_disk(disk, BUS_DISK_MIB)
    with Running(World(scratch, store=os.path.join(disk, "store"))) as world:
        wait_until("some history", lambda: world.head() > 300, 30)
        namespaces.fill(os.path.join(disk, "ballast"))
        wait_until("the bus says that its disk is full",
                   lambda: state(world)["reason"] == "disk is full", 30)
        check(state(world)["accepting"], False, "accepting")
        full_head = world.head()
        for name in ("orders", "stock"):
            made = world.emitted(name)[1]
            wait_until(f"{name} says what holds it back", lambda: said(world, name, "relay.held_back"), 30)
            check("disk is full" in said(world, name, "relay.held_back")[-1], True, "the reason")
            wait_until(f"{name} goes on writing", lambda: world.emitted(name)[1] > made + 20, 30)
        world.kill("audit")
        shutil.rmtree(world.data("audit"))  # it only derives: from the start again, all of it by catch-up
        world["audit"].start()
        wait_until("audit has caught up", lambda: world.applied("audit") >= full_head, 30)
        check(world.head(), full_head, "head of the log while the disk is full")
        world.check_alive()
        os.unlink(os.path.join(disk, "ballast"))
        wait_until("the bus accepts again", lambda: state(world)["accepting"], 10)
        wait_until("orders says that it goes on", lambda: said(world, "orders", "relay.goes_on"), 30)
        verdict = world.rest_and_judge()
        check(world.head() > full_head, True, "what waited is in the log")
        check("parked 0" in verdict, True, "nothing is parked")


def test_full_disk_under_a_service(scratch):
    """Its writes are refused, by name; no event is lost, none is parked; it goes on when there is room."""
    disk = os.path.join(scratch, "data-pricing")
    namespaces.small_disk(disk, SERVICE_DISK_MIB)
    with Running(World(scratch)) as world:
        wait_until("some history", lambda: world.applied("pricing") > 100, 30)
        namespaces.fill(os.path.join(disk, "ballast"))
        wait_until("pricing says that its disk is full",
                   lambda: any("error=FULL" in line for line in world["pricing"].log().splitlines()), 60)

        def stands_still():
            stuck, head = world.applied("pricing"), world.head()
            wait_until("the others go on", lambda: world.head() > head + 300, 30)
            return world.applied("pricing") == stuck
        # a smaller transaction may still fit into what a larger one left of the WAL
        wait_until("pricing applies nothing more while its disk is full", stands_still, 60)
        world.check_alive()
        os.unlink(os.path.join(disk, "ballast"))
        world.rest_and_judge()


def test_bus_starts_on_a_full_disk(scratch):
    """kill -9 while the disk is full; the bus either starts and serves, or says by name what is missing."""
    disk = os.path.join(scratch, "disk")
    namespaces.small_disk(disk, BUS_DISK_MIB)
    with Running(World(scratch, store=os.path.join(disk, "store"))) as world:
        wait_until("some history", lambda: world.head() > 300, 30)
        namespaces.fill(os.path.join(disk, "ballast"))
        wait_until("the bus says that its disk is full",
                   lambda: state(world)["reason"] == "disk is full", 30)
        world.kill("bus")
        try:
            world["bus"].start()
            print("  it starts on the full disk")
        except Failure:
            check("disk is full" in world["bus"].log(), True, "the bus says why it does not start")
            print("  it says that the disk is full, and ends")
        os.unlink(os.path.join(disk, "ballast"))
        if not world["bus"].alive():
            world["bus"].start()
        world.rest_and_judge()


if __name__ == "__main__":
    namespaces.enter()
    main(globals())
