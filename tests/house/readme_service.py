"""readme_service.py BUILD: the service in the README, cut out of its text, built as the README says against an
installed weft, run against a real bus, killed and started again: each event counted once."""
import os
import re
import sqlite3
import subprocess
import sys
import time

build = sys.argv[1]
prefix = os.path.join(build, "tests", "prefix")
scratch = os.environ["WEFT_TEST_DIR"]
readme = open(os.path.join(os.environ["WEFT_SOURCE_DIR"], "README.md"), encoding="utf-8").read()
children = []


def wait_for(what, probe, seconds=10):
    end = time.monotonic() + seconds * int(os.environ.get("WEFT_TEST_SLOW", "1"))
    while time.monotonic() < end:
        got = probe()
        if got:
            return got
        time.sleep(0.02)  # between two looks at something observable
    raise SystemExit(f"timed out: {what}")


def start(name, argv, env):
    out = open(os.path.join(scratch, name + ".out"), "w+", encoding="utf-8")
    child = subprocess.Popen(argv, stdout=out, env=env, cwd=scratch)
    children.append(child)

    def ready():
        if child.poll() is not None:
            raise SystemExit(f"{name} ended with {child.returncode}")
        with open(out.name, encoding="utf-8") as text:
            return "ready " in text.read()

    wait_for(f"{name} is ready", ready)
    return child


def counted():
    database = sqlite3.connect(f"file:{scratch}/counter.db?mode=ro", uri=True)
    try:
        return dict(database.execute("SELECT type, events FROM counts"))
    except sqlite3.OperationalError:
        return {}
    finally:
        database.close()


def main():
    source = re.search(r"<!-- counter\.c.*?-->\n```c\n(.*?)```", readme, re.S).group(1)
    with open(os.path.join(scratch, "counter.c"), "w", encoding="utf-8") as out:
        out.write(source)
    if not re.search(r"^cmake --install .*\nldconfig\b", readme, re.M):  # LD_RUN_PATH below stands for it
        raise SystemExit("a program finds a library that is new in /usr/local only after ldconfig")
    compiler = re.search(r"^(gcc counter\.c .*)$", readme, re.M).group(1)
    env = dict(os.environ, PKG_CONFIG_PATH=f"{prefix}/lib/pkgconfig", LD_RUN_PATH=f"{prefix}/lib",
               WEFT_BUS=f"ipc://{scratch}/bus", PATH=f"{prefix}/bin:" + os.environ["PATH"])
    subprocess.run(["bash", "-ec", compiler.replace("gcc ", "gcc -Wall -Wextra -Werror ", 1)], cwd=scratch,
                   env=env, check=True)
    start("bus", ["weft-bus", "--endpoint", env["WEFT_BUS"], "--store", f"{scratch}/store"], env)
    publish = re.search(r"^(weft pub .*)$", readme, re.M).group(1)
    counter = ["./counter", "--data", "."]
    first = start("counter", counter, env)
    subprocess.run(["bash", "-ec", publish], env=env, check=True)
    wait_for("one event counted", lambda: counted() == {"post.created": 1})
    first.kill()
    first.wait()
    subprocess.run(["bash", "-ec", publish], env=env, check=True)
    second = start("counter", counter, env)
    wait_for("two events counted", lambda: counted() == {"post.created": 2})
    second.terminate()
    assert second.wait(10) == 0, "a clean stop exits 0"
    lines = [line for line in source.splitlines() if line.strip()]
    print(f"ok: {len(lines)} lines, counted {counted()}")


try:
    main()
finally:
    for running in children:
        if running.poll() is None:
            running.terminate()
            running.wait(10)
