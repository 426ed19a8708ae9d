"""Every verb of the command line, whichever there are: help, page of the manual, JSON as docs/cli.md
says, wrong use, the bus away; and every example of weft cheat."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import time

import mesh as kit
from mesh import SLOW, check, wait_until

NOWHERE = "ipc:///nowhere/at/all"
# One use of each verb that prints JSON in a mesh with some events and a parked one; %s is its position.
USES = {
    "pub": "pub a.b --data 1",
    "sub": "sub --from start --until-end --count 1",
    "get": "get 1",
    "count": "count",
    "types": "types",
    "graph": "graph",
    "explain": "explain 1",
    "trace": "trace {trace}",
    "status": "status",
    "services": "services",
    "lag": "lag",
    "wait": "wait blog-query",
    "top": "top --count 1",
    "dead ls": "dead ls blog-query",
    "dead show": "dead show blog-query {parked}",
    "dead retry": "dead retry blog-query --subject none",
    "dead drop": "dead drop blog-query {parked}",
    "outbox ls": "outbox ls {data}/idle/idle.db",
    "outbox show": "outbox show {data}/idle/idle.db 1",
    "hook ls": "hook ls --bridge {bridge}",
    "hook show": "hook show one --bridge {bridge}",
    "hook put": "hook put one --attempts 1 --bridge {bridge}",
    "hook pause": "hook pause one --bridge {bridge}",
    "hook resume": "hook resume one --bridge {bridge}",
    "hook parked": "hook parked one --bridge {bridge}",
    "hook retry": "hook retry one --bridge {bridge}",
    "hook drop": "hook drop one --bridge {bridge}",
    "hook rm": "hook rm one --bridge {bridge}",
    "reset": "reset blog-query --to 0 --dry-run",
    "replay": "replay blog-query --dry-run",
    "export": "export",
    "doctor": "doctor {data}/bus",
    "check": "check {data}/bus",
    "trim": "trim --to 1 --dry-run",
    "backup": "backup --store {data}/bus {data}/copy",
    "restore": "restore --store {data}/restored {data}/copy",
    "fork": "fork --store {data}/bus --to 1 {data}/forked",
    "import": "import --store {data}/imported {data}/lines",
    "cheat": "cheat",
}
OFFLINE = {"doctor", "check", "backup", "restore", "fork", "import", "cheat", "completion", "hook"}


def weft(mesh, *words, bus=None, stdin=None):
    environment = dict(os.environ, WEFT_BUS=bus or mesh.endpoint)
    return subprocess.run([mesh.program("weft"), *words], env=environment, input=stdin,
                          capture_output=True, text=True, timeout=60 * SLOW, check=False)


def verbs(mesh):
    help_ = weft(mesh, "--help").stdout
    found = re.findall(r"^  ([a-z]+) +\S", help_, re.M)
    found.remove("help")
    return found


def documented():
    """{verb or "verb act": set of JSON keys} from docs/cli.md."""
    path = os.path.join(os.environ["WEFT_SOURCE_DIR"], "docs/cli.md")
    with open(path, encoding="utf-8") as file:
        rows = re.findall(r"^\| `([a-z ]+)` \|[^|]*\| (.*) \|$", file.read(), re.M)
    return {verb: set(re.findall(r"`(\w+)`", keys)) for verb, keys in rows}


def parked(mesh):
    """The position of an event that query parks: its data lacks what the handler wants."""
    before = json.loads(weft(mesh, "pub", "post.created", "--subject", "post/x", "--data", "7",
                             "--json").stdout)
    wait_until("it is parked", lambda: weft(mesh, "dead", "ls", "blog-query").stdout, 40)
    return str(before["position"])


def bridge_with_a_hook(mesh):
    """A bridge whose hook has parked something: blog-posts knows no such path. The process and its URL."""
    address = mesh.services["posts"].http
    bridge = kit.Process("weft-bridge", [
        mesh.program("weft-bridge"), "--bus", mesh.endpoint, "--data", mesh.data("bridge"), "--http",
        "127.0.0.1:0", "--hook", f"one=http://{address}/nowhere;attempts=1"], mesh.scratch).start()
    url = "http://" + bridge.http
    wait_until("it has parked something", lambda: weft(
        mesh, "hook", "parked", "one", "--bridge", url).stdout, 40)
    return bridge, url


def idle(mesh):
    """A service's database with one event in its outbox: posts, while the bus does not hear it."""
    source = os.path.join(mesh.data("posts"), "blog-posts.db")
    target = os.path.join(mesh.data("idle"), "idle.db")
    mesh.bus.stop()
    answer = mesh.ask("posts", "POST", "/posts", {"title": "waits"})
    check(answer.status, 201, "a post while the bus is away")
    with sqlite3.connect(source) as one, sqlite3.connect(target) as two:
        one.backup(two)
    mesh.bus.start()
    mesh.wait_joined(*kit.SERVICES)


