"""tools/wireshark/weft.lua in tshark: all kinds of messages by name, from captures of the blog over tcp;
and captures that are cut off, garbled or incomplete.

Environment: WEFT_TEST_SEED repeats a garbled run."""

import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import msgpack
import zmq

import pcap
from process import SLOW, Failure, Process, check, seed, wait_until
from relay import Relay

SCRATCH = os.environ["WEFT_TEST_DIR"]
SOURCE = os.environ["WEFT_SOURCE_DIR"]
BIN = os.environ["WEFT_BIN_DIR"]
SCRIPT = os.path.join(SOURCE, "tools/wireshark/weft.lua")
SERVICES = ("posts", "comments", "moderation", "query")
RELAY_HOST = "127.0.0.2"


# ---- tshark

def tshark(path, *options, statuses=(0,)):
    """Its output, once it is known that Lua had nothing to complain of."""
    done = subprocess.run(["tshark", "-n", "-X", f"lua_script:{SCRIPT}", "-r", path, *options],
                          capture_output=True, encoding="utf-8", errors="replace", timeout=120 * SLOW,
                          check=False)  # tshark cuts long labels amid a character
    errors = [line for line in done.stderr.splitlines() if "Running as user" not in line]
    check("Lua" in done.stdout or "Lua" in done.stderr, False,
          f"an error of Lua in {path}:\n{done.stderr}\n" + "\n".join(
              line for line in done.stdout.splitlines() if "Lua" in line))
    check(done.returncode in statuses, True, f"tshark: {done.returncode} {errors}")
    return done.stdout


def fields(path, filter_, *names):
    options = [word for name in names for word in ("-e", name)]
    out = tshark(path, "-Y", filter_, "-T", "fields", "-E", "separator=|", *options)
    return [tuple(value.split(",") if value else [] for value in line.split("|"))
            for line in out.splitlines()]


def values(path, name, filter_=None):
    """All values of a field."""
    return [value for row in fields(path, filter_ or name, name) for value in row[0]]


def commands():
    """The names in WEFT_COMMANDS."""
    with open(os.path.join(SOURCE, "src/proto/weft_control.h"), encoding="utf-8") as file:
        text = re.search(r"#define WEFT_COMMANDS\(X\)((?:.*\\\n)*.*)", file.read()).group(1)
    return re.findall(r"X\((\w+)\)", text)


# ---- two ways to capture

class Dumpcap:
    """The kernel's packets. None where that is not allowed."""

    def __init__(self, ports):
        self.path = os.path.join(SCRATCH, "dumpcap.pcap")
        self.reach = "127.0.0.1"
        self.errors = os.path.join(SCRATCH, "dumpcap.err")
        with open(self.errors, "wb") as err:
            self.child = subprocess.Popen(
                ["dumpcap", "-P", "-i", "lo", "-f", " or ".join(f"tcp port {port}" for port in ports),
                 "-w", self.path], stderr=err, stdin=subprocess.DEVNULL)
        wait_until("dumpcap captures or ends", lambda: self._started() or self.child.poll() is not None)
        self.allowed = self.child.poll() is None

    def _started(self):
        with open(self.errors, encoding="utf-8") as err:
            return "File: " in err.read()

    def stop(self):
        # what was sent last has been captured when a connection made after it has
        with socket.create_connection((self.reach, self.last_port)) as last:
            # source and destination as TCP has them: two bytes alone are somewhere by chance
            ports = b"".join(port.to_bytes(2, "big") for port in (last.getsockname()[1], self.last_port))
            wait_until("the last packets are in the file", lambda: self._holds(ports))
        self.end()

    def end(self):
        self.child.terminate()
        self.child.wait()

    def _holds(self, ports):
        if not os.path.exists(self.path):
            return False
        with open(self.path, "rb") as file:
            return ports in file.read()

    last_port = 0


class Tapped:
    """What a relay between clients and bus saw: needs no rights."""

    def __init__(self, ports):
        self.path = os.path.join(SCRATCH, "relay.pcap")
        self.reach = RELAY_HOST
        self.writer = pcap.Writer(self.path)
        self.relay = Relay(RELAY_HOST, "127.0.0.1", ports)
        self.relay.rewrite = (b"tcp://127.0.0.1:", f"tcp://{RELAY_HOST}:".encode())
        self.relay.tap = lambda port: self.writer.stream(port).send
        self.allowed = True

    def stop(self):
        self.writer.close()

    def end(self):
        self.relay.close()


