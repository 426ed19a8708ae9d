"""weft fork and weft import: a log of an earlier time, and a log made of text. What comes up on them goes on, and
what has seen more, or another log, is refused by name."""

import json
import os
import shutil
import subprocess

import mesh as kit
from mesh import check, wait_until
from process import Process
from test_restores import (go_on, post, post_settled, refused, restore, save, stop_all, titles_of_log,
                           titles_of_view, wait_titles)


def weft(mesh, *words, status=0, stdin=None):
    done = subprocess.run([mesh.program("weft"), *words], capture_output=True, text=True, input=stdin,
                          timeout=60 * kit.SLOW, check=False)
    check(done.returncode, status, f"weft {' '.join(words)}: {done.stderr}")
    return done.stdout if status == 0 else done.stderr


def whole(mesh, store):
    told = json.loads(weft(mesh, "check", store, "--json"))
    check(told["whole"], True, str(told))
    return told


def on_store(mesh, store):
    """The bus runs on another store from now on."""
    mesh.bus.arguments = [mesh.program("weft-bus"), "--endpoint", mesh.endpoint, "--store", store]
    mesh.bus.start()


def export(mesh):
    return mesh.weft("export")


def two_times(mesh):
    """Copies of all databases after two posts, then two posts more. Returns the head of back then."""
    post_settled(mesh, "one", "two")
    wait_titles(mesh, "one", "two")
    head = mesh.head()
    stop_all(mesh)
    for name in ("posts", "query"):
        save(mesh, name)
    mesh.bus.start()
    mesh.start(*kit.SERVICES)
    mesh.wait_joined(*kit.SERVICES)
    post_settled(mesh, "three", "four")
    wait_titles(mesh, "one", "two", "three", "four")
    return head


def test_services_of_that_time_go_on_upon_a_fork_and_later_ones_are_refused(mesh):
    head = two_times(mesh)
    fork = os.path.join(mesh.scratch, "fork")
    told = json.loads(weft(mesh, "fork", "--store", mesh.data("bus"), "--to", str(head), fork, "--json"))
    check((told["first"], told["head"]), (1, head), "what is in the fork")
    check(whole(mesh, fork)["head"], head, "what the check finds")
    stop_all(mesh)
    on_store(mesh, fork)
    refused(mesh, "query", "LOG_BEHIND")
    for name in ("posts", "query"):
        restore(mesh, name)
        go_on(mesh, name)
    check(titles_of_view(mesh), ["one", "two"], "the view of that time")
    post_settled(mesh, "another")
    wait_titles(mesh, "one", "two", "another")


def test_a_fork_of_a_trimmed_log_ends_where_it_says_and_refuses_what_it_cannot_know(mesh):
    for number in range(20):
        mesh.publish("a.b", f"x/{number}", str(number))
    mesh.publish("c.d", "", "1")
    mesh.weft("trim", "--to", "10", "--force")
    wait_until("it is trimmed", lambda: json.loads(mesh.weft("status", "--json"))["first"] >= 10)
    store, fork = mesh.data("bus"), os.path.join(mesh.scratch, "fork")
    said = weft(mesh, "fork", "--store", store, "--to", "5", fork, status=1)
    check("has forgotten all up to 10" in said, True, said)
    said = weft(mesh, "fork", "--store", store, "--to", "999", fork, status=1)
    check("ends at 21" in said, True, said)
    check([name for name in os.listdir(mesh.scratch) if name.startswith("fork")], [], "leftovers")
    weft(mesh, "fork", "--store", store, "--to", "15", fork)
    told = whole(mesh, fork)
    check((told["first"], told["head"], told["types"]), (11, 15, 1), "what the check finds")


def test_a_fork_takes_nothing_again_that_was_trimmed_before(mesh):
    mesh.bus.stop(kill=True)
    post(mesh, "one")
    mesh.stop("posts")
    save(mesh, "posts")  # with an event that it will never know to be sent
    mesh.bus.start()
    mesh.start("posts")
    post_settled(mesh)
    for number in range(9):
        mesh.publish("a.b", f"x/{number}", str(number))
    post_settled(mesh, "two")
    check([event["position"] for event in mesh.events() if event["type"] == "post.created"], [1, 11], "posts")
    mesh.weft("trim", "--to", "5", "--force")
    wait_until("it is trimmed", lambda: json.loads(mesh.weft("status", "--json"))["first"] >= 5)
    fork, later = os.path.join(mesh.scratch, "fork"), mesh.data("posts") + ".later"
    weft(mesh, "fork", "--store", mesh.data("bus"), "--to", "8", fork)
    whole(mesh, fork)
    stop_all(mesh)
    shutil.copytree(mesh.data("posts"), later)
    on_store(mesh, fork)
    restore(mesh, "posts")
    refused(mesh, "posts", "TWIN", "--new-origin")
    check([event["type"] for event in mesh.events()], ["a.b"] * 3, "nothing was sent")
    shutil.rmtree(mesh.data("posts"))
    shutil.copytree(later, mesh.data("posts"), dirs_exist_ok=True)
    refused(mesh, "posts", "BUS_LOST", "--new-origin", options=["--adopt-log=now"])
    go_on(mesh, "posts", "--adopt-log", "now", "--new-origin")
    post_settled(mesh, "three")
    check(titles_of_log(mesh), ["three"], "the log")


