"""docs/watch.py, the watcher on stock ZeroMQ and msgpack, sees what weft pub sends."""
import os
import subprocess
import sys

from bus_client import SLOW, Bus, main, store, wait_until

WEFT = os.path.join(os.environ["WEFT_BIN_DIR"], "weft")
WATCH = os.path.join(os.environ["WEFT_SOURCE_DIR"], "docs/watch.py")


def pub(bus, *words, stdin=""):
    done = subprocess.run([WEFT, "pub", "--bus", bus.control, *words], input=stdin, text=True,
                          stdout=subprocess.PIPE, timeout=60 * SLOW, check=True)
    return done.stdout.rstrip("\n")


def watch(bus, prefix, seen_path):
    with open(seen_path, "wb") as seen:
        return subprocess.Popen([sys.executable, WATCH, bus.fanout, *prefix], stdout=seen)


def lines(path):
    with open(path) as file:
        return file.read().splitlines()


def test_it_is_twelve_lines():
    code = [line for line in lines(WATCH) if line.strip() and not line.lstrip().startswith("#")]
    assert len(code) <= 12, code


def test_it_sees_what_is_sent():
    bus = Bus(store("store"), endpoint="ipc://" + store("b"))
    paths = [store("comments"), store("all")]
    watchers = [watch(bus, prefix, path) for prefix, path in zip((["comment."], []), paths)]
    try:
        def subscribed():  # the bus keeps nothing for a watcher: what it has missed is gone
            pub(bus, "comment.probe")
            return all(lines(path) for path in paths)
        wait_until("both watchers", subscribed, 20)
        sent = []
        for n in range(5):
            subject, data = "post/%d" % n, {"n": n}
            at = pub(bus, "comment.created", "--subject", subject, "--data", '{"n": %d}' % n)
            sent.append("%s comment.created %s %r" % (at, subject, data))
            pub(bus, "post.created", "--subject", subject)
        last = pub(bus, "comment.many", "--data", "-", stdin="".join("%d\n" % n for n in range(1000)))
        end = int(last.rsplit(" ", 1)[1])
        sent += ["%d comment.many None %d" % (end - 999 + n, n) for n in range(1000)]
        wait_until("the last event", lambda: all(lines(path)[-1:] == sent[-1:] for path in paths), 20)
        seen = [line for line in lines(paths[0]) if "comment.probe" not in line]
        assert seen == sent, (len(seen), len(sent), seen[:8])
        everything = lines(paths[1])
        assert set(sent) < set(everything)
        assert sum("post.created" in line for line in everything) == 5
        assert not any("$" in line for line in everything)
    finally:
        for watcher in watchers:
            watcher.kill()
            watcher.wait()


if __name__ == "__main__":
    main(dict(globals()))
