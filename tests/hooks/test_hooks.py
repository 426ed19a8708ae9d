"""Hooks of the bridge: what is sent, in which order, how often, to receivers that behave and to those that don't."""

import os
import resource
import socket
import sqlite3
import subprocess
import threading

import hooks
from process import Failure, check, wait_until


def in_order_once(receiver, wanted, what=""):
    wait_until(f"{what} all has come: {len(receiver.taken)} of {len(wanted)}",
               lambda: len(receiver.taken) >= len(wanted), 40)
    check(receiver.positions, list(wanted), what)


def wait_hook(mesh, name, **wanted):
    """A receiver has an event before the bridge has its answer."""
    def told():
        hook = mesh.hook(name)
        return {key: hook[key] for key in wanted}
    try:
        wait_until(f"{name} has {wanted}", lambda: told() == wanted, 20)
    except Failure as failure:
        raise Failure(f"{failure}; {mesh.hook(name)}") from None


def test_events_come_in_order_as_the_course_has_them(mesh):
    all_, some = mesh.receiver(), mesh.receiver()
    mesh.publish("post.created", [{"id": "1"}], "post/1")
    mesh.start("--hook", f"all={all_.url()}", "--hook", f"some={some.url('/x')}=comment.*,post.updated")
    mesh.publish("comment.created", [{"id": n} for n in range(100)], "post/1")
    last = mesh.publish("post.updated", [None])
    in_order_once(all_, range(1, last + 1), "all")
    in_order_once(some, range(2, last + 1), "some")
    first = all_.taken[0]
    check(first.json, {"type": "post.created", "data": {"id": "1"}}, "body")
    check((first.path, first.headers["content-type"], first.headers["weft-hook"]),
          ("/events", "application/json", "all"), "head")
    check(some.taken[0].path, "/x", "path")
    check([got.id for got in all_.taken[1:]], [got.id for got in some.taken], "ids are the events' own")
    check(len({got.id for got in all_.taken}), last, "ids differ")
    check(all_.connections, 1, "connections")
    wait_hook(mesh, "all", delivered=last)


def test_events_come_as_cloudevents(mesh):
    one, two = mesh.receiver(), mesh.receiver()
    mesh.start("--hook", f"one={one.url()};format=cloudevents",
               "--hook", f"two={two.url()};format=cloudevents-binary")
    mesh.publish("post.created", [{"title": "ü"}], "post/1 ü")
    in_order_once(one, [1])
    in_order_once(two, [1])
    whole, head = one.taken[0].json, two.taken[0].headers
    check(one.taken[0].headers["content-type"], "application/cloudevents+json", "structured")
    check({key: whole[key] for key in ("specversion", "type", "source", "subject", "data", "weftposition")},
          {"specversion": "1.0", "type": "post.created", "source": "/weft", "subject": "post/1 ü",
           "data": {"title": "ü"}, "weftposition": "1"}, "structured")
    check(whole["id"], one.taken[0].id, "id")
    check(two.taken[0].json, {"title": "ü"}, "binary: the body is the data")
    check((head["ce-type"], head["ce-subject"], head["ce-id"], head["content-type"], head["ce-time"]),
          ("post.created", "post/1%20%C3%BC", whole["id"], "application/json", whole["time"]), "binary")


def test_types_have_the_names_of_the_configuration(mesh):
    one, two = mesh.receiver(), mesh.receiver()
    names = os.path.join(os.environ["WEFT_SOURCE_DIR"], "src/services/bridge/blog-names.json")
    mesh.start("--config", names, "--hook", f"one={one.url()}=PostCreated,comment.*",
               "--hook", f"two={two.url()}=PostCreated;format=cloudevents")
    for type_ in ("post.created", "post.updated", "comment.created"):
        mesh.publish(type_, [1])
    in_order_once(one, [1, 3])
    in_order_once(two, [1])
    check([got.json["type"] for got in one.taken + two.taken],
          ["PostCreated", "CommentCreated", "PostCreated"], "types")


