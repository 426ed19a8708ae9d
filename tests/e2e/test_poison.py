"""A poison event, end to end: query's handler fails on it until it is mended. Parked, skipped or
stopped at, as the service is told; the final view is what the model says.

The fault is real and outside of the service: a trigger in its database refuses comments that hold a
word. Dropping the trigger is the mend."""

import copy
import json
import os
import sqlite3
import subprocess

import mesh as kit
from mesh import SLOW, check, wait_until
from model import Blog
from writer import Writer

WORD = "poison"
REASON = "no such comment, please"


def database(mesh):
    return os.path.join(mesh.data("query"), "blog-query.db")


def execute(mesh, sql):
    db = sqlite3.connect(database(mesh), timeout=20 * SLOW)
    with db:
        db.execute(sql)
    db.close()


def poison(mesh, on_error):
    """Query with the fault and the setting."""
    mesh.stop("query")
    mesh.services["query"].arguments += ["--park-after", "2", "--on-error", on_error]
    execute(mesh, f"CREATE TRIGGER poison BEFORE INSERT ON comments WHEN new.content LIKE '%{WORD}%'"
                  f" BEGIN SELECT raise(ABORT, '{REASON}'); END")
    mesh.start("query")
    mesh.wait_joined("query")


def mend(mesh):
    execute(mesh, "DROP TRIGGER poison")


def weft(mesh, *words, status=0):
    done = subprocess.run([mesh.program("weft"), *words, "--bus", mesh.endpoint],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60 * SLOW, check=False)
    check(done.returncode, status, f"weft {words}: {done.stdout} {done.stderr}")
    return done.stdout


def dead(mesh, which):
    return [json.loads(line) for line in weft(mesh, "dead", "ls", which, "--json").splitlines()]


def service(mesh, name):
    lines = weft(mesh, "services", "--json").splitlines()
    return {one["name"]: one for one in map(json.loads, lines)}[name]


def write_some(writer):
    """Two posts; the poison is a comment to the first, with more behind it."""
    sick, well = writer.post("sick"), writer.post("well")
    writer.comment(sick, "before")
    bad = writer.comment(sick, f"a {WORD} pill")
    writer.comment(sick, "behind")
    writer.edit_post(sick, "sick, edited")
    writer.comment(well, "unharmed")
    writer.edit_post(well, "well, edited")
    return sick, well, bad


def without(model, post, *comments):
    """The model as it is for who never hears of these comments."""
    other = copy.deepcopy(model)
    for comment in comments:
        del other.posts[post]["comments"][comment]
    return other


def test_park_sets_its_subject_aside_and_retry_brings_it_back(mesh):
    model = Blog()
    writer = Writer(mesh, model)
    poison(mesh, "park")
    sick, well, bad = write_some(writer)
    wait_until("the other post flows on", lambda: mesh.get("query", "/posts").get(well) ==
               model.view()[well])
    mesh.wait_at_rest(*kit.SERVICES)
    seen = mesh.get("query", "/posts")[sick]
    check(seen["title"], "sick", "what comes behind the poison waits")
    check([one["content"] for one in seen["comments"]], ["before"], "what came before it is applied")

    rows = dead(mesh, "blog-query")  # by name: the bus knows where the database is
    check(rows, dead(mesh, mesh.data("query")), "by name and by directory")
    first = rows[0]
    check((first["type"], first["subject"], first["attempts"]), ("comment.created", f"post/{sick}", 2),
          "the poison event")
    check(REASON in first["error"], True, f"the handler's words are kept: {first}")
    check({row["attempts"] for row in rows[1:]}, {0}, "those behind it were not tried")
    check({row["subject"] for row in rows}, {f"post/{sick}"}, "parked subjects")
    shown = json.loads(weft(mesh, "dead", "show", "blog-query", str(first["position"]), "--json"))
    check((shown["data"]["id"], shown["error"]), (bad, first["error"]), "dead show")
    told = wait_until("query reports what is parked", lambda: (
        told := service(mesh, "blog-query"))["parked"] == len(rows) and told)
    check(told["onError"], "park", "weft services")
    check(told["parkedOldestAgo"] > 0, True, f"the oldest one's age: {told}")

    weft(mesh, "dead", "retry", "blog-query", status=1)  # not mended yet
    again = dead(mesh, "blog-query")
    check([row["position"] for row in again], [row["position"] for row in rows], "all are still parked")
    check(again[0]["attempts"], 3, "the attempt is counted")

    mend(mesh)
    check(weft(mesh, "dead", "retry", "blog-query"), f"{len(rows)} applied, 0 left\n", "dead retry")
    mesh.wait_view(model)
    check(dead(mesh, "blog-query"), [], "nothing is parked")
    writer.comment(sick, f"no {WORD} any more")
    mesh.wait_view(model)