def test_every_verb_has_help_a_page_and_a_line_in_the_docs(mesh):
    pages = os.path.join(os.path.dirname(mesh.bin), "tools/weft/man1")
    docs = documented()
    for verb in verbs(mesh):
        done = weft(mesh, verb, "--help", bus=NOWHERE)
        check((done.returncode, done.stderr), (0, ""), f"weft {verb} --help")
        check(done.stdout.startswith(f"usage: weft {verb}"), True, done.stdout)
        with open(os.path.join(pages, f"weft-{verb}.1"), encoding="utf-8") as page:
            text = re.sub(r"\\([\\&]?)", lambda found: found[1].strip("&"), page.read())
        for line in done.stdout.splitlines()[1:]:
            words = line.split()
            check(all(word in text for word in words), True, f"the page of {verb} lacks: {line}")
        check(any(key.split()[0] == verb for key in docs), True, f"{verb} in docs/cli.md")
    check({key.split()[0] for key in docs}, set(verbs(mesh)), "verbs in docs/cli.md")


def test_wrong_use_of_every_verb_ends_with_2_and_the_mend(mesh):
    for verb in verbs(mesh):
        for words in (("--no-such-option",), ("--bus", "nonsense"), ["x"] * 300):
            done = weft(mesh, verb, *words, bus=NOWHERE)
            check((done.returncode, done.stdout), (2, ""), f"weft {verb} {words[:2]}: {done.stderr}")
            check(done.stderr.count("\n"), 1, done.stderr)
            check(f"; try weft {verb} --help" in done.stderr, True, done.stderr)


def test_online_verbs_say_within_3_s_that_the_bus_is_away(mesh):
    words_of = {**USES, **{verb: verb for verb in verbs(mesh) if not any(
        use.split()[0] == verb for use in USES)}}
    nobody = "ipc://" + os.path.join(mesh.scratch, "nobody")
    runs = []
    for name, use in words_of.items():
        if name.split()[0] in OFFLINE:
            continue
        words = use.format(parked="1", data="x", trace="1" * 32).replace("x/idle/idle.db", "blog-posts").split()
        began = time.monotonic()
        runs.append((words, began, subprocess.Popen(
            [mesh.program("weft"), *words, "--bus", nobody], stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)))
    for words, began, run in runs:  # all at once: each waits 3 s
        _, err = run.communicate(timeout=60 * SLOW)
        took = time.monotonic() - began
        check(run.returncode, 1, f"weft {words}: {err}")
        check("does not answer" in err or "did not answer" in err, True, err)
        # Two patiences one after the other would take 6 s; up to that is for a machine that stalls.
        check(took < 5.9 * SLOW, True, f"weft {words} took {took:.1f} s")


def test_json_of_every_verb_is_what_the_docs_say(mesh):
    idle(mesh)
    mesh.stop("query")
    mesh.services["query"].arguments += ["--park-after", "1"]
    mesh.start("query")
    mesh.wait_joined("query")
    weft(mesh, "pub", "post.created", "--subject", "post/1", "--data", '{"id":"1","title":"one"}')
    bridge, url = bridge_with_a_hook(mesh)
    at = {"parked": parked(mesh), "data": os.path.dirname(mesh.data("idle")), "bridge": url,
          "trace": mesh.ask("posts", "POST", "/posts", {"title": "t"}).headers["traceparent"]}
    wait_until("the post is in the log", lambda: weft(mesh, "trace", at["trace"]).returncode == 0)
    with open(os.path.join(at["data"], "lines"), "w", encoding="utf-8") as lines:
        lines.write(weft(mesh, "export").stdout)
    for name, keys in documented().items():
        if not keys:
            continue
        words = USES[name].format(**at).split()
        done = weft(mesh, *words, "--json")
        fine = (0, 3, 4) if name == "doctor" else (0,)  # it judges the machine
        check((done.returncode in fine, done.stderr), (True, ""), f"weft {words}")
        objects = [json.loads(line) for line in done.stdout.splitlines()]
        check(len(objects) >= 1, True, f"weft {words} says nothing")
        for one in objects:
            check(set(one), keys, f"JSON of weft {name}, docs/cli.md")
    bridge.stop()
    done = weft(mesh, "hook", "ls", "--bridge", url)
    check((done.returncode, done.stdout), (1, ""), "the bridge is away")
    check("does not answer" in done.stderr, True, done.stderr)