def test_what_fails_comes_again_in_order(mesh):
    """Each event is refused, reset, cut, hung up on or babbled at before it is taken."""
    tries = {}

    def script(got):
        tries[got.position] = tries.get(got.position, 0) + 1
        if tries[got.position] == 2 or got.position % 7 == 0:
            return 200
        return ["reset", 500, "half", "noise", "hang", 404][got.position % 7 - 1]

    receiver = mesh.receiver(script)
    mesh.start("--hook", f"bad={receiver.url()};timeoutMs=1500")
    mesh.publish("a.b", range(20))
    in_order_once(receiver, range(1, 21))
    for got in receiver.taken:  # a reset of a kept connection is tried again by itself, too
        check(got.position % 7 == 0 or tries[got.position] == 2, True, f"{got.position}: {tries}")
    check(mesh.hook("bad")["parked"], 0, "parked")


def test_who_is_busy_or_away_is_waited_for_without_end(mesh):
    busy = {"left": 5}

    def script(got):
        busy["left"] -= 1
        return 200 if busy["left"] < 0 else (503, {"Retry-After": "0"})

    receiver, away = mesh.receiver(script), mesh.receiver()
    away.down()
    mesh.start("--hook", f"busy={receiver.url()};attempts=2", "--hook", f"away={away.url()};attempts=1")
    mesh.publish("a.b", range(3))
    in_order_once(receiver, [1, 2, 3])
    wait_until("it is tried", lambda: mesh.hook("away")["retried"] > 3, 20)
    wait_hook(mesh, "away", state="waiting")
    check("connect" in mesh.hook("away")["error"], True, mesh.hook("away")["error"])
    away.up()
    in_order_once(away, [1, 2, 3])
    check([mesh.hook(name)["parked"] for name in ("busy", "away")], [0, 0], "parked")


def test_what_is_refused_too_often_is_parked_and_can_be_sent_again(mesh):
    accept = {"all": False}
    receiver = mesh.receiver(lambda got: 200 if accept["all"] or got.position != 2 else 422)
    mesh.start("--hook", f"picky={receiver.url()};attempts=3")
    mesh.publish("a.b", ["one", "two", "three"], "thing/1")
    in_order_once(receiver, [1, 3])
    check(len(receiver.seen), 5, "requests")
    wait_hook(mesh, "picky", parked=1, position=3, behind=0)
    row = mesh.ask("GET", "/hooks/picky/parked")[1][0]
    check({key: row[key] for key in ("position", "type", "subject", "attempts", "error", "body")},
          {"position": 2, "type": "a.b", "subject": "thing/1", "attempts": 3, "error": "status 422",
           "body": {"type": "a.b", "data": "two"}}, "parked")
    mesh.restart()
    check(mesh.ask("POST", "/hooks/picky/retry")[0], 202, "retry")
    # As the bridge has it: a retry that comes while one is under way is none of its own.
    wait_until("it is refused again", lambda: "position=2 taken=0" in mesh.bridge.log())
    check((len(receiver.seen), mesh.hook("picky")["parked"]), (6, 1), "still parked")
    accept["all"] = True
    mesh.ask("POST", "/hooks/picky/retry")
    wait_until("it is no more parked", lambda: mesh.hook("picky")["parked"] == 0)
    check((receiver.positions, receiver.taken[-1].id), ([1, 3, 2], receiver.seen[1].id), "taken")
    accept["all"] = False
    mesh.put("picky", start=1)  # once more from there, to be dropped
    wait_until("parked again", lambda: mesh.hook("picky")["parked"] == 1, 20)
    check(mesh.ask("DELETE", "/hooks/picky/parked?position=2"), (200, {"dropped": 1}), "drop")
    check(mesh.ask("GET", "/hooks/picky/parked"), (200, []), "parked")


