"""The command line against a real bus: every verb, its outputs and exit codes."""
import datetime
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time

import msgpack
import zmq

from bus_client import SCRATCH, SLOW, Bus, Peer, main, store, wait_until

WEFT = os.path.join(os.environ["WEFT_BIN_DIR"], "weft")
NOWHERE = "ipc://" + store("nowhere")


def start_bus(name, **more):
    return Bus(store(name + ".store"), endpoint="ipc://" + store(name), **more)


def environment(bus):
    clean = {key: value for key, value in os.environ.items() if key not in ("WEFT_BUS", "WEFT_DIAG")}
    return dict(clean, WEFT_BUS=bus if isinstance(bus, str) else bus.control)


def weft(bus, *words, stdin="", status=0):
    """(stdout, stderr) of a run that ends by itself."""
    done = subprocess.run([WEFT, *words], env=environment(bus), input=stdin, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60 * SLOW)
    assert done.returncode == status, (words, done.returncode, done.stdout[-500:], done.stderr[-500:])
    return done.stdout, done.stderr


def refused(bus, *words, status, says, stdin=""):
    """A run that fails says why in one line on stderr, and nothing on stdout."""
    out, err = weft(bus, *words, status=status, stdin=stdin)
    assert out == "" and err.count("\n") == 1 and err.startswith("weft"), (words, out, err)
    assert says in err, (words, err)
    if status == 2:
        assert "--help" in err, err


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def past(bus, *words):
    return objects(weft(bus, "sub", "--until-end", "--json", *words)[0])


def positions(events):
    return [event["position"] for event in events]


class Running:
    """A weft that runs until it is told to end. Its lines are read by a thread of ours."""

    alive = []

    def __init__(self, bus, *words, stdin=None):
        self.process = subprocess.Popen([WEFT, *words], env=environment(bus), stdin=stdin, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        Running.alive.append(self)
        self.lines, self.errors = [], []
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.lines),
                                     (self.process.stderr, self.errors))]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def _read(stream, lines):
        for line in stream:
            lines.append(line.rstrip("\n"))

    def wait_lines(self, count, seconds=20):
        wait_until("%d lines" % count, lambda: len(self.lines) >= count, seconds)
        return self.lines

    def wait_error(self, text, seconds=20):
        wait_until("'%s' on stderr" % text,
                   lambda: any(text in line for line in self.errors), seconds)

    def end(self, number=None, status=0):
        if number:
            self.process.send_signal(number)
        assert self.process.wait(timeout=30 * SLOW) == status, (self.process.returncode, self.errors)
        for reader in self.readers:
            reader.join()
        Running.alive.remove(self)
        return self.lines


def joined(bus, running):
    """The live end of a run with --from now has joined: an event published by hand comes out."""
    end = time.monotonic() + 30 * SLOW
    while not running.lines:
        weft(bus, "pub", "probe.sent")
        select.select([], [], [], 0.02)
        assert time.monotonic() < end, running.errors
    return len(running.lines)


# ---- usage

def test_help_and_version():
    out = weft(NOWHERE, "--help")[0]
    for verb in ("pub", "sub", "get", "status", "trim"):
        assert "\n  %s " % verb in out
        about = weft(NOWHERE, verb, "--help")[0]
        assert about.startswith("usage: weft %s" % verb) and "--bus" in about and "--json" in about
        assert weft(NOWHERE, "help", verb)[0] == about
    assert weft(NOWHERE, "help")[0] == out
    assert weft(NOWHERE, "--version")[0].startswith("weft 0.")