def test_an_imported_log_is_the_exported_one_and_services_are_rebuilt_on_it(mesh):
    post_settled(mesh, "one", "two")
    wait_titles(mesh, "one", "two")
    post = next(iter(mesh.get("query", "/posts")))
    mesh.ask("comments", "POST", f"/posts/{post}/comments", {"content": "an orange"})
    wait_until("it is moderated", lambda: "rejected" in json.dumps(mesh.get("query", "/posts")))
    mesh.publish("odd.data", "", '{"a": {"$binary": "AAE="}, "b": 1.0, "c": {"$uint": "18446744073709551615"}}')
    view, text = mesh.get("query", "/posts"), export(mesh)
    store = os.path.join(mesh.scratch, "imported")
    told = json.loads(weft(mesh, "import", "--store", store, "--json", stdin=text))
    check((told["events"], told["causesLost"]), (len(text.splitlines()), 0), "what it tells")
    whole(mesh, store)
    stop_all(mesh)
    on_store(mesh, store)
    refused(mesh, "query", "OTHER_LOG")
    refused(mesh, "posts", "OTHER_LOG")

    def plain(lines):
        return [{key: value for key, value in json.loads(line).items() if key != "chain"}
                for line in lines.splitlines()]
    check(plain(export(mesh)), plain(text), "exported again")
    shutil.rmtree(mesh.data("query"))
    mesh.start("query")
    mesh.wait_joined("query")
    check(mesh.get("query", "/posts"), view, "the view, built anew")
    go_on(mesh, "posts", "--adopt-log", "now", "--new-origin")
    post_settled(mesh, "three")
    wait_until("the new post is in the view", lambda: "three" in titles_of_view(mesh))


def test_lines_may_be_left_out_and_rewritten(mesh):
    mesh.publish("a.b", "x/1", "1")
    post_settled(mesh, "one")
    post = next(iter(wait_until("the view", lambda: mesh.get("query", "/posts"))))
    mesh.ask("comments", "POST", f"/posts/{post}/comments", {"content": "fine"})
    moderated = wait_until("it is moderated", lambda: [
        event for event in mesh.events() if event["type"] == "comment.moderated"])[0]
    lines = [json.loads(line) for line in export(mesh).splitlines()]
    created = next(line for line in lines if line["type"] == "comment.created")
    check(moderated["cause"], created["position"], "the cause before")
    kept = [line for line in lines if line["type"] != "a.b"]
    for line in kept:
        line["source"] = "rewritten"
    store = os.path.join(mesh.scratch, "imported")
    weft(mesh, "import", "--store", store, stdin="".join(json.dumps(line) + "\n" for line in kept))
    whole(mesh, store)
    without = [line for line in kept if line["type"] != "comment.created"]
    path, other = os.path.join(mesh.scratch, "lines"), os.path.join(mesh.scratch, "imported2")
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(json.dumps(line) + "\n" for line in without))
    told = json.loads(weft(mesh, "import", "--store", other, path, "--json"))
    check(told["causesLost"] > 0, True, "a cause that is not there any more is told")
    stop_all(mesh)
    on_store(mesh, store)
    after = mesh.events()
    check([event["position"] for event in after], list(range(1, len(kept) + 1)), "positions")
    check({event["source"] for event in after}, {"rewritten"}, "sources")
    created = next(event for event in after if event["type"] == "comment.created")
    moderated = next(event for event in after if event["type"] == "comment.moderated")
    check(moderated["cause"], created["position"], "the cause moved along")
    # An origin goes on where its lines end.
    check((moderated["sequence"], created["sequence"]), (1, 1), "sequences")


def test_lines_that_cannot_be_are_named_and_leave_nothing(mesh):
    good = '{"type":"a.b","source":"me"}'
    store = os.path.join(mesh.scratch, "imported")
    for bad, says in (("{", "line 2: column"), ("[]", "it is no object"), ('{"source":"me"}', "type is missing"),
                      ('{"type":"a b","source":"me"}', "is no event type"), ('{"type":"a.b"}', "source wants 1"),
                      ('{"type":"a.b","source":"me","type":"a.b"}', "line 2: column"),
                      ('{"type":"a.b","source":"me","origin":"xyz"}', "origin wants"),
                      ('{"type":"a.b","source":"me","time":"noon"}', "RFC 3339"),
                      ('{"type":"a.b","source":"me","position":-1}', "whole numbers"),
                      ('{"type":"a.b","source":"me","traceparent":"00-1"}', "traceparent wants"),
                      ('{"type":"a.b","source":"me","data":{"$x":1}}', "data: "),
                      ('{"type":"a.b","source":"me","data":null,"dataError":"x"}', "no JSON form"),
                      ("\0", "line 2: column"), ("\0" + good, "line 2: column"), (good + "\0x", "line 2: column"),
                      ('{"type":"a.b","source":"me","data":"%s"}' % ("x" * 300_000), "beyond 262144 bytes"),
                      ('{"type":"a.b","source":"me","data":"%s"}' % ("x" * 3_000_000), "beyond 2097152 bytes")):
        said = weft(mesh, "import", "--store", store, stdin=f"{good}\n{bad}\n", status=1)
        check(says in said and "nothing is imported" in said, True, f"{bad[:80]}: {said}")
    twice = '{"type":"a.b","source":"me","position":4}\n' * 2
    check("keep the order" in weft(mesh, "import", "--store", store, stdin=twice, status=1), True, "order")
    check([name for name in os.listdir(mesh.scratch) if name.startswith("imported")], [], "leftovers")
    weft(mesh, "import", "--store", store, stdin=good)
    said = weft(mesh, "import", "--store", store, stdin=good, status=1)
    check("is there already" in said, True, said)
    check("cannot read" in weft(mesh, "import", "--store", store + "2", "/no/such/file", status=1), True, "file")
    bus = Process("other", [mesh.program("weft-bus"), "--endpoint", f"ipc://{mesh.scratch}/other", "--store",
                            store], mesh.scratch).start()
    bus.stop()


if __name__ == "__main__":
    kit.main(globals())
