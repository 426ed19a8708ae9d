"""Query is away while much is written; when it comes it shows what the model expects."""

import re

import mesh as kit
from mesh import check, wait_until
from model import Blog
from writer import Writer

POSTS, COMMENTS_EACH = 1000, 3


def test_query_shows_what_was_written_while_it_was_down(mesh):
    model = Blog()
    writer = Writer(mesh, model)
    mesh.stop("query")
    for number in range(POSTS):
        post = writer.post(f"Post {number}")
        for n in range(COMMENTS_EACH):
            writer.comment(post, f"comment {n} of {number}" + (", orange" if number % 7 == n else ""))
    # Each comment is three events: created, moderated, updated. All are in the log by now.
    mesh.wait_at_rest("posts", "moderation", "comments", seconds=60)
    told = len(mesh.services["query"].log())  # it joined once before
    mesh.start("query")
    mesh.wait_view(model)
    check(list(mesh.get("query", "/posts")), list(model.posts), "posts in the order of the log")
    state = mesh.readyz("query")
    wanted = POSTS + 2 * POSTS * COMMENTS_EACH  # query doesn't listen to the verdicts themselves
    check(state["applied"], {"catchUp": wanted, "live": 0}, "events by catch-up and live")
    line = wait_until("query tells in its diag lines how the events came", lambda: re.findall(
        r"service\.joined .*catch_up=(\d+) live=(\d+)", mesh.services["query"].log()[told:]))[-1]
    check(line, (str(wanted), "0"), "the diag line")
    post = writer.post("live again")
    writer.comment(post, "live")
    mesh.wait_view(model)
    wait_until("what came now came live", lambda: mesh.readyz("query")["applied"] ==
               {"catchUp": wanted, "live": 3})


if __name__ == "__main__":
    kit.main(globals())
