"""weft top in a real terminal (tmux): what it shows, its keys, its sizes, and the bus going away under it."""

import itertools
import json
import os
import re
import subprocess

import mesh as kit
from mesh import check, wait_until


COUNTER = itertools.count()


class Terminal:
    """A terminal of its own with one command in it; nothing of the user's tmux is touched."""

    def __init__(self, mesh, columns, rows, command, **environment):
        self.socket = os.path.join(mesh.scratch, f"tmux{next(COUNTER)}")
        plain = {"LANG": "C.UTF-8", "WEFT_BUS": mesh.endpoint, **environment}
        words = [f"{name}={value}" for name, value in plain.items()]
        self.tmux("-f", "/dev/null", "new", "-d", "-x", str(columns), "-y", str(rows),
                  "exec env -u NO_COLOR " + " ".join([*words, "bash -c", f"'{command}; echo ended with $?; read -r line'"]))

    def tmux(self, *words):
        return subprocess.run(["tmux", "-S", self.socket, *words], check=True, capture_output=True, text=True,
                              timeout=20 * kit.SLOW).stdout

    def screen(self, *options):
        return self.tmux("capture-pane", "-p", *options)

    def wait(self, what, pattern):
        try:
            return wait_until(what, lambda: re.search(pattern, self.screen(), re.M), 20)
        except kit.Failure as failure:
            raise kit.Failure(f"{failure}\n{self.screen()}") from None

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def close(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], check=False, capture_output=True)


def top(mesh, columns=80, rows=24, options="", **environment):
    return Terminal(mesh, columns, rows, f"{mesh.program('weft')} top {options}", **environment)


def test_it_shows_services_and_ends_with_q(mesh):
    terminal = top(mesh)
    try:
        terminal.wait("all services", r"^blog-query +live +0 +0\.0s +0 +0 +0$")
        for name in kit.SERVICES:
            check(f"blog-{name} " in terminal.screen(), True, terminal.screen())
        mesh.publish("post.created", "post/1", '{"id":"1","title":"one"}')
        terminal.wait("the head", r"events 1 to 1$")
        terminal.wait("the rate of the past", r"at most \S+/s")
        mesh.stop("query")
        mesh.publish("post.created", "post/2", '{"id":"2","title":"two"}')
        terminal.wait("its lag", r"^blog-query .* 1 .*s +\S+ +0 +0$")
        terminal.keys("s")
        terminal.wait("sorted by lag", r"SERVICE.*\nblog-query ")
        check(max(len(line) for line in terminal.screen().splitlines()) <= 80, True, "within 80 columns")
        terminal.keys("q")
        terminal.wait("a clean end", r"ended with 0")
        check("SERVICE" in terminal.screen(), False, "the screen is as before")
    finally:
        terminal.close()


def test_colours_but_for_no_color_and_ctrl_c_ends(mesh):
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        terminal = top(mesh, **environment)
        try:
            terminal.wait("all services", r"^blog-query +live ")
            check("\x1b[32m" in terminal.screen("-e"), coloured, terminal.screen("-e"))
            terminal.keys("C-c")
            terminal.wait("a clean end", r"ended with 0")
        finally:
            terminal.close()


def test_it_follows_the_size_of_the_terminal(mesh):
    terminal = top(mesh)
    try:
        terminal.wait("all services", r"^blog-query +live ")
        terminal.tmux("resize-window", "-x", "60", "-y", "9")
        terminal.wait("two of four services and the foot",
                      r"SERVICE.*\n(blog-\w+ .*\n){2}q quit")
        terminal.keys("Down", "Down")
        terminal.wait("the others", r"SERVICE.*\nblog-posts .*\nblog-query .*\nq quit.* 2 above$")
        terminal.tmux("resize-window", "-x", "20", "-y", "3")
        terminal.wait("what fits", r"^q quit")
        terminal.tmux("resize-window", "-x", "120", "-y", "40")
        terminal.wait("all of it", r"SERVICE.*\n(blog-\w+ .*\n){4}\n")
        terminal.keys("q")
        terminal.wait("a clean end", r"ended with 0")
    finally:
        terminal.close()


def test_it_says_that_the_bus_is_away_and_goes_on(mesh):
    terminal = top(mesh)
    try:
        terminal.wait("all services", r"^blog-query +live ")
        mesh.bus.stop()
        terminal.wait("that it is away", r"no answer for ")
        mesh.bus.start()
        terminal.wait("that it is back", r"accepting events")
        terminal.wait("a service is back", r"^blog-query +live ")
    finally:
        terminal.close()


def test_snapshots_for_programs(mesh):
    mesh.publish("a.b", "x", "1")
    mesh.wait_reported(*kit.SERVICES)
    lines = mesh.weft("top", "--json", "--interval", "0.2", "--count", "3").splitlines()
    shots = [json.loads(line) for line in lines]
    check(len(shots), 3, "snapshots")
    check([shot["rate"] is None for shot in shots], [True, False, False], "rates")
    check(shots[2]["head"], 1, "head")
    check(sorted(one["name"] for one in shots[2]["services"]), sorted("blog-" + name for name in kit.SERVICES), "names")
    done = subprocess.run([mesh.program("weft"), "top", "--bus", mesh.endpoint], stdin=subprocess.DEVNULL, check=False,
                          capture_output=True, text=True)
    check((done.returncode, "--json" in done.stderr), (2, True), done.stderr)


if __name__ == "__main__":
    kit.main(globals())
