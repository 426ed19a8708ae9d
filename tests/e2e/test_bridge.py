"""The bridge as a course's services see it: events over HTTP."""

import json
import os
import socket
import sqlite3
import subprocess

import mesh
from process import check, wait_until


def test_bridge_says_how_it_is(mesh):
    bridge = mesh.bridge()
    check(mesh.get("bridge", "/healthz"), {"alive": True}, "healthz")
    wait_until("the bridge has joined", lambda: mesh.readyz("bridge")["bus"]["live"], 20)
    check(mesh.ask("bridge", "GET", "/nothing").status, 404, "an unknown path")
    bridge.stop()


def s_run(mesh, *options):
    done = subprocess.run([mesh.program("weft-bridge"), "--data", mesh.data("other"), *options],
                          capture_output=True, text=True, timeout=20, check=False)
    return done.returncode, done.stdout, done.stderr


def s_config(mesh, config):
    path = os.path.join(mesh.scratch, f"config{len(os.listdir(mesh.scratch))}.json")
    with open(path, "w", encoding="utf-8") as file:
        file.write(config if isinstance(config, str) else json.dumps(config))
    return path


def test_bridge_tells_its_options(mesh):
    code, out, _ = s_run(mesh, "--help")
    check(code, 0, "exit status of --help")
    for option in ("--http", "--bus", "--data", "--config", "--bind-any"):
        check(option in out, True, f"{option} in {out}")
    for options, wanted in (
            (["--nonsense"], "unknown option"),
            (["--http", "0.0.0.0:0"], "--bind-any"),
            (["--http", "nonsense"], "HOST:PORT"),
            (["--config", "/nonexistent"], "/nonexistent"),
            (["--config", s_config(mesh, "{")], "line 1"),
            (["--config", s_config(mesh, {"nmaes": []})], "nmaes"),
            (["--config", s_config(mesh, {"names": [{"weft": "a"}]})], "rule 1"),
            (["--config", s_config(mesh, {"tokens": {"POST /evnts": "x"}})], "no such route")):
        code, _, error = s_run(mesh, *options)
        check((code, wanted in error), (2, True), f"{options}: {code} {error}")


def test_a_token_guards_a_route(mesh):
    bridge = mesh.bridge("--config", s_config(mesh, {"tokens": {"GET /readyz": "secret"}}))
    answer = mesh.ask("bridge", "GET", "/readyz")
    check((answer.status, answer.headers["WWW-Authenticate"]), (401, "Bearer"), "without a token")
    for token, status in (("secret", 200), ("secret2", 401), ("", 401)):
        answer = mesh.ask("bridge", "GET", "/readyz", headers={"Authorization": f"Bearer {token}"})
        check(answer.status, status, f"token {token!r}")
    check(mesh.ask("bridge", "GET", "/healthz").status, 200, "another route")
    bridge.stop()


NAMES = {"names": [{"weft": "post.created", "http": "PostCreated", "subject": "post/{id}"}]}
OK = {"status": "OK"}


