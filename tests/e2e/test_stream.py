"""GET /posts/stream of blog-query: what changes is told as it happens, and after a cut without gap."""

import http.client
import json

import mesh as kit
from mesh import check, wait_until
from process import SLOW


class Stream:
    """Server-sent events of one connection, each as (id, name, data)."""

    def __init__(self, mesh, path="/posts/stream", name="query", **headers):
        host, port = mesh.services[name].http.rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=20 * SLOW)
        self.connection.request("GET", path, headers=headers)
        self.response = self.connection.getresponse()
        self.id = None

    def close(self):
        self.response.close()
        self.connection.close()

    def next(self):
        fields = {}
        while True:
            line = self.response.readline().decode().rstrip("\n")
            if not line and "data" in fields:
                self.id = fields.get("id", self.id)
                return int(fields["id"]), fields["event"], json.loads(fields["data"])
            name, _, value = line.partition(": ")
            if name:
                fields[name] = value

    def until(self, wanted):
        """Events up to and with the first that wanted takes."""
        told = [self.next()]
        while not wanted(told[-1]):
            told.append(self.next())
        return told


def new_post(mesh, title="A title"):
    return mesh.ask("posts", "POST", "/posts", {"title": title}).json["id"]


def new_comment(mesh, post, content):
    """As soon as comments has heard of the post: it waits 2 s for that, and says 404 then."""
    def answer():
        got = mesh.ask("comments", "POST", f"/posts/{post}/comments", {"content": content})
        return got.status == 201 and got
    return wait_until("comments takes a comment", answer).json[-1]["id"]


def test_changes_are_told_as_they_happen(mesh):
    stream = Stream(mesh)
    check((stream.response.status, stream.response.headers["Content-Type"].split(";")[0]),
          (200, "text/event-stream"), "the answer")
    post = new_post(mesh)
    version, name, data = stream.next()
    check((name, data["id"], data["title"]), ("post", post, "A title"), "a new post")
    comment = new_comment(mesh, post, "an orange")
    told = stream.until(lambda event: event[2].get("status") == "rejected")
    check({name for _, name, _ in told}, {"comment"}, "a comment and its outcome")
    check(told[-1][2], {"id": comment, "postId": post, "content": "an orange", "status": "rejected"}, "whole")
    mesh.ask("comments", "DELETE", f"/posts/{post}/comments/{comment}")
    check(stream.next()[1:], ("comment-gone", {"id": comment, "postId": post}), "a comment that is gone")
    mesh.ask("posts", "PUT", f"/posts/{post}", {"title": "New"})
    check(stream.next()[2]["title"], "New", "a new title")
    mesh.ask("posts", "DELETE", f"/posts/{post}")
    last = stream.next()
    check(last[1:], ("post-gone", {"id": post}), "a post that is gone")
    check(last[0] > told[0][0] > version, True, "versions grow")
    check(mesh.get("query", "/posts"), {}, "as the view has it")


def test_whoever_comes_back_misses_nothing_and_is_told_once(mesh):
    first = Stream(mesh)
    post = new_post(mesh)
    version = first.next()[0]
    first.close()
    comments = [new_comment(mesh, post, f"number {i}") for i in range(5)]
    mesh.ask("posts", "PUT", f"/posts/{post}", {"title": "Changed"})
    wait_until("all is judged", lambda: all(
        one["status"] == "approved" for one in mesh.get("query", f"/posts/{post}")["comments"]) and
        mesh.get("query", f"/posts/{post}")["title"] == "Changed" and
        len(mesh.get("query", f"/posts/{post}")["comments"]) == 5)
    now = int(mesh.ask("query", "GET", "/posts").headers["Weft-View"])
    mesh.stop("query")
    mesh.start("query")
    for stream in (Stream(mesh, f"/posts/stream?after={version}"),
                   Stream(mesh, "/posts/stream?after=0", **{"Last-Event-ID": str(version)})):
        told = stream.until(lambda event: event[0] == now)
        check(sorted(data["id"] for _, _, data in told), sorted([post, *comments]), "each once")
        check({data.get("status", "approved") for _, _, data in told}, {"approved"}, "as it is by now")
        ids = [number for number, _, _ in told]
        check(ids, sorted(set(ids)), "in order")
        stream.close()


