"""Whoever wrote sees the write, also through another service: Weft-After, Weft-Wait, Weft-Parked."""

import concurrent.futures
import json
import os
import re
import sqlite3
import subprocess
import time

import mesh as kit
from mesh import check, wait_until

TIMES = int(os.environ.get("WEFT_TEST_TIMES", "1000"))
PARALLEL = 50
PATIENCE_MS = 30000  # what comes is waited for longer than a machine may stall
# Some tenths of a second of work in each handler that writes a comment.
SLOW_HANDLER = """
CREATE TRIGGER slow AFTER INSERT ON comments BEGIN
  SELECT (WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2000000)
          SELECT count(*) FROM c);
END"""
POISON = """
CREATE TRIGGER poison BEFORE INSERT ON comments WHEN NEW.content = 'poison'
BEGIN SELECT RAISE(FAIL, 'poison'); END"""


def execute(mesh, service, sql):
    """Change a running service's database from outside."""
    db = sqlite3.connect(os.path.join(mesh.data(service), f"blog-{service}.db"), timeout=30)
    with db:
        db.execute(sql)
    db.close()


def create_post(mesh, title="a post"):
    answer = mesh.ask("posts", "POST", "/posts", {"title": title})
    check(answer.status, 201, repr(answer))
    return answer.json["id"], token(answer)


def token(answer):
    found = answer.headers["Weft-After"]
    assert found and re.fullmatch(r"[0-9a-f]{32}:[1-9][0-9]*", found), repr(found)
    return found


def write_comment(client, post_id, content):
    answer = client.request("POST", f"/posts/{post_id}/comments", {"content": content})
    check(answer.status, 201, repr(answer))
    return token(answer)


def read(client, post_id, after, wait_ms=PATIENCE_MS, path=None):
    """wait_ms None: as long as the service waits of itself."""
    return client.request("GET", path or f"/posts/{post_id}", headers={
        "Weft-After": after, "Weft-Wait": None if wait_ms is None else str(wait_ms)})


def contents(answer):
    check(answer.status, 200, repr(answer))
    return [one["content"] for one in answer.json["comments"]]


def known_post(mesh):
    """A post that comments and query know of."""
    post_id, after = create_post(mesh)
    for name, path in (("comments", f"/posts/{post_id}/comments"), ("query", f"/posts/{post_id}")):
        answer = mesh.ask(name, "GET", path, headers={"Weft-After": after, "Weft-Wait": str(PATIENCE_MS)})
        check(answer.status, 200, f"{name}: {answer!r}")
    return post_id


def test_each_comment_is_seen_by_the_read_that_follows(mesh):
    comments, query = mesh.client("comments"), mesh.client("query")
    post_id, seen = known_post(mesh), 0
    began = time.monotonic()
    for number in range(TIMES):
        if number % 100 == 0:
            post_id, seen = known_post(mesh), 0
        after = write_comment(comments, post_id, f"comment {number}")
        got = contents(read(query, post_id, after))
        seen += 1
        check(got[-1:], [f"comment {number}"], f"read {number}")
        check(len(got), seen, "all the comments before it")
    print(f"  {TIMES} times in {time.monotonic() - began:.1f} s", flush=True)