def test_wrong_use_ends_with_2():
    for words, says in (
            ((), "verb is missing"), (("publish",), "unknown verb 'publish'"),
            (("--bus",), "unknown option"), (("help", "x"), "unknown verb 'x'"),
            (("pub",), "TYPE is missing"), (("pub", "a", "b"), "unexpected word 'b'"),
            (("pub", "a..b"), "no event type"), (("pub", "$commit"), "no event type"),
            (("pub", "a", "--data"), "wants a value"), (("pub", "a", "--data", "{"), "--data: "),
            (("pub", "a", "--data", "1 2"), "--data: "),
            (("pub", "a", "--data", '{"a":1,"a":2}'), "--data: "),
            (("pub", "a", "--data", '{"$what":1}'), "unknown $ tag"),
            (("pub", "a", "--data", '{"$binary":"A"}'), "base64"),
            (("pub", "a", "--subject", "x" * 1025), "subject"),
            (("pub", "a", "--subject", "a\tb"), "control"),
            (("pub", "a", "--source", ""), "--source"),
            (("pub", "a", "--cause", "0"), "--cause '0'"), (("pub", "a", "--cause", "x"), "--cause 'x'"),
            (("pub", "a", "--cause", str(2 ** 63)), "no position"),
            (("pub", "a", "--traceparent", TRACE), "--traceparent"),
            (("pub", "a", "--traceparent", TRACEPARENT.upper()), "want one like 00-"), (("pub", "a", "--timeout", "-1"), "--timeout"),
            (("pub", "a", "--json=yes"), "takes no value"),
            (("sub", "a.*.b"), "'a.*.b' is no filter"), (("sub", ""), "is no filter"),
            (("sub", "--from", "yesterday"), "--from 'yesterday'"), (("sub", "--from", "last="), "--from"),
            (("sub", "--from", "last=-1"), "--from"), (("sub", "--from", "since=1"), "--from"),
            (("sub", "--from", "since=1w"), "--from"), (("sub", "--from", "12x"), "--from"),
            (("sub", "--from", "since=2026-02-30T00:00:00Z"), "--from"),
            (("sub", "--from", "since=2026-02-20T00:00:00"), "--from"),
            (("sub", "--from", "18446744073709551616"), "--from"), (("sub", "--count", "0"), "--count"),
            (("sub", "-x"), "unknown option '-x'"), (("sub", "--until-end=1"), "takes no value"),
            (("get",), "POSITION is missing"), (("get", "one"), "'one' is no position"),
            (("get", "--", "-1"), "'-1' is no position"),
            (("status", "now"), "unexpected word"), (("status", "--bus", "localhost"), "want tcp://"),
            (("status", "--bus="), "want tcp://"), (("status", "--timeout", "soon"), "--timeout")):
        refused(NOWHERE, *words, status=2, says=says)
    assert weft(NOWHERE, "status", "--frob", status=2)[1] == \
        "weft status: unknown option '--frob'; try weft status --help\n"


def test_bus_from_option_before_environment():
    bus = start_bus("option")
    assert weft(NOWHERE, "pub", "a.b", "--bus", bus.control)[0] == "1\n"
    assert weft(NOWHERE, "get", "--bus=" + bus.control, "1")[0].startswith("1 ")
    assert weft(bus, "get", "1")[0].startswith("1 ")


# ---- pub

def test_pub_prints_the_position():
    bus = start_bus("pub")
    assert weft(bus, "pub", "comment.created", "--subject", "post/42", "--data", '{"a": 1}')[0] == "1\n"
    assert weft(bus, "pub", "--subject=", "--source", "me", "post.created")[0] == "2\n"
    assert objects(weft(bus, "pub", "a", "--json")[0]) == [{"position": 3, "sequence": 1}]
    events = past(bus, "--from", "start")
    assert [(e["type"], e["subject"], e["source"], e["data"]) for e in events] == [
        ("comment.created", "post/42", "weft", {"a": 1}), ("post.created", "", "me", None),
        ("a", "", "weft", None)]


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def test_pub_with_a_cause_and_a_trace():
    bus = start_bus("cause")
    assert weft(bus, "pub", "post.created")[0] == "1\n"
    assert weft(bus, "pub", "post.read", "--cause", "1", "--traceparent", TRACEPARENT)[0] == "2\n"
    weft(bus, "pub", "post.read", "--cause", "2", "--traceparent", TRACEPARENT, "--data", "-", stdin="1\n2\n")
    events = objects(weft(bus, "explain", "1", "--json")[0])
    assert [(e["position"], e["cause"], e["trace"]) for e in events] == [
        (1, None, None), (2, 1, TRACE), (3, 2, TRACE), (4, 2, TRACE)], events
    assert len({e["span"] for e in events} | {TRACEPARENT[36:52]}) == 5, events
    assert positions(objects(weft(bus, "trace", TRACEPARENT, "--json")[0])) == [2, 3, 4]
    refused(bus, "pub", "a", "--cause", "5", status=2, says="--cause 5 is beyond the head of the log, 4")
    refused(bus, "pub", "a", "--cause", "5", "--data", "-", stdin="1", status=2, says="beyond the head")
    assert len(past(bus, "--from", "start")) == 4