def test_a_retry_asked_of_a_stopped_service_is_done_at_its_start(mesh):
    model = Blog()
    writer = Writer(mesh, model)
    poison(mesh, "park")
    write_some(writer)
    mesh.wait_at_rest(*kit.SERVICES)
    mesh.stop("query")
    rows = dead(mesh, database(mesh))
    check(len(rows) > 1, True, f"parked: {rows}")
    mend(mesh)
    check("at its next start" in weft(mesh, "dead", "retry", database(mesh)), True, "says so")
    check(dead(mesh, database(mesh)), rows, "nobody but the service can do it")
    mesh.start("query")
    mesh.wait_view(model)


def test_drop_forgets_for_good(mesh):
    model = Blog()
    writer = Writer(mesh, model)
    poison(mesh, "park")
    sick, _, bad = write_some(writer)
    mesh.wait_at_rest(*kit.SERVICES)
    at = str(dead(mesh, "blog-query")[0]["position"])
    weft(mesh, "dead", "drop", "blog-query", at)
    left = len(dead(mesh, "blog-query"))
    check(weft(mesh, "dead", "drop", "blog-query", at, status=1), f"0 dropped, {left} left\n", "it is not there any more")
    weft(mesh, "dead", "retry", "blog-query")
    mesh.wait_view(without(model, sick, bad))
    # the same of a stopped service
    worse = writer.comment(sick, f"more {WORD}")
    wait_until("another one is parked", lambda: dead(mesh, "blog-query"))
    mesh.wait_at_rest(*kit.SERVICES)
    mesh.stop("query")
    count = len(dead(mesh, database(mesh)))
    check(weft(mesh, "dead", "drop", database(mesh), at, status=1), f"0 dropped, {count} left\n", "nor now")
    check(weft(mesh, "dead", "drop", database(mesh), "--all"), f"{count} dropped, 0 left\n", "drop")
    mesh.start("query")
    mesh.wait_joined("query")
    mesh.wait_view(without(model, sick, bad, worse))


def test_skip_goes_on_without_it(mesh):
    model = Blog()
    writer = Writer(mesh, model)
    poison(mesh, "skip")
    sick, _, bad = write_some(writer)
    mesh.wait_view(without(model, sick, bad))  # its later events find no comment, and change nothing
    mesh.wait_at_rest(*kit.SERVICES)
    check(dead(mesh, "blog-query"), [], "nothing is parked")
    wait_until("query reports that it skipped", lambda: service(mesh, "blog-query")["skipped"] == 1)
    check("service.skipped" in mesh.services["query"].log(), True, "and says so")


def test_stop_stands_in_front_of_it_until_it_is_mended(mesh):
    model = Blog()
    writer = Writer(mesh, model)
    poison(mesh, "stop")
    write_some(writer)
    process = mesh.services["query"]
    wait_until("query stops", lambda: not process.alive(), 20)
    check(process.child.wait(), 1, "exit status")
    process.child = None
    check(dead(mesh, database(mesh)), [], "nothing is parked")
    check(process.log().count("service.stop "), 1, "it says why")
    mend(mesh)
    mesh.start("query")
    mesh.wait_view(model)


if __name__ == "__main__":
    kit.main(globals())
