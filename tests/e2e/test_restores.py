"""Stores and databases restored from old copies, or replaced: each service that no longer fits is refused by
name, ends with status 1 and says which option goes on; with it the mesh comes right."""

import os
import shutil
import sqlite3

import mesh as kit
from mesh import check, wait_until


def save(mesh, name):
    """A copy of what a service, or the bus, that is stopped has on disk."""
    copy = mesh.data(name) + ".copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(mesh.data(name), copy)


def restore(mesh, name):
    shutil.rmtree(mesh.data(name))
    shutil.copytree(mesh.data(name) + ".copy", mesh.data(name), dirs_exist_ok=True)


def stop_all(mesh):
    mesh.stop(*kit.SERVICES)
    mesh.bus.stop()


def with_options(mesh, name, options, **how):
    process = mesh.services[name]
    plain = process.arguments
    process.arguments = [*plain, *options]
    process.start(**how)
    process.arguments = plain
    return process


def refused(mesh, name, code, *says, options=()):
    """It ends by itself with status 1, and its last line on the matter tells what and the ways on."""
    seen = len(mesh.services[name].log())
    process = with_options(mesh, name, options, ready=False)
    child, process.child = process.child, None
    try:
        status = child.wait(20 * kit.SLOW)
    except Exception:
        child.kill()
        child.wait()
        raise
    check(status, 1, f"{name}: exit status")
    lines = [line for line in process.log()[seen:].splitlines() if " service.refused " in line]
    check(len(lines) <= 1 + len(options), True, f"{name}: lines that tell of the refusal: {lines}")
    for word in (f" error service.refused name=blog-{name} error={code} ", *says, "ways=", "reason=",
                 process.name + ".db"):
        check(word in lines[-1], True, f"'{word}' in {lines[-1]}")


def go_on(mesh, name, *options):
    with_options(mesh, name, options)
    mesh.wait_joined(name)


def post(mesh, title):
    answer = mesh.ask("posts", "POST", "/posts", {"title": title})
    check(answer.status, 201, repr(answer))


def post_settled(mesh, *titles):
    """Posts whose events are acknowledged, and no longer in the outbox."""
    for title in titles:
        post(mesh, title)
    wait_until("all is sent", lambda: mesh.readyz("posts")["outbox"] == 0)
    database = os.path.join(mesh.data("posts"), "blog-posts.db")

    def rows():
        with sqlite3.connect(database) as db:
            return db.execute("SELECT count(*) FROM weft_outbox").fetchone()[0]
    wait_until("the outbox is pruned", lambda: rows() == 0)


def titles_of_view(mesh):
    return sorted(one["title"] for one in mesh.get("query", "/posts").values())


def wait_titles(mesh, *titles):
    wait_until(f"the view has {titles}", lambda: titles_of_view(mesh) == sorted(titles))


def titles_of_log(mesh):
    return [event["data"]["title"] for event in mesh.events() if event["type"] == "post.created"]


def stored(mesh):
    """(log, position) in query's database, which is stopped."""
    with sqlite3.connect(os.path.join(mesh.data("query"), "blog-query.db")) as db:
        return db.execute("SELECT log, position FROM weft_position").fetchone()


def lose_the_end_of_the_log(mesh):
    """The bus' store is a copy from before two of four posts."""
    post_settled(mesh, "one", "two")
    wait_titles(mesh, "one", "two")
    stop_all(mesh)
    save(mesh, "bus")
    mesh.bus.start()
    mesh.start(*kit.SERVICES)
    mesh.wait_joined(*kit.SERVICES)
    post_settled(mesh, "three", "four")
    wait_titles(mesh, "one", "two", "three", "four")
    stop_all(mesh)
    restore(mesh, "bus")
    mesh.bus.start()
    check(mesh.bus.ready["head"], "2", "head of the restored log")


def test_a_log_restored_from_an_old_copy(mesh):
    lose_the_end_of_the_log(mesh)
    refused(mesh, "query", "LOG_BEHIND", "--adopt-log")
    refused(mesh, "query", "LOG_BEHIND")  # and again: nothing has changed
    refused(mesh, "posts", "BUS_LOST", "--new-origin", options=["--adopt-log=now"])
    go_on(mesh, "query", "--adopt-log", "now")
    go_on(mesh, "posts", "--adopt-log", "now", "--new-origin")
    check(titles_of_log(mesh), ["one", "two"], "acknowledged events are not sent again")
    post_settled(mesh, "five")
    wait_titles(mesh, "one", "two", "three", "four", "five")  # its own data stayed
    check(titles_of_log(mesh), ["one", "two", "five"], "the log")
    # from here on all is as ever: no option is needed
    mesh.stop("query", "posts", kill=True)
    mesh.start("query", "posts")
    post_settled(mesh, "six")
    wait_titles(mesh, "one", "two", "three", "four", "five", "six")