def test_pub_lines_of_input():
    bus = start_bus("lines")
    lines = "".join('{"n": %d}\n' % n for n in range(20000))
    out = weft(bus, "pub", "n.seq", "--data", "-", stdin=lines)[0]
    assert out == "20000 events, last at position 20000\n"
    assert [e["data"]["n"] for e in past(bus, "--from", "start")] == list(range(20000))
    assert weft(bus, "pub", "a", "--data", "-", stdin="\n 7\n\n\"x\"")[0] == \
        "2 events, last at position 20002\n"  # blank lines are none, the last needs no end
    assert [e["data"] for e in past(bus, "--from", "last=2")] == [7, "x"]
    assert weft(bus, "pub", "a", "--data", "-", stdin="1")[0] == "1 event, last at position 20003\n"
    assert weft(bus, "pub", "a", "--data", "-")[0] == "0 events\n"
    assert objects(weft(bus, "pub", "a", "--json", "--data", "-", stdin="1\n2\n")[0]) == [
        {"events": 2, "position": 20005}]


def test_pub_stops_at_a_bad_line():
    bus = start_bus("bad")
    refused(bus, "pub", "a", "--data", "-", stdin="1\n2\n{\n4\n", status=1,
            says="line 3: ")
    assert [e["data"] for e in past(bus, "--from", "start")] == [1, 2]
    out, err = weft(bus, "pub", "a", "--data", "-", stdin="1\n{\n", status=1)
    assert "the first 1 of 1 events are stored" in err
    refused(bus, "pub", "a", "--data", "-", stdin='"%s"' % ("x" * (256 << 10)), status=1,
            says="line 1: event is beyond")
    refused(bus, "pub", "a", "--data", "-", stdin="x" * (3 << 20), status=1, says="line 1 is beyond")


def test_pub_sends_each_line_as_it_comes():
    bus = start_bus("slowly")
    pub = Running(bus, "pub", "n.seq", "--data", "-", stdin=subprocess.PIPE)
    for n in range(1, 4):
        pub.process.stdin.write("%d\n" % n)
        pub.process.stdin.flush()
        wait_until("event %d" % n, lambda: objects(weft(bus, "status", "--json")[0])[0]["head"] == n)
    pub.process.stdin.close()
    assert pub.end() == ["3 events, last at position 3"]


def test_pub_event_at_the_limit():
    bus = start_bus("limit")
    text = "x" * (262144 - 1000)
    assert weft(bus, "pub", "a", "--data", "-", stdin='"%s"' % text)[0].startswith("1 event")
    assert past(bus, "--from", "start")[0]["data"] == text


def test_pub_survives_a_restart_of_the_bus():
    bus = start_bus("restart")
    pub = Running(bus, "pub", "n.seq", "--data", "-", "--timeout", "60", stdin=subprocess.PIPE)
    pub.process.stdin.write("1\n")
    pub.process.stdin.flush()
    wait_until("an event", lambda: objects(weft(bus, "status", "--json")[0])[0]["head"] == 1)
    bus.stop(signal.SIGKILL)
    pub.process.stdin.write("".join("%d\n" % n for n in range(2, 1001)))
    pub.process.stdin.close()
    bus = start_bus("restart")
    assert pub.end() == ["1000 events, last at position 1000"]
    assert [e["data"] for e in past(bus, "--from", "start")] == list(range(1, 1001))


# ---- the bus away

def test_bus_away():
    refused(NOWHERE, "pub", "a", "--timeout", "0.2", status=1, says="nothing is known to be stored")
    refused(NOWHERE, "pub", "a", "--data", "-", "--timeout", "0.2", status=1, stdin="1\n2\n",
            says="nothing is known to be stored")
    for words in (("status",), ("get", "1"), ("sub", "--until-end"), ("sub", "--until-end", "--from=last=1")):
        refused(NOWHERE, *words, "--timeout", "0.2", status=1, says="does not answer")