def test_also_when_many_write_and_read_at_once(mesh):
    def worker(number):
        comments, query = mesh.client("comments"), mesh.client("query")
        for turn in range(max(TIMES // PARALLEL, 1)):
            content = f"comment {number}/{turn}"
            after = write_comment(comments, post_id, content)
            assert content in contents(read(query, post_id, after)), content
        return number

    post_id = known_post(mesh)
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        check(sorted(pool.map(worker, range(PARALLEL))), list(range(PARALLEL)), "all have ended")


def test_a_read_waits_for_a_handler_that_is_slow(mesh):
    post_id = known_post(mesh)
    comments, query = mesh.client("comments"), mesh.client("query")
    execute(mesh, "query", SLOW_HANDLER)
    began = time.monotonic()
    write_comment(comments, post_id, "slow")
    last = [write_comment(comments, post_id, f"pile {number}") for number in range(4)][-1]
    written = time.monotonic()
    check(contents(read(query, post_id, last, 30000)),
          ["slow", *[f"pile {number}" for number in range(4)]], "after the wait")
    print(f"  written in {written - began:.2f} s, seen {time.monotonic() - written:.2f} s later")


def test_a_read_waits_while_a_handler_is_tried_again(mesh):
    post_id = known_post(mesh)
    mesh.stop("query")
    mesh.services["query"].arguments += ["--park-after", "1000"]
    mesh.start("query")
    mesh.wait_joined("query")
    query, patient = mesh.client("query"), mesh.client("query")
    execute(mesh, "query", POISON)
    after = write_comment(mesh.client("comments"), post_id, "poison")
    wait_until("the handler has failed", lambda: "poison" in mesh.services["query"].log())
    answer = read(query, post_id, after, 3000)  # within it the bus must have told where the event is
    check((answer.status, answer.json["wait"]["reason"]), (503, "TIMEOUT"), repr(answer))
    check(answer.json["wait"]["behind"] >= 1, True, repr(answer))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(read, patient, post_id, after, 30000)
        wait_until("the request is held", lambda: mesh.readyz("query")["held"] == 1)
        check(contents(query.request("GET", f"/posts/{post_id}")), [], "without a token: as it is")
        execute(mesh, "query", "DROP TRIGGER poison")
        check(contents(waiting.result()), ["poison"], "when the handler has done it")


def test_an_event_of_no_interest_is_passed_at_once(mesh):
    """blog-posts handles nothing: what it waits for it learns from commit records alone."""
    post_id = known_post(mesh)
    comments, posts = mesh.client("comments"), mesh.client("posts")
    began = time.monotonic()
    for number in range(20):
        after = write_comment(comments, post_id, f"comment {number}")
        answer = read(posts, post_id, after)
        check(answer.status, 200, repr(answer))
    took = time.monotonic() - began
    check(took < 10 * kit.SLOW, True, f"20 times in {took:.1f} s, not a second each")


def test_without_the_bus_the_refusal_comes_in_time_and_the_loop_goes_on(mesh):
    post_id = known_post(mesh)
    comments, query = mesh.client("comments"), mesh.client("query")
    old = write_comment(comments, post_id, "before")
    check(contents(read(query, post_id, old)), ["before"], "while the bus is there")
    mesh.bus.stop(kill=True)
    after = write_comment(comments, post_id, "without the bus")
    check(contents(read(query, post_id, old)), ["before"], "what was applied needs no bus")
    check(mesh.ask("comments", "GET", f"/posts/{post_id}/comments",
                   headers={"Weft-After": after}).status, 200, "one's own write needs no bus")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        # Long enough to be seen held also if this stalls for a while.
        waiting = pool.submit(read, query, post_id, after, 6000)
        wait_until("the request is held", lambda: mesh.readyz("query")["held"] == 1)
        alive = 0
        while not waiting.done():
            check(mesh.ask("query", "GET", "/healthz").status, 200, "/healthz meanwhile")
            alive += 1
        answer, took = waiting.result(), time.monotonic() - began
    check(answer.status, 503, repr(answer))
    check(answer.headers["Retry-After"], "1", "Retry-After")
    check(answer.json["wait"]["reason"], "UNREACHABLE", repr(answer))
    check(answer.json["errors"][0]["field"], "Weft-After", repr(answer))
    check(5.9 < took < 6 + 6 * kit.SLOW, True, f"refused after {took:.2f} s")
    check(alive > 10, True, f"{alive} answers of /healthz meanwhile")
    check(read(query, post_id, after, 0).status, 503, "Weft-Wait: 0 only looks")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(read, query, post_id, after, 30000)
        wait_until("the request is held", lambda: mesh.readyz("query")["held"] == 1)
        mesh.bus.start()
        check(contents(waiting.result())[-1], "without the bus", "the bus is back in time")


def test_old_events_restarts_and_several_services(mesh):
    post_id, posted = create_post(mesh)
    comments = mesh.client("comments")
    commented = write_comment(comments, post_id, "one")
    both = f"{posted}, {commented}"
    check(contents(read(mesh.client("query"), post_id, both)), ["one"], "both at once")
    mesh.stop("query")
    mesh.bus.stop()
    mesh.bus.start()
    mesh.start("query")
    query = mesh.client("query")
    check(contents(read(query, post_id, both)), ["one"], "stored before both were started anew")
    mesh.stop("query", kill=True)
    os.unlink(os.path.join(mesh.data("query"), "blog-query.db"))
    mesh.start("query")
    check(contents(read(mesh.client("query"), post_id, both)), ["one"], "from an empty database")


def test_what_never_comes_is_refused_by_reason(mesh):
    post_id = known_post(mesh)
    query = mesh.client("query")
    origin, sequence = create_post(mesh)[1].split(":")
    answer = read(query, post_id, f"{origin}:{int(sequence) + 1000}", 3000)  # so long the bus may take to say so
    check((answer.status, answer.json["wait"]["reason"]), (503, "NOT_FOUND"), repr(answer))
    began = time.monotonic()
    answer = read(query, post_id, "ab" * 16 + ":1", None)
    check((answer.status, answer.json["wait"]["reason"]), (503, "NOT_FOUND"), repr(answer))
    check(time.monotonic() - began > 1.9, True, "without Weft-Wait it waits 2 s")


def test_events_that_were_set_aside_are_told(mesh):
    post_id = known_post(mesh)
    execute(mesh, "query", POISON)
    after = write_comment(mesh.client("comments"), post_id, "poison")
    query = mesh.client("query")
    answer = read(query, post_id, after, 30000)
    check(contents(answer), [], "the event is parked, and its write is not there")
    check(int(answer.headers["Weft-Parked"]) >= 1, True, "Weft-Parked tells")
    check(mesh.ask("query", "GET", f"/posts/{post_id}").headers["Weft-Parked"], None,
          "who does not ask is not told")
    execute(mesh, "query", "DROP TRIGGER poison")
    mesh.weft("dead", "retry", "blog-query")
    wait_until("nothing is parked", lambda: mesh.readyz("query")["parked"] == 0, 20)
    answer = read(query, post_id, after)
    check((contents(answer), answer.headers["Weft-Parked"]), (["poison"], None), "after the retry")


def test_malformed_headers_are_refused(mesh):
    post_id, after = create_post(mesh)
    query = mesh.client("query")
    for value in ("", "x", after.replace(":", ";"), after + "x", after + ",", "," + after,
                  after + " " + after, "0" * 32 + ":1", after.split(":")[0] + ":0",
                  after.split(":")[0] + ":" + "9" * 19, after.split(":")[0] + ":01", "é" + after,
                  ",".join([after] * 9)):
        answer = query.request("GET", f"/posts/{post_id}",
                               headers={"Weft-After": value.encode()})
        check((answer.status, answer.json["errors"][0]["field"]), (400, "Weft-After"), repr(value))
    for value in ("", "-1", "1.5", "30001", "soon"):
        answer = read(query, post_id, after, value)
        check((answer.status, answer.json["errors"][0]["field"]), (400, "Weft-Wait"), repr(value))
    check(read(query, post_id, ", ".join([after] * 8), 30000).status, 200, "8 are taken")
    check(mesh.ask("posts", "PUT", f"/posts/{post_id}", {"title": "new"},
                   {"Weft-After": "x"}).status, 200, "a write does not look at it")
    preflight = mesh.ask("query", "OPTIONS", "/posts")
    for header in ("Weft-After", "Weft-Wait"):
        assert header in preflight.headers["Access-Control-Allow-Headers"], header
    for header in ("Weft-After", "Weft-Parked"):
        assert header in mesh.ask("query", "GET", "/posts").headers[
            "Access-Control-Expose-Headers"], header


def test_a_repeated_key_gets_a_token_too(mesh):
    body, headers = {"title": "once"}, {"Idempotency-Key": "key"}
    first = mesh.ask("posts", "POST", "/posts", body, headers)
    again = mesh.ask("posts", "POST", "/posts", body, headers)
    check(again.headers["Idempotency-Replayed"], "true", repr(again))
    check(token(again), token(first), "the same, as nothing was written since")


def test_through_the_one_origin_of_the_browser_too(mesh):
    mesh.start_web()
    web = mesh.client("web")
    post_id = known_post(mesh)
    for number in range(20):
        answer = web.request("POST", f"/api/posts/{post_id}/comments", {"content": f"{number}"})
        check(answer.status, 201, repr(answer))
        seen = contents(read(web, None, token(answer), path=f"/api/posts/{post_id}"))
        check(seen[-1], f"{number}", "by way of blog-web")


def test_weft_wait_waits_for_a_service(mesh):
    def wait(*words):
        return subprocess.run([mesh.program("weft"), "wait", *words, "--bus", mesh.endpoint],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60 * kit.SLOW, check=False)

    post_id = known_post(mesh)
    comments = mesh.client("comments")
    for service in ("blog-query", "blog-posts"):  # posts handles nothing of this
        began = time.monotonic()
        for number in range(5):
            after = write_comment(comments, post_id, f"comment {number}")
            done = wait(service, after, "--timeout", "30")
            check((done.returncode, done.stderr), (0, ""), f"weft wait {service}")
        took = time.monotonic() - began
        check(took < 5 * kit.SLOW, True, f"5 times in {took:.1f} s, not a second each")
    head = int(mesh.weft("count").split()[0])
    done = wait("blog-query", "--json", "--timeout", "30")
    answer = json.loads(done.stdout)
    check(answer["service"], "blog-query", done.stdout)
    check(answer["position"] >= answer["target"] >= head, True, f"{done.stdout} head {head}")
    check(wait("blog-query", "1").returncode, 0, "a position long ago")
    for words, says in ((("blog-query", str(head + 1000), "--timeout", "3"), "behind"),
                        (("blog-query", "ab" * 16 + ":1", "--timeout", "3"), "does not have"),
                        (("nobody", "1", "--timeout", "3"), "never seen"),
                        (("blog-query", "1", "--timeout", "0"), None)):
        done = wait(*words)
        check(done.returncode, 1 if says else 0, f"{words}: {done}")
        check((says or "") in done.stderr, True, done.stderr)
    for words in (("blog-query", "x"), ("blog-query", "-1"), ("blog-query", after + ":1"), ()):
        done = wait(*words)
        check((done.returncode, done.stderr.count("\n")), (2, 1), f"{words}: {done}")
    mesh.stop("query")
    after = write_comment(comments, post_id, "query is away")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait, "blog-query", after, "--timeout", "60")
        check(wait("blog-query", after, "--timeout", "0.3").returncode, 1, "it is down")
        mesh.start("query")
        check(waiting.result().returncode, 0, "it has come and applied it")


if __name__ == "__main__":
    kit.main(globals())