def test_a_retry_passes_over_what_cannot_be_sent(mesh):
    """An event whose data has no JSON form is parked without a body: it is not sent as an empty one."""
    accept = {"what": 422}
    receiver = mesh.receiver(lambda got: accept["what"])
    mesh.start("--hook", f"h={receiver.url()};attempts=1")
    mesh.publish("a.b", ["one", "two"])
    wait_until("both are parked", lambda: mesh.hook("h")["parked"] == 2)
    mesh.bridge.stop()
    with sqlite3.connect(os.path.join(mesh.scratch, "weft-bridge.db")) as db:
        db.execute("UPDATE hooks_parked SET headers = '[]', body = x'' WHERE position = 1")
    db.close()
    mesh.bridge.start()
    accept["what"] = "long"  # what a receiver says beside 200 is of no interest
    check(mesh.ask("POST", "/hooks/h/retry")[0], 202, "retry")
    wait_until("the other is taken", lambda: mesh.hook("h")["parked"] == 1)
    check((receiver.positions, len(receiver.seen)), ([2], 3), "requests")
    check([row["position"] for row in mesh.ask("GET", "/hooks/h/parked")[1]], [1], "parked")


def test_who_cannot_be_reached_is_waited_for_without_end(mesh):
    """A connection that does not come about in time is no refusal."""
    receiver = mesh.receiver()
    receiver.down()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", receiver.port))
    listener.listen(0)
    waiting = [socket.socket() for _ in range(3)]
    for one in waiting:  # who comes after these gets no answer at all
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", receiver.port))
    mesh.start("--hook", f"h={receiver.url()};attempts=1;timeoutMs=1000")
    mesh.publish("a.b", [1, 2])
    hook = wait_until("it is tried", lambda: (hook := mesh.hook("h")) and
                      (hook["retried"] > 1 or hook["parked"]) and hook, 20)
    check((hook["parked"], "timeout" in hook["error"]), (0, True), hook)
    for one in [*waiting, listener]:
        one.close()
    receiver.up()
    in_order_once(receiver, [1, 2])


def test_now_is_the_moment_when_it_was_said(mesh):
    """What comes after it is not lost when nothing has been taken yet: over a restart, over a long wait."""
    idle, away = mesh.receiver(), mesh.receiver()
    mesh.publish("a.b", range(3))
    mesh.start()
    mesh.put("idle", url=idle.url(), start="now")
    mesh.wait_live("idle")
    mesh.bridge.stop()
    mesh.publish("a.b", [4])
    mesh.bridge.start()
    in_order_once(idle, [4], "stored while the bridge was down")
    away.down()
    mesh.put("away", url=away.url(), start="now")
    mesh.wait_live("away")
    check(mesh.hook("away")["behind"], 0, "behind")
    mesh.publish("a.b", [5])
    wait_until("it holds nothing while it waits", lambda: mesh.hook("away")["retried"] > 5, 20)
    away.up()
    in_order_once(away, [5], "stored while nobody was there")


def test_a_hook_without_descriptors_waits_for_some(mesh):
    receiver = mesh.receiver()
    mesh.start("--hook", f"h={receiver.url()};paused=true")
    mesh.publish("a.b", [1])
    child = mesh.bridge.child.pid
    usual = resource.prlimit(child, resource.RLIMIT_NOFILE)
    used = [int(fd) for fd in os.listdir(f"/proc/{child}/fd")]
    most = next(most for most in range(8192) if most - sum(fd < most for fd in used) == 2)
    resource.prlimit(child, resource.RLIMIT_NOFILE, (most, usual[1]))
    mesh.put("h", paused=False)
    hook = wait_until("it has no descriptors", lambda: (hook := mesh.hook("h"))["error"] and hook)
    check(hook["state"], "waiting", hook)
    resource.prlimit(child, resource.RLIMIT_NOFILE, usual)
    in_order_once(receiver, [1])
    wait_hook(mesh, "h", error="")


def test_a_second_change_leaves_the_first_as_it_was(mesh):
    go = threading.Event()
    receiver = mesh.receiver(lambda got: 200 if got.position < 3 or go.wait(20) else 500)
    mesh.start("--hook", f"h={receiver.url()}")
    mesh.publish("a.b", range(3))
    wait_until("the third is under way", lambda: len(receiver.seen) == 3)
    mesh.put("h", start="start")
    mesh.put("h", attempts=5)
    go.set()
    in_order_once(receiver, [1, 2, 3, 1, 2, 3], "from the start")