def test_a_comment_before_its_post_is_told_after_it(mesh):
    stream = Stream(mesh)
    comment = '{"id":"0000000c","postId":"0000000a","content":"early","status":"approved"}'
    mesh.publish("comment.created", "post/0000000a", comment)
    early = stream.next()
    mesh.publish("post.created", "post/0000000a", '{"id":"0000000a","title":"late"}')
    check([stream.next()[1] for _ in range(2)], ["post", "comment"], "once more, behind its post")
    again = Stream(mesh, f"/posts/stream?after={early[0]}")
    check([again.next()[1] for _ in range(2)], ["post", "comment"], "also for one who saw it early")


def test_another_view_begins_anew_and_nonsense_is_refused(mesh):
    new_post(mesh)
    wait_until("query has it", lambda: len(mesh.get("query", "/posts")) == 1)
    stream = Stream(mesh, "/posts/stream?after=999")
    version, name, data = stream.next()
    check((name, data), ("reset", {}), "a version that this view has not had")
    check(version, int(mesh.ask("query", "GET", "/posts").headers["Weft-View"]), "the version that it has")
    for nonsense in ("-1", "x", "", "1e3", "99999999999999999999"):
        check(mesh.ask("query", "GET", f"/posts/stream?after={nonsense}").status, 400, nonsense)
    check(mesh.ask("query", "GET", "/posts/stream", None, {"Last-Event-ID": "x"}).status, 400, "Last-Event-ID")
    mesh.stop("query")  # checks the exit status: an open stream is no hindrance


def test_one_who_does_not_read_costs_nothing_and_gets_all_in_the_end(mesh):
    stream = Stream(mesh)
    posts = [new_post(mesh, "x" * 200) for _ in range(40)]
    bodies = [new_comment(mesh, posts[i % 40], f"{i} " + "y" * 9900) for i in range(80)]
    wait_until("query has all", lambda: mesh.readyz("query")["bus"]["behind"] == 0 and sum(
        len(post["comments"]) for post in mesh.get("query", "/posts").values()) == 80)
    wait_until("all is judged", lambda: all(one["status"] == "approved" for post in
                                            mesh.get("query", "/posts").values() for one in post["comments"]))
    now = int(mesh.ask("query", "GET", "/posts").headers["Weft-View"])
    latest = {}
    for _, _, data in stream.until(lambda event: event[0] == now):
        latest[data["id"]] = data
    check(set(latest), {*posts, *bodies}, "all of it")
    check({data.get("status", "approved") for data in latest.values()}, {"approved"}, "as it is in the end")


def test_through_blog_web_it_is_the_same(mesh):
    mesh.start_web()
    stream = Stream(mesh, "/api/posts/stream?after=0", "web")
    check(stream.response.headers["Content-Type"].split(";")[0], "text/event-stream", "handed on")
    post = new_post(mesh)
    version, name, data = stream.next()
    check((name, data["id"]), ("post", post), "piece by piece")
    mesh.stop("query")
    check(stream.response.read(), b"", "its end is handed on, too")
    check(mesh.ask("web", "GET", "/api/posts/stream").status, 503, "nobody there")
    mesh.start("query")
    again = Stream(mesh, "/api/posts/stream", "web", **{"Last-Event-ID": str(version - 1)})
    check(again.next()[2]["id"], post, "the place is handed on")
    check(mesh.ask("web", "GET", "/api/posts/stream?after=x").status, 400, "and a refusal")
    mesh.stop("web")


if __name__ == "__main__":
    kit.main(globals())
