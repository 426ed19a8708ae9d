#!/usr/bin/env python3
"""A full disk under a service over HTTP, which says so and is well again when there is room; and under a
bus on small blocks, where what SQLite maps has holes."""

import contextlib
import os
import subprocess
import time

import mesh as kit
import metrics
import namespaces
from mesh import check, wait_until
from process import Failure, Process

SILENCE_SECONDS = 3  # after it a service takes the bus for away
DISK_MIB = 24  # holds a WAL of full size


@contextlib.contextmanager
def on_small_disk(mesh, name):
    """The disk's directory; the service begins anew there."""
    mesh.stop(name)
    disk = os.path.join(mesh.scratch, "disk")
    namespaces.small_disk(disk, DISK_MIB)
    service = mesh.services[name]
    service.arguments[service.arguments.index("--data") + 1] = os.path.join(disk, "data")
    try:
        mesh.start(name)
        mesh.wait_joined(name)
        yield disk
    finally:
        if service.alive():
            mesh.stop(name)
        namespaces.run("umount", disk)


def well_again(mesh, name):
    return "service.well_again" in mesh.services[name].log()


def full(mesh, name):
    return metrics.scrape(mesh.services[name].http).value("weft_service_trouble", service="blog-" + name, reason="full")


def test_a_service_that_applies_says_that_its_disk_is_full_and_not_that_the_bus_is_away(mesh):
    check(mesh.ask("posts", "POST", "/posts", {"title": "before"}).status, 201, "POST /posts")
    with on_small_disk(mesh, "query") as disk:
        namespaces.fill(os.path.join(disk, "ballast"))
        check("trouble" in mesh.readyz("query"), False, "nothing was written yet")
        for number in range(5):
            check(mesh.ask("posts", "POST", "/posts", {"title": f"no {number}"}).status, 201, "POST /posts")
        wait_until("query says so", lambda: mesh.readyz("query").get("trouble") == "FULL", 30)
        end = time.monotonic() + SILENCE_SECONDS + 2
        while time.monotonic() < end:
            state = mesh.readyz("query")
            check((state["ready"], state["bus"]["reachable"], state["bus"]["position"]), (True, True, 1), f"{state}")
            time.sleep(0.1)
        check((full(mesh, "query"), well_again(mesh, "query")), (1, False), "in its metrics, and its log")
        check(len(mesh.get("query", "/posts")), 1, "posts in the view")
        mesh.bus.stop(kill=True)
        mesh.wait_away("query")
        mesh.bus.start()
        os.unlink(os.path.join(disk, "ballast"))
        mesh.wait_joined("query")
        wait_until("all is in the view", lambda: len(mesh.get("query", "/posts")) == 6, 30)
        check((full(mesh, "query"), "trouble" in mesh.readyz("query")), (0, False), "it is well")
        check(well_again(mesh, "query"), True, "its log")


def test_a_service_that_is_written_to_says_so_until_a_write_has_come_in(mesh):
    with on_small_disk(mesh, "posts") as disk:
        again = ("posts", "POST", "/posts", {"title": "before"}, {"Idempotency-Key": "before"})
        check(mesh.ask(*again).status, 201, "POST /posts")
        namespaces.fill(os.path.join(disk, "ballast"))
        wait_until("a post is refused",
                   lambda: mesh.ask("posts", "POST", "/posts", {"title": "x" * 200}).status == 507, 30)
        check(mesh.ask(*again).status, 201, "the answer of before, for which nothing is written")
        check((mesh.readyz("posts")["trouble"], full(mesh, "posts")), ("FULL", 1), "while it is full")
        os.unlink(os.path.join(disk, "ballast"))
        check(mesh.ask("posts", "POST", "/posts", {"title": "after"}).status, 201, "POST /posts")
        check(("trouble" in mesh.readyz("posts"), full(mesh, "posts"), well_again(mesh, "posts")), (False, 0, True),
              "once there is room")


def small_blocks(path, mib):
    """A disk as mkfs.ext4 makes it of so little. False: no loop devices here."""
    os.makedirs(path)
    with open(path + ".image", "wb") as file:
        file.truncate(mib << 20)
    namespaces.run("mkfs.ext4", "-q", "-b", "1024", path + ".image")
    return namespaces.run("mount", "-o", "loop", path + ".image", path, check=False).returncode == 0


def started(bus):
    """Whether it ran already, or starts now; else it has said why."""
    if bus.alive():
        return
    bus.child = None
    try:
        bus.start()
    except Failure as failure:
        check(" ended with 1 " in str(failure) and "error=FULL" in bus.log(), True, f"{failure}\n{bus.log()}")


def test_a_bus_on_a_full_disk_of_small_blocks_says_what_is_missing_and_goes_on(mesh):
    disk = os.path.join(mesh.scratch, "small")
    if not small_blocks(disk, 48):
        return
    endpoint = f"ipc://{mesh.scratch}/small.bus"
    bus = Process("small", [mesh.program("weft-bus"), "--endpoint", endpoint, "--store", os.path.join(disk, "store")],
                  mesh.scratch).start()
    try:
        lines = "\n".join(f'"{"x" * 30000}{number}"' for number in range(100))
        weft = mesh.program("weft")
        words = ["pub", "a.b", "--data", "-", "--bus", endpoint]
        subprocess.run([weft, *words], input=lines, text=True, capture_output=True, check=True)
        namespaces.fill(os.path.join(disk, "ballast"))
        bus.stop(kill=True)
        started(bus)
        with subprocess.Popen([weft, *words], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as pub:
            pub.stdin.write(lines)
            pub.stdin.close()
            wait_until("the bus says what is missing", lambda: not bus.alive() or "error=FULL" in bus.log(), 30)
            check(bus.alive() or bus.child is None or bus.child.returncode == 1, True,
                  "it lives, has ended by itself, or could not start")
            os.unlink(os.path.join(disk, "ballast"))
            # It may be about to end when there is room again.
            wait_until("who published meanwhile is through", lambda: started(bus) or pub.poll() is not None, 60)
            check(pub.returncode, 0, "who published meanwhile")
        count = subprocess.run([weft, "count", "--bus", endpoint], text=True, capture_output=True, check=True).stdout
        check(count.split(), ["200"], "events")
    finally:
        if bus.alive():
            bus.stop()
        namespaces.run("umount", disk)


if __name__ == "__main__":
    namespaces.enter()
    kit.main(globals())