def test_mode_course_posts_once_and_keeps_no_backlog(mesh):
    fail = {"what": 200}
    receiver = mesh.receiver(lambda got: fail["what"])
    mesh.publish("a.b", ["before"])
    mesh.start("--hook", f"once={receiver.url()};mode=course;timeoutMs=1500")
    mesh.wait_live("once")
    mesh.publish("a.b", [2])
    in_order_once(receiver, [2], "what was before is not sent")
    fail["what"] = 500
    mesh.publish("a.b", [3, 4])
    wait_until("both are skipped", lambda: mesh.hook("once")["skipped"] == 2)
    receiver.down()
    mesh.publish("a.b", range(5, 105))
    wait_until("all are skipped", lambda: mesh.hook("once")["skipped"] == 102)
    receiver.up()
    fail["what"] = "hang"
    mesh.publish("a.b", range(105, 205))  # all but the first wait behind it: for nothing
    wait_until("all are skipped", lambda: mesh.hook("once")["skipped"] == 202)
    fail["what"] = 200
    mesh.publish("a.b", [205])
    in_order_once(receiver, [2, 205])
    mesh.bridge.stop()
    mesh.publish("a.b", [206])
    mesh.bridge.start()
    mesh.wait_live("once")
    mesh.publish("a.b", [207])
    in_order_once(receiver, [2, 205, 207], "what came while the bridge was down is not sent")
    check(len([got for got in receiver.seen if got.position > 204]), 2, "requests: each once")


def test_hooks_are_set_changed_paused_and_removed(mesh):
    receiver, other = mesh.receiver(), mesh.receiver()
    mesh.publish("a.b", range(5))
    mesh.start()
    check(mesh.ask("GET", "/hooks"), (200, []), "none")
    check(mesh.ask("PUT", "/hooks/h", {"url": receiver.url(), "start": 3})[0], 201, "new")
    in_order_once(receiver, [4, 5])
    mesh.put("h", paused=True)
    check(mesh.hook("h")["state"], "paused", "state")
    mesh.publish("a.b", range(5))
    mesh.restart()
    check(mesh.hook("h")["state"], "paused", "paused over a restart")
    mesh.put("h", paused=False, url=other.url())
    in_order_once(other, range(6, 11), "the same place, another URL")
    mesh.put("h", start="start", url=receiver.url())
    in_order_once(receiver, [4, 5, *range(1, 11)], "from the start")
    mesh.put("n", url=other.url(), start="now")
    mesh.wait_live("n", "h")
    mesh.publish("a.b", [None])
    in_order_once(other, [*range(6, 11), 11], "now")
    in_order_once(receiver, [4, 5, *range(1, 12)])
    check([hook["name"] for hook in mesh.ask("GET", "/hooks")[1]], ["h", "n"], "list")
    check(mesh.ask("DELETE", "/hooks/h")[0], 204, "gone")
    for method, path in (("GET", "/hooks/h"), ("DELETE", "/hooks/h"), ("POST", "/hooks/h/retry"),
                         ("GET", "/hooks/h/parked"), ("DELETE", "/hooks/h/parked")):
        check(mesh.ask(method, path)[0], 404, f"{method} {path}")
    mesh.restart()
    check([hook["name"] for hook in mesh.ask("GET", "/hooks")[1]], ["n"], "list")


