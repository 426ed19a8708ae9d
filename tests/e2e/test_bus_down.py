"""The bus is away: posts and comments go on, and all is told once it is back."""

import collections

import mesh as kit
from mesh import check, wait_until
from model import Blog
from writer import Writer

ROUNDS = 30


def write(mesh, model, rounds=ROUNDS, known=False):
    """One attempt each, which must be answered 201: nobody repeats anything here. known: the bus is there to tell
    comments of the post."""
    for number in range(rounds):
        answer = mesh.ask("posts", "POST", "/posts", {"title": f"Post {number}"})
        check(answer.status, 201, f"post: {answer!r}")
        if known:
            mesh.wait_known(answer)
        post = model.post_created(answer.json)
        for content in ("first", "an orange"):
            answer = mesh.ask("comments", "POST", f"/posts/{post}/comments", {"content": content})
            check(answer.status, 201, f"comment: {answer!r}")
            model.comment_created(post, answer.json)


def check_log(mesh, model):
    """Each origin's events are there once and in its order; so is each thing that was made."""
    events = mesh.events()
    check([event["position"] for event in events], list(range(1, len(events) + 1)), "positions")
    by_origin = collections.defaultdict(list)
    for event in events:
        by_origin[event["origin"]].append(event["sequence"])
    for origin, sequences in by_origin.items():
        check(sequences, list(range(1, len(sequences) + 1)), f"sequences of {origin}")
    check([event["data"]["id"] for event in events if event["type"] == "post.created"],
          list(model.posts), "posts in the log")
    check([event["data"]["id"] for event in events if event["type"] == "comment.created"],
          [comment for post in model.posts.values() for comment in post["comments"]],
          "comments in the log")
    judged = collections.Counter(event["data"]["id"] for event in events
                                 if event["type"] == "comment.moderated")
    check(set(judged.values()), {1}, "verdicts on each comment")


def all_told(mesh, model):
    mesh.wait_view(model)
    for name in kit.SERVICES:
        wait_until(f"{name} has sent all", lambda: mesh.readyz(name)["outbox"] == 0)
    check(list(mesh.get("query", "/posts")), list(model.posts), "posts in the order of the log")
    check_log(mesh, model)


def test_services_write_on_while_the_bus_is_down(mesh):
    model = Blog()
    write(mesh, model, 3, known=True)
    mesh.wait_view(model)
    mesh.bus.stop()
    # At once, while comments cannot know yet that the bus is away.
    write(mesh, model, 1)
    mesh.wait_away(*kit.SERVICES)
    write(mesh, model)
    for name in ("posts", "comments"):
        state = mesh.readyz(name)
        check((state["ready"], state["bus"]["reachable"], state["outbox"] > 0), (True, False, True),
              f"{name} without the bus: {state}")
    check(len(mesh.get("query", "/posts")), 3, "query answers from what it has")
    mesh.bus.start()
    all_told(mesh, model)


def test_nothing_is_lost_when_the_bus_is_killed(mesh):
    model = Blog()
    writer = Writer(mesh, model)
    for number in range(5):
        for n in range(5):
            writer.comment(writer.post(f"{number}.{n}"), "some words")
        mesh.bus.stop(kill=True)
        write(mesh, model, 1)
        mesh.bus.start()
    all_told(mesh, model)


def test_services_start_and_stop_without_a_bus(mesh):
    model = Blog()
    mesh.bus.stop()
    mesh.stop(*kit.SERVICES)
    mesh.start(*kit.SERVICES)
    write(mesh, model, 2)
    mesh.stop("posts", "comments")
    mesh.start("comments", "posts")
    write(mesh, model, 2)
    check(mesh.get("query", "/posts"), {}, "query is empty and answers")
    mesh.bus.start()
    all_told(mesh, model)


if __name__ == "__main__":
    kit.main(globals())
