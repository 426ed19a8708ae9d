"""Services end, cleanly or by kill -9, and start again while others write: the views agree."""

import random
import threading

import mesh as kit
from mesh import check, wait_until
from model import Blog
from writer import Writer

RESTARTS = 20
NAMES = ("query", "comments", "moderation")
WRITES_BETWEEN = 5


def test_the_view_is_right_after_many_restarts_during_writes(mesh):
    rng = random.Random(kit.seed())
    model = Blog()
    writer = Writer(mesh, model, random.Random(rng.random()))
    stop, written, failures = threading.Event(), [0], []

    def write():
        try:
            while not stop.is_set():
                writer.anything()
                written[0] += 1
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)

    def moved_on(count):
        return failures or written[0] >= count

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(RESTARTS):
            name, kill = rng.choice(NAMES), number % 2 == 1
            before = written[0] + rng.randrange(WRITES_BETWEEN)
            wait_until("writes go on", lambda: moved_on(before), 60)
            mesh.stop(name, kill=kill)
            # While comments is away its writer waits; then the pause is in the others' hands.
            if name != "comments":
                target = written[0] + rng.randrange(2 * WRITES_BETWEEN)
                wait_until("writes go on without it", lambda: moved_on(target), 60)
            mesh.start(name)
    finally:
        stop.set()
        thread.join()
    if failures:
        raise failures[0]
    print(f"  {written[0]} writes, {writer.repeated} attempts repeated", flush=True)
    mesh.wait_view(model, 60)
    check(list(mesh.get("query", "/posts")), list(model.posts), "posts in the order of the log")
    for post, wanted in model.view().items():
        wait_until(f"comments agrees on {post}",
                   lambda: mesh.get("comments", f"/posts/{post}/comments") == wanted["comments"])
    check(mesh.get("posts", "/posts"),
          {post: {"id": post, "title": one["title"]} for post, one in model.posts.items()}, "posts")
    for name in kit.SERVICES:
        check(mesh.readyz(name)["parked"], 0, f"parked by {name}")


if __name__ == "__main__":
    kit.main(globals())
