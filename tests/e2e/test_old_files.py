"""Files that earlier versions wrote are opened by this one, and nothing in them is lost."""

import json
import os
import shutil

import mesh as kit
from mesh import check, wait_until

OLD = os.path.join(os.environ["WEFT_SOURCE_DIR"], "tests", "old")


def settle(mesh, view):
    wait_until("the view is the one that the old files add up to",
               lambda: mesh.get("query", "/posts") == view, 30)
    for name in kit.SERVICES:
        wait_until(f"{name} has sent all", lambda: mesh.readyz(name)["outbox"] == 0)
        check(mesh.readyz(name)["parked"], 0, f"parked by {name}")


def test_old_files_open_and_go_on(mesh):
    mesh.stop(*kit.SERVICES)
    mesh.bus.stop()
    folders = sorted(name for name in os.listdir(OLD) if name.startswith("v"))
    check(bool(folders), True, "there are old files")
    for folder in folders:
        with open(os.path.join(OLD, folder, "view.json"), encoding="utf-8") as file:
            view = json.load(file)
        for name in ("bus", *kit.SERVICES):
            shutil.rmtree(mesh.data(name))
            shutil.copytree(os.path.join(OLD, folder, name), mesh.data(name), dirs_exist_ok=True)
        mesh.bus.start()
        head = int(mesh.bus.ready["head"])
        check(head > 0, True, f"{folder}: the bus found its log")
        mesh.start(*kit.SERVICES)
        settle(mesh, view)
        events = mesh.events()
        check([event["position"] for event in events], list(range(1, len(events) + 1)), "positions")
        check(len(events) > head, True, f"{folder}: what waited in the outboxes has come")
        # And it is written on.
        post = mesh.ask("posts", "POST", "/posts", {"title": "new"}).json["id"]
        wait_until("the new post is seen", lambda: post in mesh.get("query", "/posts"))
        mesh.stop(*kit.SERVICES)
        mesh.bus.stop()


if __name__ == "__main__":
    kit.main(globals())
