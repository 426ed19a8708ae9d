"""The blog in a mixed mesh: each of the four services in C in turn replaced by its twin in Node behind weft-bridge,
with names of types translated. Writes go on while query, moderation or the bus are away; in the end the view is that
of the model."""

import http.client
import json
import sys
import os
import time

sys.path.insert(0, os.path.join(os.environ["WEFT_SOURCE_DIR"], "tests/e2e"))

# pylint: disable=wrong-import-position
import hooks
import twins
from model import Blog
from process import SLOW, Failure, Process, check, wait_until

SERVICES = ("posts", "comments", "query", "moderation")


class Mixed:
    def __init__(self, mesh, in_node):
        self.mesh, self.model, self.in_node = mesh, Blog(), in_node
        twin = twins.Twin(in_node, "http://" + mesh.http, mesh.scratch, UPSERT="1")
        mesh.start("--config", twins.NAMES, "--hook", twin.hook())
        self.services = {name: self._in_c(name) for name in SERVICES if name != in_node}
        self.services[in_node] = twin
        for service in self.services.values():
            service.start()
        mesh.wait_live(in_node)
        for name in self.services:
            self.wait_joined(name)

    def _in_c(self, name):
        data = os.path.join(self.mesh.scratch, name)
        os.makedirs(data)
        return Process("blog-" + name, [self.mesh.program("blog-" + name), "--bus", self.mesh.endpoint,
                                        "--data", data, "--http", f"127.0.0.1:{hooks.free_port()}"],
                       self.mesh.scratch)

    def ask(self, name, method, path, body=None):
        connection = http.client.HTTPConnection(self.services[name].http, timeout=30 * SLOW)
        connection.request(method, path, None if body is None else json.dumps(body),
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text else None

    def wait_joined(self, name):
        if name != self.in_node:
            wait_until(f"{name} is live", lambda: self.ask(name, "GET", "/readyz")[1]["bus"]["live"], 20)

    def post(self, title):
        status, answer = self.ask("posts", "POST", "/posts/create", {"title": title})
        check(status, 201, f"a post: {answer}")
        return self.model.post_created({"id": answer["id"], "title": answer["title"]})

    def comment(self, post, content):
        """In C, comments takes none for a post it has not heard of yet."""
        end = time.monotonic() + 30 * SLOW
        while True:
            status, answer = self.ask("comments", "POST", f"/posts/{post}/comments", {"content": content})
            if status == 201:
                return self.model.comment_created(post, answer)
            check((status, time.monotonic() < end), (404, True), f"a comment: {answer}")
            time.sleep(0.005)

    def write(self, posts):
        for number in range(posts):
            post = self.post(f"post {number}")
            for comment in range(4):
                self.comment(post, f"comment {comment}" + " orange" * ((number + comment) % 3 == 0))

    def wait_view(self):
        """The twin of query knows no order of comments: those that come live while it reads the history stand
        before older ones."""
        def seen(view):
            return view if self.in_node != "query" else {id_: {**post, "comments": sorted(
                post["comments"], key=lambda comment: comment["id"])} for id_, post in view.items()}

        try:
            wait_until("the view equals the model's",
                       lambda: seen(self.ask("query", "GET", "/posts")[1]) == seen(self.model.view()), 60)
        except Failure as failure:
            difference = self.model.difference(self.ask("query", "GET", "/posts")[1])
            raise Failure(f"{failure}\n{difference}") from None

    def restart(self, name, meanwhile, kill):
        self.services[name].stop(kill)
        meanwhile()
        self.services[name].start()
        self.wait_joined(name)

    def stop(self):
        for service in self.services.values():
            child, service.child = service.child, None
            if child:
                child.kill()
                child.wait()


def scenarios(mesh, in_node):
    mixed = Mixed(mesh, in_node)
    try:
        mixed.write(10)
        mixed.wait_view()
        for name in ("query", "moderation"):
            for kill in (False, True):
                mixed.restart(name, lambda: mixed.write(5), kill)
        mixed.wait_view()
        for name in ("posts", "comments"):  # a twin in Node has its data in memory alone
            if name != in_node:
                mixed.restart(name, lambda: None, True)
        # While the bus is away there are no verdicts, and comments hears of no posts: write what needs neither.
        posts = [mixed.post(f"for comments {number}") for number in range(5)]
        for post in posts:
            mixed.comment(post, "before")
        mesh.bus.stop(kill=True)
        for post in posts:
            mixed.comment(post, "while the bus is away")
            mixed.post("while the bus is away")
        mesh.bus.start()
        mixed.write(5)
        mixed.wait_view()
        for hook in mesh.ask("GET", "/hooks")[1]:
            check((hook["parked"], hook["skipped"]), (0, 0), f"{hook}")
        print(f"  {in_node} in Node: {len(mixed.model.posts)} posts", flush=True)
    finally:
        mixed.stop()


def test_posts_in_node(mesh):
    scenarios(mesh, "posts")


def test_comments_in_node(mesh):
    scenarios(mesh, "comments")


def test_query_in_node(mesh):
    scenarios(mesh, "query")


def test_moderation_in_node(mesh):
    scenarios(mesh, "moderation")


if __name__ == "__main__":
    twins.skip_without_node()
    hooks.main(globals())