def test_every_example_of_cheat_runs_as_it_stands(mesh):
    weft(mesh, "pub", "post.created", "--subject", "post/1", "--data", '{"id":"1","title":"one"}')
    examples = [json.loads(line) for line in weft(mesh, "cheat", "--json").stdout.splitlines()]
    check(len(examples) > 15, True, "examples")
    environment = dict(os.environ, WEFT_BUS=mesh.endpoint, PATH=mesh.bin + ":" + os.environ["PATH"])
    for example in examples:
        run = subprocess.Popen(["bash", "-c", "exec " * example["live"] + example["command"]],
                               env=environment, cwd=mesh.scratch, text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
        try:
            if example["live"]:
                wait_until("it listens", lambda: weft(mesh, "pub", "order.placed").stdout and
                           select_line(run), 20)
                run.send_signal(signal.SIGINT)
            out, err = run.communicate(timeout=60 * SLOW)
        finally:
            run.kill()
            run.wait()
        status = run.returncode
        wanted = (0, 3, 4) if "doctor" in example["command"] else (0,)
        check(status in wanted, True, f"{example}: {status}\n{out}\n{err}")


def select_line(run):
    import select  # pylint: disable=import-outside-toplevel
    return bool(select.select([run.stdout], [], [], 0.05)[0])


SHELLS = {"bash": ["bash", "-c"], "zsh": ["zsh", "-c"]}


def completed(mesh, shell, *words):
    """What the shell offers for the last of these words."""
    with open(os.path.join(mesh.scratch, "weft." + shell), "w", encoding="utf-8") as script:
        script.write(weft(mesh, "completion", shell).stdout)
    if shell == "bash":
        run = (f"source {script.name}; COMP_WORDS=({' '.join(words)} ''); COMP_CWORD={len(words)}; _weft;"
               " printf '%s\\n' \"${COMPREPLY[@]}\"")
    else:  # its own helpers ask a terminal
        run = (f"compdef() {{ : }}; _describe() {{ print -l -- ${{(P)2}} }}; compadd() {{ shift; print -l -- $@ }};"
               f" _files() {{ : }}; source {script.name}; words=({' '.join(words)} ''); CURRENT={len(words) + 1}; _weft")
    done = subprocess.run([*SHELLS[shell], run], check=False, capture_output=True, text=True, timeout=20)
    check((done.returncode, done.stderr), (0, ""), f"{shell}: {run}")
    return {line.split(":")[0] for line in done.stdout.splitlines() if line}


def test_bash_and_zsh_complete_verbs_their_words_and_options(mesh):
    for shell in SHELLS:
        check(completed(mesh, shell, "weft") >= set(verbs(mesh)), True, f"verbs in {shell}")
        for verb in verbs(mesh):
            options = set(re.findall(r"^  (--[a-z-]+)", weft(mesh, verb, "--help").stdout, re.M))
            check(completed(mesh, shell, "weft", verb) >= options, True, f"options of {verb} in {shell}")
        check(completed(mesh, shell, "weft", "dead") >= {"ls", "show", "retry", "drop"}, True, f"dead in {shell}")


def test_ctrl_c_ends_an_import_cleanly(mesh):
    """On a terminal: how far it has come, then no half a line, and no half a store."""
    import pty  # pylint: disable=import-outside-toplevel
    lines, made = os.path.join(mesh.scratch, "lines"), os.path.join(mesh.scratch, "made")
    with open(lines, "w", encoding="utf-8") as file:
        for number in range(1_000_000):
            file.write('{"type":"a.b","source":"me","subject":"x/%d","data":{"n":%d}}\n' % (number, number))
    main, end = pty.openpty()
    run = subprocess.Popen([mesh.program("weft"), "import", "--store", made, lines], stdout=subprocess.DEVNULL,
                           stderr=end)
    os.close(end)
    text = b""
    while b" left" not in text:
        text += os.read(main, 4096)
    run.send_signal(signal.SIGINT)
    try:
        while True:
            text += os.read(main, 4096)
    except OSError:
        pass
    os.close(main)
    check(run.wait(20 * SLOW), 1, "it was interrupted")
    check(re.search(rb"\r\d+ of \d+ bytes, \d+ %, \d+/s, \d+ s left", text) is not None, True, f"{text[-300:]!r}")
    check(text.endswith(b"\r\x1b[K"), True, f"the line is wiped: {text[-300:]!r}")
    check([name for name in os.listdir(mesh.scratch) if name.startswith("made")], [], "leftovers")


def test_output_is_aligned_on_a_terminal_and_plain_in_a_pipe(mesh):
    import pty  # pylint: disable=import-outside-toplevel

    def on_terminal(**more):
        main, end = pty.openpty()
        environment = dict(os.environ, WEFT_BUS=mesh.endpoint, TERM="xterm", **more)
        child = subprocess.Popen([mesh.program("weft"), "services"], env=environment, stdout=end)
        os.close(end)
        text = b""
        try:
            while True:
                text += os.read(main, 65536)
        except OSError:
            pass
        child.wait()
        os.close(main)
        return text.decode()

    wait_until("all report live", lambda: weft(mesh, "services").stdout.count("\tlive\t") == 4)
    plain = weft(mesh, "services").stdout
    check("\x1b" in plain or "SERVICE" in plain, False, plain)
    check({line.count("\t") for line in plain.splitlines()}, {12}, "cells in a pipe")
    coloured, bare = on_terminal(), on_terminal(NO_COLOR="1")
    check("\x1b[1mSERVICE" in coloured and "\x1b[32mlive" in coloured, True, coloured)
    check("\x1b" in bare, False, bare)
    starts = {line.index("live") for line in bare.splitlines() if line.startswith("blog-")}
    check(len(starts), 1, f"not aligned:\n{bare}")


if __name__ == "__main__":
    kit.main(globals())
