"""Query's database is erased: it builds the same view from the log, the same to the byte."""

import os
import random

import mesh as kit
from mesh import check, wait_until
from model import Blog
from writer import Writer

WRITES = 300


def test_a_view_built_anew_is_the_same_to_the_byte(mesh):
    rng = random.Random(kit.seed())
    model = Blog()
    writer = Writer(mesh, model, rng)
    for _ in range(WRITES):
        writer.anything()
    mesh.wait_view(model)
    mesh.wait_at_rest(*kit.SERVICES)  # a verdict on a comment that went with its post may still be under way
    before = mesh.ask("query", "GET", "/posts").body
    pages = mesh.ask("query", "GET", "/posts?limit=10").body
    mesh.stop("query")
    folder = mesh.data("query")
    names = os.listdir(folder)
    check("blog-query.db" in names, True, f"query's files: {names}")
    for name in names:
        os.remove(os.path.join(folder, name))
    mesh.start("query")
    mesh.wait_joined("query")
    wait_until("query has built its view", lambda: mesh.get("query", "/posts") == model.view())
    check(mesh.ask("query", "GET", "/posts").body, before, "the view, to the byte")
    check(mesh.ask("query", "GET", "/posts?limit=10").body, pages, "its first page, to the byte")
    check(mesh.readyz("query")["applied"]["live"], 0, "all of it came from the log")


if __name__ == "__main__":
    kit.main(globals())