def s_post(mesh, body, status=200, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = mesh.ask("bridge", "POST", "/events", body, headers)
    check(answer.status, status, f"POST {body!r:.200} {headers}: {answer!r}")
    if status == 200:
        check(answer.json, OK, "the answer of the course")
    return answer


def s_events(mesh, count):
    """The bridge's events in the log, once they are that many."""
    def bridged():
        return [event for event in mesh.events() if event["source"] == "weft-bridge"]
    wait_until(f"{count} events of the bridge are in the log", lambda: len(bridged()) >= count, 20)
    check(len(bridged()), count, "events of the bridge")
    return bridged()


def test_events_come_in_as_the_course_sends_them(mesh):
    bridge = mesh.bridge("--config", s_config(mesh, NAMES))
    s_post(mesh, {"type": "PostCreated", "data": {"id": "a1", "title": "hello"}})
    s_post(mesh, {"type": "odd", "data": [1, 2.5, None], "subject": "it/self"})
    s_post(mesh, {"type": "bare"})
    got = [(event["type"], event["subject"], event["data"]) for event in s_events(mesh, 3)]
    check(got, [("post.created", "post/a1", {"id": "a1", "title": "hello"}),
                ("odd", "it/self", [1, 2.5, None]), ("bare", "", None)], "what is in the log")
    wait_until("query shows the post", lambda: "a1" in mesh.get("query", "/posts"), 20)
    bridge.stop()


def test_bad_events_are_refused_by_name(mesh):
    bridge = mesh.bridge()
    for body, status, wanted in (
            (b"{", 400, "not valid JSON"), (b"\xff", 400, "UTF-8"), ([], 400, "JSON object"),
            ({}, 400, "type must be a text"), ({"type": 1}, 400, "type must be a text"),
            ({"type": "a b"}, 400, "dotted segments"), ({"type": "$x"}, 400, "dotted segments"),
            ({"type": "x" * 256}, 400, "dotted segments"),
            ({"type": "a", "subject": 1}, 400, "subject must be a text"),
            ({"type": "a", "subject": "x" * 1025}, 400, "1024 bytes"),
            ({"type": "a", "data": {"$odd": 1}}, 400, "data: "),
            ({"type": "a", "data": "x" * 262144}, 413, "262144"),
            (b'{"type":"a","data":"' + b"x" * (1 << 20) + b'"}', 413, "1048576")):
        answer = s_post(mesh, body, status)
        check(wanted in answer.json["errors"][0]["message"], True, f"{wanted} in {answer.json}")
    answer = s_post(mesh, b"x", 415, Content_Type="text/plain")
    check("application/json" in answer.json["errors"][0]["message"], True, repr(answer))
    # A bad event among good ones that wait for the same commit harms them not.
    s_post(mesh, {"type": "good"})
    s_events(mesh, 1)
    bridge.stop()


def test_cloudevents_come_in(mesh):
    bridge = mesh.bridge()
    event = {"specversion": "1.0", "id": "1", "source": "/here", "type": "a.b", "subject": "s/1",
             "data": {"x": 1}}
    structured = {"Content_Type": "application/cloudevents+json; charset=utf-8"}
    batch = {"Content_Type": "application/cloudevents-batch+json"}
    s_post(mesh, event, **structured)
    check(s_post(mesh, event, **structured).headers["Idempotency-Replayed"], "true", "a double")
    s_post(mesh, {**event, "id": "2", "data": None, "data_base64": "AAEC"}, 400, **structured)
    s_post(mesh, {**event, "id": "2", "specversion": "0.3"}, 400, **structured)
    s_post(mesh, {"specversion": "1.0", "id": "2", "source": "/here", "type": "bin",
                  "data_base64": "AAEC"}, **structured)
    s_post(mesh, [{**event, "id": "3"}, {**event, "id": "1"}, {**event, "id": "4"}], **batch)
    answer = s_post(mesh, [{**event, "id": "5"}, {**event, "id": ""}], 400, **batch)
    check(answer.json["errors"][0]["message"].startswith("event 2: id"), True, repr(answer))
    s_post(mesh, [], **batch)
    ce = {"ce_specversion": "1.0", "ce_source": "/here", "ce_type": "c", "ce_subject": "s%201"}
    s_post(mesh, {"y": 2}, ce_id="6", **ce)
    s_post(mesh, b"plain", ce_id="7", Content_Type="text/plain", **ce)
    s_post(mesh, b"\x00\x01", ce_id="8", Content_Type="application/octet-stream", **ce)
    s_post(mesh, {"y": 2}, ce_id="6", **ce)
    s_post(mesh, {"y": 2}, 400, ce_id="", **ce)
    got = [(event["type"], event["subject"], event["data"]) for event in s_events(mesh, 7)]
    check(got, [("a.b", "s/1", {"x": 1}), ("bin", "", {"$binary": "AAEC"}),
                ("a.b", "s/1", {"x": 1}), ("a.b", "s/1", {"x": 1}), ("c", "s 1", {"y": 2}),
                ("c", "s 1", "plain"), ("c", "s 1", {"$binary": "AAE="})], "what is in the log")
    bridge.stop()


def test_a_key_makes_a_repeated_post_one_event(mesh):
    bridge = mesh.bridge()
    s_post(mesh, {"type": "a"}, Idempotency_Key="k1")
    check(s_post(mesh, {"type": "a"}, Idempotency_Key="k1").headers["Idempotency-Replayed"], "true",
          "the second")
    s_post(mesh, {"type": "b"}, 422, Idempotency_Key="k1")
    s_post(mesh, {"type": "a"}, 400, Idempotency_Key="k 1")
    bridge.stop(kill=True)
    bridge.start()
    s_post(mesh, {"type": "a"}, Idempotency_Key="k1")
    s_post(mesh, {"type": "a"}, Idempotency_Key="k2")
    s_events(mesh, 2)
    bridge.stop()


def test_old_keys_go_faster_than_they_come(mesh):
    bridge = mesh.bridge("--keep-keys", "1")
    s_post(mesh, {"type": "a"}, Idempotency_Key="new")
    bridge.stop()
    db = sqlite3.connect(os.path.join(mesh.data("bridge"), "weft-bridge.db"), timeout=20)
    with db:
        db.executemany("INSERT INTO idempotency VALUES ('old', ?, 0, 0, 200, '', '', 1)",
                       [(str(key),) for key in range(3000)])
    bridge.start()
    wait_until("the old ones are gone",
               lambda: db.execute("SELECT count(*) FROM idempotency").fetchone()[0] == 1, 20)
    check(db.execute("SELECT key FROM idempotency").fetchall(), [("new",)], "what is left")
    db.close()
    bridge.stop()


def test_large_bodies_have_a_bound_together(mesh):
    bridge = mesh.bridge()
    blank, host, senders = b" " * (1 << 20), bridge.http.rsplit(":", 1), []
    for _ in range(200):  # each holds a megabyte, but for its last byte
        senders.append(socket.create_connection(host))
        senders[-1].sendall(b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                            b"Content-Length: 1048576\r\n\r\n" + blank[1:])
        answer = mesh.ask("bridge", "POST", "/events", blank)
        if answer.status == 503:
            break
        check(answer.status, 400, repr(answer))
    check((answer.status, answer.headers["Retry-After"]), (503, "1"), repr(answer))
    s_post(mesh, {"type": "small"})
    senders[0].sendall(b" ")
    check(b" 400 " in senders[0].recv(100), True, "the first of them is read to its end")
    for sender in senders:
        sender.close()
    wait_until("there is room again",
               lambda: mesh.ask("bridge", "POST", "/events", blank).status == 400, 20)
    bridge.stop()


def test_events_are_accepted_while_the_bus_is_down(mesh):
    bridge = mesh.bridge()
    mesh.bus.stop(kill=True)
    for number in range(20):
        s_post(mesh, {"type": "a", "data": number})
    bridge.stop(kill=True)
    bridge.start()
    mesh.bus.start()
    check([event["data"] for event in s_events(mesh, 20)], list(range(20)), "in order")
    bridge.stop()


if __name__ == "__main__":
    mesh.main(globals())