# ---- a mesh over tcp

def post(process, path, body):
    request = urllib.request.Request(f"http://{process.http}{path}", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30 * SLOW) as answer:
        return json.load(answer)


def get(process, path):
    with urllib.request.urlopen(f"http://{process.http}{path}", timeout=30 * SLOW) as answer:
        return json.load(answer)


def weft(endpoint, *words):
    return subprocess.run([os.path.join(BIN, "weft"), *words, "--bus", endpoint], timeout=60 * SLOW,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def blog(endpoint, name):
    """The blog runs once: a post, and a comment that moderation rejects."""
    services = {}
    for service in SERVICES:
        data = os.path.join(SCRATCH, name, service)
        os.makedirs(data)
        services[service] = Process("blog-" + service, [
            os.path.join(BIN, "blog-" + service), "--bus", endpoint, "--data", data,
            "--http", "127.0.0.1:0"], data).start()
    try:
        made = post(services["posts"], "/posts", {"title": "hello"})["id"]
        post(services["comments"], f"/posts/{made}/comments", {"content": "an orange"})
        wait_until("query shows the verdict", lambda: [
            one["status"] for one in get(services["query"], "/posts").get(made, {}).get("comments", [])
        ] == ["rejected"], 30)
    finally:
        for service in services.values():
            service.stop()


def heartbeats(context, fanout):
    """A client whose libzmq sends PING and gets PONG."""
    watcher = context.socket(zmq.SUB)
    watcher.setsockopt(zmq.HEARTBEAT_IVL, 20)
    watcher.setsockopt(zmq.SUBSCRIBE, b"$commit")
    watcher.connect(fanout)
    for _ in range(2):
        check(bool(watcher.poll(20000 * SLOW)), True, "a heartbeat of the bus")
        watcher.recv_multipart()
    watcher.unsubscribe(b"$commit")
    watcher.subscribe(b"none")
    watcher.close()


def read_until(peer, words):
    got = b""
    while words not in got:
        piece = peer.recv(65536)
        check(bool(piece), True, f"the bus goes on until {words}: {got!r}")
        got += piece


def old_client(host, port):
    """ZMTP 3.0: subscriptions are messages of one frame that begin with 1 or 0."""
    greeting = b"\xff" + b"\0" * 7 + b"\x01\x7f" + b"\x03\0" + b"NULL".ljust(20, b"\0") + b"\0" * 32
    ready = b"\x05READY\x0bSocket-Type\0\0\0\x03SUB"
    with socket.create_connection((host, port), timeout=20 * SLOW) as peer:
        peer.sendall(greeting)
        read_until(peer, b"NULL")  # libzmq cuts a peer that sends more before it has greeted
        peer.sendall(b"\x04" + bytes([len(ready)]) + ready + b"\0\x08\x01$commit")
        read_until(peer, b"prev_chain")
        peer.sendall(b"\0\x08\0$commit")


def stranger(context, endpoint):
    """Commands that the bus refuses, one of them made up; they are named all the same."""
    dealer = context.socket(zmq.DEALER)
    dealer.connect(endpoint)
    for command, body in (("FETCH", {"id": 1}), ("LATER_ON", {"id": 2, "new": [1, "x"]})):
        dealer.send_multipart([command.encode(), msgpack.packb(body)])
        check(bool(dealer.poll(20000 * SLOW)), True, f"an answer to {command}")
        check(dealer.recv_multipart()[0], b"ERROR", command)
    dealer.close()


def captured(name, way):
    """Run the blog and some others while it is captured. Returns the file and the bus' log as JSON."""
    directory = os.path.join(SCRATCH, name)
    os.makedirs(directory)
    bus = Process("bus", [os.path.join(BIN, "weft-bus"), "--endpoint", "tcp://127.0.0.1:0",
                          "--store", os.path.join(directory, "store")], directory).start()
    context, capture = zmq.Context(), None
    try:
        ports = [int(bus.ready[key].rsplit(":", 1)[1]) for key in ("control", "fanout", "ingest")]
        capture = way(ports)
        capture.last_port = ports[0]
        if not capture.allowed:
            return None, None, ports
        endpoint = f"tcp://{capture.reach}:{ports[0]}"
        blog(endpoint, name)
        heartbeats(context, f"tcp://{capture.reach}:{ports[1]}")
        old_client(capture.reach, ports[1])
        stranger(context, endpoint)
        for words in (["status"], ["trim", "--to", "1", "--dry-run"]):
            weft(endpoint, *words)
        # Through the capture: whoever joined in time has asked for no page.
        log = weft(endpoint, "sub", "--from", "start", "--until-end", "--json").stdout
        capture.stop()
    finally:
        context.destroy(linger=0)
        if capture:
            capture.end()
        bus.stop()
    return capture.path, [json.loads(line) for line in log.splitlines()], ports


# ---- what tshark must say

def check_capture(path, log):
    commands_seen = ["HELLO", "WELCOME", "FETCH", "PAGE", "REPORT", "STATUS", "STATE", "ERROR", "TRIM",
                     "TRIMMED", "LATER_ON"]
    kinds = set(values(path, "weft.kind"))
    for kind in ("events", "commit", "ack", "subscribe", "cancel", *commands_seen):
        check(kind in kinds, True, f"{kind} among {sorted(kinds)}")
    check(set(values(path, "zmtp.command")) >= {"READY", "SUBSCRIBE", "CANCEL", "PING", "PONG"}, True,
          f"commands of ZMTP: {set(values(path, 'zmtp.command'))}")
    check(set(values(path, "zmtp.version")) >= {"3.0", "3.1"}, True, "greetings of both versions")
    check(set(values(path, "zmtp.socket_type")) >= {"DEALER", "ROUTER", "SUB", "XPUB", "XSUB"}, True,
          "types of sockets")
    check(values(path, "zmtp.malformed"), [], "nothing is malformed")
    # Each event of the log came by ingest once, and with its stamp by fan-out or a page.
    ingest = fields(path, 'weft.kind == "events" && !weft.stored', "weft.type", "weft.origin",
                    "weft.sequence")
    for event in log:
        check(([event["type"]], [event["origin"]], [str(event["sequence"])]) in ingest, True,
              f"{event} in {ingest}")
        rows = fields(path, f'weft.type == "{event["type"]}" && weft.position == {event["position"]}'
                      f' && weft.origin == "{event["origin"]}" && weft.stored',
                      "weft.source", "weft.subject", "weft.chain", "weft.data")
        check(bool(rows), True, f"fan-out, or a page, with {event}")
        check(event["source"] in rows[0][0] and event["subject"] in rows[0][1], True, repr(rows[0]))
        check(f"0x{event['chain']}" in rows[0][2], True, f"{rows[0]} {event}")
        data = json.loads(",".join(rows[0][3]))
        check(data, event["data"], "data")
    check([event["type"] for event in log],
          ["post.created", "comment.created", "comment.moderated", "comment.updated"], "the blog ran")
    positions = values(path, "weft.position", 'weft.kind == "ack"')
    check(set(positions) >= {"1", "2", "3", "4"}, True, f"acknowledgements at {positions}")
    check(max(map(int, values(path, "weft.last", 'weft.kind == "commit"'))), log[-1]["position"],
          "commit records up to the end")
    text = tshark(path, "-Y", "weft")
    for words in ("events post.created ×1", "commit (4, 4]", "HELLO name=blog-posts", "REPORT name=blog-query", 'subscribe "$commit"', "LATER_ON"):
        check(words in text, True, f"the summary has: {words}\n{text}")


def test_a_capture_by_a_relay_shows_all_kinds_by_name():
    path, log, ports = captured("tapped", Tapped)
    check_capture(path, log)
    with open(os.path.join(SCRATCH, "kept.json"), "w", encoding="utf-8") as file:
        json.dump([path, ports], file)


def test_a_capture_by_dumpcap_shows_all_kinds_by_name():
    if not shutil.which("dumpcap"):
        print("  skipped: there is no dumpcap")
        return
    path, log, _ = captured("dumpcap", Dumpcap)
    if not path:
        print("  skipped: this user may not capture; the relay's capture was shown")
        return
    check_capture(path, log)


def golden(name):
    with open(os.path.join(SOURCE, f"tests/golden/{name}.hex"), encoding="utf-8") as file:
        return bytes.fromhex("".join(file.read().split()))


def frame(data, more):
    if len(data) < 256:
        return bytes([more, len(data)]) + data
    return bytes([more | 2]) + len(data).to_bytes(8, "big") + data


def test_every_command_that_the_source_knows_has_its_name():
    """From the golden frames, also those that are rare on the wire; in one stream, in small pieces."""
    path = os.path.join(SCRATCH, "golden.pcap")
    writer = pcap.Writer(path)
    stream = writer.stream(7600)
    event = golden("stamp") + golden("event")
    sent = b""
    for command in commands():
        data = frame(command.encode(), 1) + frame(golden(command.lower()), command == "PAGE")
        if command == "PAGE":
            data += frame(msgpack.packb("post.created") + event, 0)
        sent += data
    for at in range(0, len(sent), 7):
        stream.send("client", sent[at:at + 7])
    writer.stream(7601).send("bus", frame(b"big.event", 1) + frame(event * 200, 0) +
                             frame(b"$commit", 1) + frame(golden("record"), 0))
    writer.close()
    check([kind for kind in values(path, "weft.kind") if kind.isupper()], commands(), "in their order")
    check(values(path, "zmtp.malformed"), [], "nothing is malformed")
    check(len(values(path, "weft.sequence", 'weft.type == "big.event"')), 200, "events over many packets")


def test_captures_that_are_cut_or_garbled_break_nothing():
    with open(os.path.join(SCRATCH, "kept.json"), encoding="utf-8") as file:
        path, ports = json.load(file)
    rng = random.Random(seed())
    spoiled = os.path.join(SCRATCH, "spoiled.pcap")
    as_zmtp = [word for port in ports for word in ("-d", f"tcp.port=={port},zmtp")]
    size = os.path.getsize(path)
    for cut in (size // 3, size - 1, size - 200):
        pcap.cut(path, spoiled, cut)
        out = tshark(spoiled, "-V", statuses=(0, 2))
        check("weft event mesh" in out, True, "what came before the cut")
    for snap in (60, 70, 100, 150, 400):
        pcap.snapped(path, spoiled, snap)
        out = tshark(spoiled, "-V", *as_zmtp)
        check("ZeroMQ" in out, True, f"packets of {snap} bytes")
    for share in (0.02, 0.1, 0.5, 1.0, 1.0, 1.0):
        pcap.garbled(path, spoiled, rng, share)
        out = tshark(spoiled, "-V", *as_zmtp)
        check("alformed" in out or share < 1, True, "what does not fit is told")


def test_a_greeting_of_nonsense_breaks_nothing():
    path = os.path.join(SCRATCH, "greeting.pcap")
    writer = pcap.Writer(path)
    writer.stream(7600).send("client", b"\xff" * 64)  # no zero ends the mechanism
    writer.stream(7601).send("client", b"\xff" + bytes(range(1, 64)))
    writer.close()
    check("greeting" in tshark(path, "-V"), True, "it is called one")


def test_a_capture_may_begin_in_the_middle():
    with open(os.path.join(SCRATCH, "kept.json"), encoding="utf-8") as file:
        path, ports = json.load(file)
    late = os.path.join(SCRATCH, "late.pcap")
    head, found = pcap.packets(path)
    greetings = [data for _, _, data in found if data[pcap.HEADERS_BYTES:][:1] == b"\xff"]
    check(bool(greetings), True, "there are greetings")
    pcap.write(late, head, found[len(found) // 2:])
    as_zmtp = [word for port in ports for word in ("-d", f"tcp.port=={port},zmtp")]
    out = tshark(late, "-Y", "weft", *as_zmtp)
    check("commit (" in out and "STATE head=" in out, True, out)


def main():
    if not shutil.which("tshark"):
        print("skipped: there is no tshark")
        sys.exit(77)
    failed = []
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        began = time.monotonic()
        print(f"{name} …", flush=True)
        try:
            test()
            print(f"  ok, {time.monotonic() - began:.1f} s", flush=True)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            failed.append(name)
            print(f"  FAILED: {type(error).__name__}: {error}", flush=True)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