def test_sub_waits_for_the_bus_and_says_so():
    where = "ipc://" + store("late")
    subs = [Running(where, "sub", "--from", start) for start in ("start", "last=1")]
    for sub in subs:
        sub.wait_error("does not answer, waiting for it")
    bus = start_bus("late")
    weft(bus, "pub", "a.b", "--data", "1")
    for sub in subs:
        sub.wait_error("is back")
        line = sub.wait_lines(1)[0]
        assert line.startswith("1 ") and line.endswith(" a.b - 1"), line
        sub.end(signal.SIGTERM)
        assert len(sub.errors) == 2, sub.errors


def test_sub_goes_on_after_a_restart_of_the_bus():
    bus = start_bus("again")
    sub = Running(bus, "sub", "--from", "start", "n.>", "--json")
    weft(bus, "pub", "n.a", "--data", "1")
    sub.wait_lines(1)
    bus.stop(signal.SIGKILL)
    sub.wait_error("does not answer")
    bus = start_bus("again")
    weft(bus, "pub", "n.a", "--data", "2")
    sub.wait_lines(2)
    assert [event["data"] for event in objects("\n".join(sub.end(signal.SIGINT)))] == [1, 2]


def test_sub_until_end_gives_up_when_the_bus_goes():
    bus = start_bus("gone")
    for _ in range(2):  # more than what fits into the pipe
        weft(bus, "pub", "a.b", "--data", "-", stdin=('"%s"\n' % ("x" * 1000)) * 5000)
    sub = subprocess.Popen([WEFT, "sub", "--from", "start", "--until-end", "--timeout", "4"],
                           env=environment(bus), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert sub.stdout.readline().startswith("1 ")
    bus.stop(signal.SIGKILL)
    out, err = sub.communicate(timeout=60 * SLOW)
    assert sub.returncode == 1 and "gave up after position" in err, (sub.returncode, err, len(out))


# ---- sub

def test_history_lists_all_without_a_gap():
    bus = start_bus("history")
    for type_ in ("comment.created", "comment.a.b", "post.created", "commentary"):
        weft(bus, "pub", type_, "--data", "-", stdin="".join("%d\n" % n for n in range(50)))
    events = past(bus, "--from", "start")
    assert positions(events) == list(range(1, 201))
    assert set(events[0]) == {"position", "chain", "stored", "type", "origin", "sequence", "time",
                              "source", "subject", "cause", "traceparent", "data"}
    for filters, count in ((("comment.*",), 50), (("comment.>",), 100), ((">",), 200), (("*",), 50),
                           (("comment.created", "post.created"), 100), (("comment",), 0),
                           (("comment.*", "comment.created"), 50)):
        assert len(past(bus, "--from", "start", *filters)) == count, filters
    assert positions(past(bus, "--from", "199")) == [199, 200]
    assert positions(past(bus, "--from", "0", "--count", "2")) == [1, 2]
    assert positions(past(bus, "--from", "201")) == []
    assert past(bus) == []  # from now
    refused(bus, "sub", "--from", "202", "--until-end", status=1, says="--from 202 is beyond the head")


def test_empty_log():
    bus = start_bus("empty")
    for start in ("start", "now", "0", "1", "last=3", "since=1h"):
        assert past(bus, "--from", start) == [], start
    refused(bus, "get", "1", status=1, says="the log is empty")


def test_last():
    bus = start_bus("last")
    weft(bus, "pub", "rare.event", "--data", "-", stdin="1\n2\n3\n")
    weft(bus, "pub", "often", "--data", "-", stdin="0\n" * 12000)
    weft(bus, "pub", "rare.event", "--data", "4")
    for wanted, got in ((1, [4]), (2, [3, 4]), (3, [2, 3, 4]), (4, [1, 2, 3, 4]), (5, [1, 2, 3, 4]),
                        (0, [])):
        events = past(bus, "--from", "last=%d" % wanted, "rare.*")
        assert [event["data"] for event in events] == got, (wanted, events)
    assert positions(past(bus, "--from", "last=11000")) == list(range(12004 - 11000 + 1, 12005))
    assert past(bus, "--from", "last=3", "none.such") == []


def test_since():
    bus = start_bus("since")
    for n in range(1, 8):
        weft(bus, "pub", "n.a", "--data", str(n))
    events = past(bus, "--from", "start")
    stored = [event["stored"] for event in events]
    assert stored == sorted(set(stored)), stored  # each run took more than a microsecond
    for n, time_ in enumerate(stored):
        assert positions(past(bus, "--from", "since=" + time_)) == list(range(n + 1, 8))
    there = datetime.datetime.fromisoformat(stored[3].replace("Z", "+00:00")).astimezone(
        datetime.timezone(datetime.timedelta(hours=5, minutes=30)))
    assert positions(past(bus, "--from", "since=" + there.isoformat())) == [4, 5, 6, 7]
    assert len(past(bus, "--from", "since=1h")) == 7
    assert len(past(bus, "--from", "since=1d", "n.*")) == 7
    assert past(bus, "--from", "since=0s") == []
    assert past(bus, "--from", "since=2999-01-01T00:00:00Z") == []


def test_two_terminals():
    bus = start_bus("live")
    subs = [Running(bus, "sub", *words) for words in ((">",), ("comment.*", "probe.*"))]
    for sub in subs:
        joined(bus, sub)
    weft(bus, "pub", "post.created", "--subject", "post/1", "--data", '{"title": "x y"}')
    weft(bus, "pub", "comment.created", "--subject", "a b", "--data", "[1]")
    for sub in subs:  # by name: the last probes may still be on their way
        wait_until("the last event", lambda lines=sub.lines: " comment.created " in lines[-1], 20)
    assert subs[0].lines[-2].split(" ", 3)[2:] == ["post.created", 'post/1 {"title":"x y"}']
    assert subs[1].lines[-1].split(" ", 3)[2:] == ["comment.created", '"a b" [1]']
    moment = subs[0].lines[-1].split(" ")[1]
    assert len(moment) == len("2026-11-24T08:00:00.000Z") and moment.endswith("Z"), moment
    for sub in subs:
        sub.end(signal.SIGINT)
        assert sub.errors == []


def test_history_and_live_join_under_load():
    bus = start_bus("join")
    weft(bus, "pub", "old.event", "--data", "-", stdin="0\n" * 5000)
    pub = Running(bus, "pub", "new.event", "--data", "-", stdin=subprocess.PIPE)
    stop = threading.Event()
    sent = [0]

    def publish():
        while not stop.is_set():
            pub.process.stdin.write("".join("%d\n" % (sent[0] + n) for n in range(100)))
            sent[0] += 100
            pub.process.stdin.flush()
            select.select([], [], [], 0.002)  # a pace, or the lists below grow without end
        pub.process.stdin.close()

    publisher = threading.Thread(target=publish)
    publisher.start()
    subs = []
    for _ in range(3):
        subs.append(Running(bus, "sub", "--from", "start", "--json"))
        subs[-1].wait_lines(10000, 60)
    stop.set()
    publisher.join()
    pub.end()
    total = 5000 + sent[0]
    for sub in subs:
        sub.wait_lines(total, 60)
        events = objects("\n".join(sub.end(signal.SIGTERM)))
        assert positions(events) == list(range(1, total + 1))
        assert [event["data"] for event in events[5000:]] == list(range(sent[0]))


def test_count_ends_it():
    bus = start_bus("count")
    sub = Running(bus, "sub", "--from", "start", "--count", "3")
    weft(bus, "pub", "a.b", "--data", "-", stdin="1\n2\n3\n4\n")
    assert [line.rsplit(" ", 1)[1] for line in sub.end()] == ["1", "2", "3"]


def test_reader_of_the_output_goes_away():
    bus = start_bus("pipe")
    weft(bus, "pub", "a.b", "--data", "-", stdin="1\n" * 20000)
    for words in (("last=1",), ("start",), ("start", "--until-end")):  # idle, and in the middle of a lot
        sub = subprocess.Popen([WEFT, "sub", "--from", *words], env=environment(bus),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert sub.stdout.readline().endswith(" a.b - 1\n")
        sub.stdout.close()
        assert sub.wait(timeout=30 * SLOW) == 0
        assert sub.stderr.read() == ""
        sub.stderr.close()
    with open("/dev/full", "w") as full:
        done = subprocess.run([WEFT, "sub", "--from", "start", "--until-end"], env=environment(bus),
                              stdout=full, stderr=subprocess.PIPE, text=True, timeout=30 * SLOW)
    assert done.returncode == 1 and "cannot write" in done.stderr, done


def test_signal_ends_it_while_nobody_reads():
    bus = start_bus("blocked")
    weft(bus, "pub", "a.b", "--data", "-", stdin=('"%s"\n' % ("x" * 1000)) * 3000)
    sub = subprocess.Popen([WEFT, "sub", "--from", "start"], env=environment(bus),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert select.select([sub.stdout], [], [], 20 * SLOW)[0]

    def blocked():  # it sleeps in write, since the pipe is full
        with open("/proc/%d/wchan" % sub.pid) as file:
            return "pipe" in file.read()

    wait_until("a full pipe", blocked)
    sub.send_signal(signal.SIGTERM)
    assert sub.wait(timeout=30 * SLOW) == 0
    sub.stdout.close()
    sub.stderr.close()


# ---- get and status

def test_get():
    bus = start_bus("get")
    weft(bus, "pub", "a.b", "--subject", "s/1", "--data", "-", stdin="1\n2\n3\n")
    for n in (1, 2, 3):
        assert weft(bus, "get", str(n))[0].split()[::2] == [str(n), "a.b", str(n)]
        assert objects(weft(bus, "get", str(n), "--json")[0]) == [
            event for event in past(bus, "--from", "start") if event["position"] == n]
    refused(bus, "get", "0", status=1, says="no event at position 0: the log has 1 to 3")
    refused(bus, "get", "4", status=1, says="no event at position 4: the log has 1 to 3")


def test_trim():
    bus = start_bus("trim")
    weft(bus, "pub", "a.b", "--data", "-", stdin="".join("%d\n" % n for n in range(100)))
    peer = Peer(bus)
    report = {"name": "slow", "instance": peer.origin, "software": "x", "position": 50, "resume": 40,
              "outbox": 0, "parked": 0, "parked_oldest": 0, "skipped": 0, "on_error": "park",
              "database": "", "applied_catch_up": 0, "applied_live": 0, "live": True,
              "filters": ["a.b"]}
    peer.control.send_multipart([b"REPORT", msgpack.packb(report)])
    wait_until("the report", lambda: peer.status()["services"])
    out = weft(bus, "trim", "--to", "30", "--dry-run")[0]
    assert out.startswith("would forget events 1 to 30 (30 events, about") and "70 are kept" in out, out
    assert peer.welcome()["first"] == 0
    assert weft(bus, "trim", "--to", "30")[0].startswith("forgot events 1 to 30 (30 events")
    assert peer.welcome()["first"] == 30  # it has happened when the verb ends
    assert positions(past(bus, "--from", "start")) == list(range(31, 101))
    assert positions(past(bus, "--from", "last=2")) == [99, 100]
    refused(bus, "get", "30", status=1, says="event 30 is gone: the log keeps those after 30")
    refused(bus, "sub", "--from", "30", "--until-end", status=1, says="below what the log still keeps; use --from start")
    out = weft(bus, "trim", "--to", "60")[0].splitlines()
    assert out[0].startswith("forgot events 31 to 40") and "service slow needs the events after 40" in out[1]
    assert "--force" in out[1], out
    (plan,) = objects(weft(bus, "trim", "--to", "60", "--json", "--dry-run")[0])
    assert plan == {"dryRun": True, "first": 40, "to": 40, "wanted": 60, "head": 100,
                    "bytes": plan["bytes"], "holder": "slow", "holderResume": 40}
    assert weft(bus, "trim", "--to", "20")[0] == "nothing to forget: the log keeps events 41 to 100\n"
    assert "GONE" in weft(bus, "trim", "--to", "100", "--force")[0]
    assert peer.welcome()["first"] == 100
    assert past(bus, "--from", "start") == []
    weft(bus, "pub", "a.b", "--data", "1")
    assert positions(past(bus, "--from", "start")) == [101]
    refused(bus, "trim", "--to", "102", status=1, says="beyond the head 101")
    refused(bus, "trim", status=1, says="nothing says what to keep")
    assert weft(bus, "trim", "--keep", "30d,20GB")[0].startswith("nothing to forget")
    for words in (("--to", "x"), ("--to", "0"), ("--keep", "1"), ("--keep", "1d", "--to", "1"), ("word",),
                  ("--dry-run=1",), ("--timeout", "x")):
        refused(bus, "trim", *words, status=2, says="trim")


def test_status():
    bus = start_bus("status")
    weft(bus, "pub", "a.b", "--data", "-", stdin="1\n2\n3\n")
    peer = Peer(bus)
    report = {"name": "moderation", "instance": peer.origin, "software": "x 1", "position": 1,
              "resume": 0, "outbox": 5, "parked": 6, "parked_oldest": 0, "skipped": 9, "on_error": "skip",
              "database": "/x/y.db", "applied_catch_up": 7, "applied_live": 8, "live": True,
              "filters": ["a.b", "c.>"]}
    peer.control.send_multipart([b"REPORT", msgpack.packb(report)])
    wait_until("the report", lambda: peer.status()["services"])
    (state,) = objects(weft(bus, "status", "--json")[0])
    theirs = peer.status()
    for key in ("head", "first", "software", "fanout", "ingest", "accepting", "reason"):
        assert state[key] == theirs[key], key
    assert state["log"] == theirs["log"].hex() and state["control"] == bus.control
    assert int(state["boot"], 16) == theirs["boot"] and int(state["chain"], 16) == theirs["chain"]
    assert state["counters"]["stored"] == 3 and set(state["counters"]) == set(theirs["counters"])
    assert abs(datetime.datetime.fromisoformat(state["started"].replace("Z", "+00:00")).timestamp()
               - theirs["started"] / 1e6) < 1e-3
    (service,) = state["services"]
    assert service["seenAgo"] >= 0 and service.pop("seen") and service.pop("seenAgo") is not None
    assert service.pop("lagSeconds") > 0
    assert service == {"name": "moderation", "instance": peer.origin.hex(), "software": "x 1",
                       "position": 1, "resume": 0, "lag": 2, "outbox": 5, "parked": 6,
                       "appliedCatchUp": 7, "parkedOldestAgo": None, "skipped": 9, "onError": "skip",
                       "database": "/x/y.db", "silent": False,
                       "appliedLive": 8, "live": True, "filters": ["a.b", "c.>"]}
    lines = weft(bus, "status")[0].splitlines()
    pairs = dict(line.split(None, 1) for line in lines)
    assert pairs["head"] == "3" and pairs["accepting"] == "yes" and pairs["stored"] == "3"
    assert pairs["log"] == state["log"] and "duplicate" not in pairs
    assert pairs["service"].startswith(
        "moderation position=1 lag=2 outbox=5 parked=6 live=yes seen="), pairs
    peer.close()


def test_a_lag_that_the_log_has_forgotten():
    bus = start_bus("forgotten")
    weft(bus, "pub", "a.b", "--data", "-", stdin="1\n2\n3\n")
    peer = Peer(bus)
    report = {"name": "late", "instance": peer.origin, "software": "x 1", "position": 1, "resume": 1,
              "outbox": 0, "parked": 0, "parked_oldest": 0, "skipped": 0, "on_error": "park",
              "database": "", "applied_catch_up": 0, "applied_live": 0, "live": False, "filters": ["a.b"]}
    peer.control.send_multipart([b"REPORT", msgpack.packb(report)])
    wait_until("the report", lambda: peer.status()["services"])
    weft(bus, "lag", "--warn", "1h", status=2)
    weft(bus, "lag", "--warn", "3600s", "--crit", "7200s")
    weft(bus, "trim", "--to", "2", "--force")
    peer.control.send_multipart([b"REPORT", msgpack.packb(report)])
    weft(bus, "lag", "--warn", "3600s", "--crit", "7200s", status=4)
    peer.close()


# ---- JSON

class Cutter(threading.Thread):
    """Stands before the bus' control socket and takes the last byte of each page."""

    def __init__(self, bus):
        super().__init__(daemon=True)
        self.endpoint = "ipc://" + store("cutter")
        context = zmq.Context.instance()
        self.front, self.back = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
        self.front.bind(self.endpoint)
        self.back.connect(bus.control)

    def run(self):
        poller, client = zmq.Poller(), b""
        poller.register(self.front, zmq.POLLIN)
        poller.register(self.back, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if self.front in ready:
                client, *frames = self.front.recv_multipart()
                self.back.send_multipart(frames)
            if self.back in ready:
                frames = self.back.recv_multipart()
                if frames[0] == b"PAGE":
                    frames[2] = frames[2][:-1]
                self.front.send_multipart([client, *frames])


def test_a_page_that_cannot_be_read_to_its_end_is_told():
    bus = start_bus("cut")
    weft(bus, "pub", "a.b", stdin="1\n")
    cutter = Cutter(bus)
    cutter.start()
    for words in (["count"], ["export"], ["get", "1"]):
        out, err = weft(cutter.endpoint, *words, status=1)
        assert out == "" and "malformed" in err, (words, out, err)
    bus.stop()


def test_json_there_and_back():
    bus = start_bus("json")
    values = ["null", "true", "0", "-9223372036854775808", "9223372036854775807",
              '{"$uint":"18446744073709551615"}', '{"$binary":""}', '{"$binary":"AAECAw=="}',
              "1.5", "1e300", "0.1", "[]", "{}", '""', '"\\u00e9\\ud83d\\ude00\\n\\""',
              '{"$$uint":"1","":{"a":[[],{}]}}', "[" * 31 + "]" * 31]
    out = weft(bus, "pub", "a.b", "--data", "-", stdin="\n".join(values))[0]
    assert out.startswith("%d events" % len(values)), out
    plain = [line.split(" ", 4)[4] for line in
             weft(bus, "sub", "--from", "start", "--until-end")[0].splitlines()]
    shown = past(bus, "--from", "start")
    for value, line, event in zip(values, plain, shown):
        assert json.loads(line) == json.loads(value) == event["data"], (value, line, event)
    peer = Peer(bus)
    raw = [msgpack.unpackb(row[4], strict_map_key=False)[8] for row in peer.read_log()]
    peer.close()
    assert raw[:8] == [None, True, 0, -1 << 63, (1 << 63) - 1, (1 << 64) - 1, b"", b"\x00\x01\x02\x03"]
    assert raw[-2] == {"$uint": "1", "": {"a": [[], {}]}}


def test_data_without_json_form():
    bus = start_bus("foreign")
    peer = Peer(bus)
    for data in (msgpack.ExtType(5, b"x"), {1: 2}, float("nan"), "a\x00b"):
        peer.emit(b"a.b", data)
    peer.publish(b"a.b", msgpack.packb([1, peer.origin, 5, 7, "py", "s", 3,
                                        bytes(range(25)), b"\xff"], use_bin_type=True))
    peer.wait_ack(5)
    shown = past(bus, "--from", "start")
    assert [(e["data"], e.get("dataError")) for e in shown[:4]] == [
        (None, "extension type"), (None, "map key is not text"), (None, "number is not finite"),
        (None, "text holds U+0000")]
    plain = weft(bus, "sub", "--from", "start", "--until-end")[0].splitlines()
    assert plain[0].endswith(" a.b - (no JSON: extension type)"), plain
    last = shown[4]
    assert last["data"] == {"$binary": "/w=="} and "dataError" not in last
    assert (last["origin"], last["sequence"], last["time"], last["source"], last["subject"],
            last["cause"]) == (peer.origin.hex(), 5, "1970-01-01T00:00:00.000007Z", "py", "s", 3)
    assert last["traceparent"] == "00-%s-%s-18" % (bytes(range(16)).hex(), bytes(range(16, 24)).hex())
    assert len(last["chain"]) == 16 and int(last["chain"], 16) == peer.read_log()[4][3]
    peer.close()


def kill_all():
    for running in list(Running.alive):
        running.process.kill()
        running.process.wait()


if __name__ == "__main__":
    assert SCRATCH
    try:
        main(dict(globals()))
    finally:
        kill_all()
