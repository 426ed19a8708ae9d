"""Four services in Node in a course's style, with weft-bridge where their bus was: they work unmodified, and with
an upsert by id in query they lose and double nothing, whatever is restarted."""

import http.client
import json
import os
import threading

import hooks
import twins
from process import SLOW, Failure, check, wait_until

SERVICES = ("posts", "comments", "query", "moderation")
COMMENTS = int(os.environ.get("WEFT_TEST_COMMENTS", "100"))
ROUNDS = int(os.environ.get("WEFT_TEST_ROUNDS", "2"))


class Blog:
    def __init__(self, mesh, hook, upsert):
        self.mesh, self.wanted = mesh, {}  # wanted: what query must show
        bus = "http://" + mesh.http
        self.twins = {name: twins.Twin(name, bus, mesh.scratch, **({"UPSERT": "1"} if upsert else {}))
                      for name in SERVICES}
        words = [word for twin in self.twins.values() for word in ("--hook", twin.hook(*hook))]
        mesh.start("--config", twins.NAMES, *words)
        for twin in self.twins.values():
            twin.start()
        mesh.wait_live(*SERVICES)

    def ask(self, name, method, path, body=None):
        connection = http.client.HTTPConnection(self.twins[name].http, timeout=30 * SLOW)
        connection.request(method, path, None if body is None else json.dumps(body),
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        check(answer.status in (200, 201), True, f"{name} {method} {path}: {answer.status} {text[:200]}")
        return json.loads(text)

    def post(self, title):
        made = self.ask("posts", "POST", "/posts/create", {"title": title})
        self.wanted[made["id"]] = {"id": made["id"], "title": title, "comments": []}
        return made["id"]

    def comment(self, post, content):
        made = self.ask("comments", "POST", f"/posts/{post}/comments", {"content": content})[-1]
        self.wanted[post]["comments"].append(
            {"id": made["id"], "content": content,
             "status": "rejected" if "orange" in content else "approved"})

    def wait_right(self, what, order=True):
        """Without order: a comment that comes live while the history is still being read stands before older
        ones; an upsert by id cannot know better."""
        def seen(view):
            return view if order else {id_: {**post, "comments": sorted(
                post["comments"], key=lambda comment: comment["id"])} for id_, post in view.items()}

        try:
            wait_until(what, lambda: seen(self.ask("query", "GET", "/posts")) == seen(self.wanted), 60)
        except Failure as failure:
            view, wanted = seen(self.ask("query", "GET", "/posts")), seen(self.wanted)
            wrong = [(wanted[id_], view.get(id_)) for id_ in wanted if view.get(id_) != wanted[id_]]
            raise Failure(f"{failure}\n{len(wrong)} posts differ, the first: {wrong[:1]}") from None

    def stop(self):
        for twin in self.twins.values():
            child, twin.child = twin.child, None
            if child:
                child.kill()
                child.wait()


def test_unmodified_and_query_is_rebuilt_from_the_bus_alone(mesh):
    blog = Blog(mesh, ["mode=course"], upsert=False)
    try:
        post = blog.post("first")
        blog.comment(post, "an apple")
        blog.comment(post, "an orange")
        blog.wait_right("the blog works")
        blog.twins["query"].stop(kill=True)
        for number in range(COMMENTS):
            if number % 50 == 0:
                post = blog.post(f"post {number}")
            blog.comment(post, f"comment {number}" + " orange" * (number % 7 == 0))
        wait_until("moderation and comments are through, and query's hook has skipped it all", lambda: (
            mesh.hook("comments")["delivered"] == mesh.hook("posts")["delivered"] ==
            3 * COMMENTS + COMMENTS // 50 + 7 and mesh.hook("query")["skipped"] >= 3 * COMMENTS), 60)
        wait_until("no backlog", lambda: mesh.hook("query")["behind"] == 0)
        blog.twins["query"].start()
        blog.wait_right("the view is right, from GET /events alone")
        check(len(blog.wanted), COMMENTS // 50 + 1, "posts")
    finally:
        blog.stop()


def test_durable_and_an_upsert_nothing_is_lost_or_doubled_whatever_restarts(mesh):
    blog = Blog(mesh, [], upsert=True)
    done = threading.Event()
    failed = []

    def write():
        try:
            number = 0
            while not done.is_set():
                number += 1
                if number % 10 == 1:
                    post = blog.post(f"post {number}")
                blog.comment(post, f"comment {number}" + " orange" * (number % 5 == 0))
        except BaseException as error:  # pylint: disable=broad-except
            failed.append(error)

    try:
        for round_ in range(ROUNDS):
            done.clear()
            writer = threading.Thread(target=write)
            writer.start()
            before = sum(len(post["comments"]) for post in list(blog.wanted.values()))
            for name in ("query", "moderation", "query"):
                blog.twins[name].stop(kill=True)
                wait_until("much is written meanwhile", lambda: failed or sum(
                    len(post["comments"]) for post in list(blog.wanted.values())) > before + 20, 30)
                before += 20
                blog.twins[name].start()
            done.set()
            writer.join()
            check(failed, [], "the writer")
            blog.wait_right(f"the view is right, round {round_ + 1} of {ROUNDS}", order=False)
        print(f"  {ROUNDS} of {ROUNDS} rounds right, {len(blog.wanted)} posts", flush=True)
        check([mesh.hook(name)["parked"] for name in SERVICES], [0] * 4, "parked")
    finally:
        done.set()
        blog.stop()


if __name__ == "__main__":
    twins.skip_without_node()
    hooks.main(globals())
