"""The walk-through in docs/operations.md, command by command, against the blog as real processes.

A command that only looks is repeated until it says what the text says; … stands for anything. One that
changes something runs once."""

import os
import re
import signal
import subprocess

import mesh as kit
from mesh import SLOW, Failure, check, wait_until

CHANGES = re.compile(r"^(kill|blog-\w+|weft (pub|dead retry|dead drop)) ?")


def steps():
    """[(command, lines of output)]"""
    path = os.path.join(os.environ["WEFT_SOURCE_DIR"], "docs/operations.md")
    with open(path, encoding="utf-8") as file:
        blocks = re.findall(r"<!-- walk-through -->\n```console\n(.*?)```", file.read(), re.S)
    check(len(blocks) >= 1, True, "walk-throughs in docs/operations.md")
    found = []
    for line in "".join(blocks).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def matches(wanted, got):
    pattern = "".join(".*" if part == "…" else re.escape(part)
                      for part in re.split("(…)", "\n".join(wanted)))
    return re.fullmatch(pattern, got.rstrip("\n"), re.S) is not None


def end_query(mesh):
    """The one that the walk-through started; its lock file tells which process that is."""
    with open(os.path.join(mesh.data("query"), "blog-query.lock"), encoding="ascii") as lock:
        pid = int(lock.read())
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8") as cmdline:
            ours = mesh.data("query") in cmdline.read().split("\0")
    except FileNotFoundError:
        return
    if ours:
        os.kill(pid, signal.SIGTERM)


def test_the_walk_through_does_what_it_says(mesh):
    environment = dict(os.environ, WEFT_BUS=mesh.endpoint, DATA=os.path.dirname(mesh.data("query")),
                       PATH=mesh.bin + ":" + os.environ["PATH"])

    def run(command):
        done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True,
                              cwd=mesh.scratch, text=True, timeout=60 * SLOW, check=False)
        return done.stdout + done.stderr

    done = 0
    try:
        for command, wanted in steps():
            last = []

            def said(command=command, wanted=wanted, last=last):
                last[:] = [run(command)]
                return matches(wanted, last[0])

            try:
                if CHANGES.match(command):
                    check(said(), True, f"{command}\n{last}\nwanted {wanted}")
                else:
                    wait_until(command, said, 25)
            except Failure as failure:
                raise Failure(f"{failure}\nsaid {last}\nwanted {wanted}") from None
            if command.startswith("kill "):
                wait_until("query has ended", lambda: not mesh.services["query"].alive())
                mesh.services["query"].child = None
            done += 1
    finally:
        end_query(mesh)
    check(done >= 6, True, "steps")


if __name__ == "__main__":
    kit.main(globals())