def test_a_log_that_went_on_differently(mesh):
    lose_the_end_of_the_log(mesh)
    for name in ("other", "another", "third"):
        mesh.publish("post.created", f"post/{name}", '{"id":"%s","title":"%s"}' % (name, name))
    refused(mesh, "query", "FORKED", "--adopt-log")
    go_on(mesh, "query", "--adopt-log=2")  # where the copy ended
    wait_titles(mesh, "one", "two", "three", "four", "other", "another", "third")
    mesh.stop("query")
    check(stored(mesh), (bytes.fromhex(mesh.bus.ready["log"]), 5), "query's position")
    mesh.start("query")
    mesh.wait_joined("query")


def test_another_log(mesh):
    post_settled(mesh, "one", "two")
    wait_titles(mesh, "one", "two")
    mesh.bus.stop(kill=True)
    post(mesh, "three")  # waits in the outbox
    mesh.stop(*kit.SERVICES)
    shutil.rmtree(mesh.data("bus"))
    mesh.bus.start()
    refused(mesh, "query", "OTHER_LOG", "--adopt-log")
    refused(mesh, "posts", "OTHER_LOG", "--new-origin")
    refused(mesh, "posts", "OTHER_LOG", "--new-origin", options=["--adopt-log=now"])
    refused(mesh, "query", "OTHER_LOG", "--adopt-log", options=["--new-origin"])
    go_on(mesh, "query", "--adopt-log", "now")
    # even if nothing comes, the new place is kept at once
    mesh.stop("query", kill=True)
    check(stored(mesh), (bytes.fromhex(mesh.bus.ready["log"]), 0), "query's position")
    mesh.start("query")
    mesh.wait_joined("query")
    go_on(mesh, "posts", "--adopt-log", "now", "--new-origin")
    wait_titles(mesh, "one", "two", "three")
    check(titles_of_log(mesh), ["three"], "the new log has what no log had acknowledged")


def test_a_position_that_the_log_has_forgotten(mesh):
    post_settled(mesh, "one", "two")
    wait_titles(mesh, "one", "two")
    mesh.stop("query")
    post_settled(mesh, "three", "four")
    out = mesh.weft("trim", "--to", "3")
    check("needs the events after" in out and "--force" in out, True, out)
    check(len(mesh.events()) >= 2, True, "what query needs is still there")
    mesh.weft("trim", "--to", "3", "--force")
    refused(mesh, "query", "GONE", "--adopt-log", "rebuild")
    go_on(mesh, "query", "--adopt-log", "start")
    wait_titles(mesh, "one", "two", "four")
    mesh.stop("query", kill=True)
    mesh.start("query")  # and stays adopted
    wait_titles(mesh, "one", "two", "four")
    # the other way: built anew from what is kept
    mesh.stop("query")
    shutil.rmtree(mesh.data("query"))
    mesh.start("query")
    wait_titles(mesh, "four")


def test_a_service_restored_from_an_old_copy(mesh):
    post_settled(mesh, "one")
    mesh.bus.stop(kill=True)
    post(mesh, "two")  # waits in the outbox, also in the copy
    mesh.stop("posts")
    save(mesh, "posts")
    mesh.bus.start()
    mesh.start("posts")
    mesh.wait_joined(*kit.SERVICES)
    post_settled(mesh, "three")
    wait_titles(mesh, "one", "two", "three")
    mesh.stop("posts")
    restore(mesh, "posts")
    refused(mesh, "posts", "TWIN", "--new-origin")
    check(titles_of_log(mesh), ["one", "two", "three"], "nothing was sent")
    # written while the bus was away: has the number of another event in the log
    mesh.bus.stop()
    with_options(mesh, "posts", ["--new-origin"])
    post(mesh, "four")
    mesh.bus.start()
    wait_titles(mesh, "one", "two", "three", "four")
    post_settled(mesh, "five")
    wait_titles(mesh, "one", "two", "three", "four", "five")
    check(titles_of_log(mesh), ["one", "two", "three", "four", "five"], "each once")
    mesh.stop("posts", kill=True)
    mesh.start("posts")
    post_settled(mesh, "six")
    check(titles_of_log(mesh)[-1], "six", "the log")


def test_options_that_nothing_asks_for_do_nothing(mesh):
    post_settled(mesh, "one")
    wait_titles(mesh, "one")
    mesh.stop("query", "posts")
    post_before = titles_of_log(mesh)
    go_on(mesh, "posts", "--new-origin", "--adopt-log", "start")
    go_on(mesh, "query", "--adopt-log", "now", "--new-origin")
    post_settled(mesh, "two")
    wait_titles(mesh, "one", "two")
    check(titles_of_log(mesh), [*post_before, "two"], "the log")
    origins = {event["origin"] for event in mesh.events() if event["type"] == "post.created"}
    check(len(origins), 1, "origins")


if __name__ == "__main__":
    kit.main(globals())