def test_wrong_words_are_refused_by_name(mesh):
    mesh.start()
    for field, value in (("url", "ftp://h/"), ("url", "http://u:p@h/"), ("url", None), ("filters", "a"),
                         ("filters", ["a..b"]), ("filters", ["a.>.b"]), ("mode", "both"),
                         ("format", "xml"), ("parallel", 0), ("parallel", 65), ("attempts", -1),
                         ("timeoutMs", 0), ("paused", 1), ("start", "later"), ("start", -1),
                         ("colour", "red")):
        body = {"url": "http://127.0.0.1:1/", field: value}
        status, answer = mesh.ask("PUT", "/hooks/h", {**body, field: value})
        check((status, answer["errors"][0]["field"]), (400, field), f"{field}={value}: {answer}")
    check(mesh.ask("PUT", "/hooks/a%20b", {"url": "http://127.0.0.1:1/"})[0], 400, "name")
    check(mesh.ask("GET", "/hooks"), (200, []), "nothing was kept")
    mesh.bridge.stop()
    for word in ("http://127.0.0.1/", "a b=http://h/", "h=", "h=http://h/=a..b", "h=http://h/;mode",
                 "h=http://h/;mode=both", "h=http://h/;parallel=many"):
        done = subprocess.run([*mesh.bridge.arguments, "--hook", word], capture_output=True, text=True,
                              timeout=20, check=False)
        check((done.returncode, done.stderr.splitlines()[-1].startswith(f"weft-bridge: --hook '{word}': ")),
              (2, True), done.stderr)


def test_a_clean_restart_repeats_nothing(mesh):
    receiver = mesh.receiver()
    mesh.start("--hook", f"h={receiver.url()};timeoutMs=10000")
    for round_ in range(5):
        last = mesh.publish("a.b", range(200))
        if round_ == 2:  # while it is busy
            wait_until("some have come", lambda: len(receiver.taken) > 450)
        mesh.restart()
    in_order_once(receiver, range(1, last + 1))


def test_a_bus_that_goes_and_comes_loses_nothing(mesh):
    receiver = mesh.receiver()
    mesh.start("--hook", f"h={receiver.url()}")
    for _ in range(3):
        last = mesh.publish("a.b", range(50))
        mesh.bus.stop(kill=True)
        mesh.bus.start()
    in_order_once(receiver, range(1, last + 1))


def test_several_at_once_keep_the_order_of_each_subject(mesh):
    flying, most = set(), {"at_once": 0, "of one subject": 1}

    def script(got):
        flying.add(got.position)
        most["at_once"] = max(most["at_once"], len(flying))
        subjects = [(position - 1) // 30 for position in list(flying)]
        most["of one subject"] = max(most["of one subject"], *(subjects.count(one) for one in subjects))
        try:
            hooks.time.sleep(0.005)
        finally:
            flying.discard(got.position)
        times = sum(one.position == got.position for one in list(receiver.seen))
        return 500 if got.position % 50 == 0 and times == 1 else 200

    receiver = mesh.receiver(script)
    for subject in range(6):
        last = mesh.publish("a.b", range(30), f"thing/{subject}")
    mesh.start("--hook", f"h={receiver.url()};parallel=4")
    wait_until("all have come", lambda: len(receiver.taken) == last, 40)
    check(sorted(receiver.positions), list(range(1, last + 1)), "each once")
    for subject in range(6):
        mine = [position for position in receiver.positions if (position - 1) // 30 == subject]
        check(mine, sorted(mine), f"order of subject {subject}")
    check(most, {"at_once": 4, "of one subject": 1}, "under way")
    wait_until("its place is the end", lambda: mesh.hook("h")["position"] == last)


def test_a_place_that_the_log_forgot_stops_the_hook_alone(mesh):
    receiver, other = mesh.receiver(), mesh.receiver()
    mesh.start("--hook", f"h={receiver.url()}", "--hook", f"o={other.url()}")
    mesh.publish("a.b", range(10))
    in_order_once(receiver, range(1, 11))
    mesh.put("h", paused=True)
    last = mesh.publish("a.b", range(10))
    in_order_once(other, range(1, last + 1))
    subprocess.run([mesh.program("weft"), "trim", "--to", "15", "--force", "--bus", mesh.endpoint],
                   check=True, capture_output=True, timeout=30)
    mesh.put("h", paused=False)
    wait_until("it has stopped", lambda: mesh.hook("h")["state"] == "stopped")
    check("GONE" in mesh.hook("h")["error"], True, mesh.hook("h"))
    mesh.put("h", start="start")
    in_order_once(receiver, [*range(1, 11), *range(16, 21)])


if __name__ == "__main__":
    hooks.main(globals())
