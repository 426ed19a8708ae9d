#!/usr/bin/env python3
"""The bus as a process: starting, refusing to start, stopping, being killed, running out of room."""
import os
import random
import signal
import socket
import sqlite3
import subprocess

from bus_client import BUS, SLOW, Bus, Peer, check_books, event, main, store, wait_until


def run(*arguments):
    """(status, stdout, stderr) of a call that ends by itself."""
    done = subprocess.run([BUS, *arguments], capture_output=True, text=True, timeout=20 * SLOW,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def expect_no_start(code, *words, name="none", endpoint="tcp://127.0.0.1:0"):
    """One line that says what and what to do; nothing that looks like a crash."""
    status, out, errors = run("--store", store(name), "--endpoint", endpoint)
    assert status == 1 and out == "", (status, out, errors)
    lines = [line for line in errors.splitlines() if " bus.start " in line]
    assert len(lines) == 1 and "error=" + code in lines[0], errors
    for word in words:
        assert word in lines[0], (word, errors)
    return errors.splitlines()


def test_help_and_version():
    status, out, errors = run("--help")
    assert status == 0 and "--store DIR" in out and errors == ""
    status, out, errors = run("--version")
    assert status == 0 and out.startswith("weft-bus 0.") and errors == ""


def test_wrong_use():
    good = ["--store", store("use")]
    for arguments, word in (([], "--store"), (["--store"], "--store"), (["--store", ""], "directory"),
                            (good + ["--what"], "--what"), (good + ["word"], "word"),
                            (good + ["--sync", "maybe"], "maybe"), (good + ["--sync"], "--sync"),
                            (good + ["--connections", "0"], "--connections"),
                            (good + ["--diag-format", "xml"], "text|logfmt|json"),
                            (good + ["--http"], "--http"),
                            (good + ["--connections", "x"], "--connections"),
                            (good + ["--endpoint"], "--endpoint"),
                            (good + ["--endpoint", "udp://1:2"], "udp"),
                            (good + ["--endpoint", "tcp://127.0.0.1"], "PORT"),
                            (good + ["--endpoint", "tcp://127.0.0.1:65534"], "65533"),
                            (good + ["--endpoint", "ipc:///" + "x" * 120], "too long"),
                            (good + ["--endpoint", "tcp://0.0.0.0:0"], "--bind-any"),
                            (good + ["--endpoint=tcp://*:0"], "--bind-any"),
                            (good + ["--endpoint", "tcp://10.1.2.3:7600"], "--bind-any")):
        status, out, errors = run(*arguments)
        assert status == 2 and out == "", (arguments, status, out, errors)
        assert word in errors and "try --help" in errors and len(errors.splitlines()) == 1, errors
    assert not os.path.exists(store("use"))


def test_bind_any_lets_others_in():
    bus = Bus(store("any"), endpoint="tcp://0.0.0.0:0", arguments=["--bind-any"])
    assert bus.control.startswith("tcp://0.0.0.0:")
    bus.control = bus.control.replace("0.0.0.0", "127.0.0.1")
    bus.ingest = bus.ingest.replace("0.0.0.0", "127.0.0.1")
    bus.fanout = bus.fanout.replace("0.0.0.0", "127.0.0.1")
    peer = Peer(bus)
    assert peer.welcome()["fanout"].startswith("tcp://0.0.0.0:")
    peer.close()


def test_port_0_picks_free_ones_and_says_which():
    bus = Bus(store("ports"))
    ports = [int(at.rsplit(":", 1)[1]) for at in (bus.control, bus.fanout, bus.ingest)]
    assert len(set(ports)) == 3 and all(ports)
    assert bus.control == bus.ready["endpoint"] == "tcp://127.0.0.1:%d" % ports[0]
    assert bus.ready["head"] == "0" and len(bus.log) == 16


def test_term_and_int_end_it_well():
    for number in (signal.SIGTERM, signal.SIGINT):
        bus = Bus(store("term"))
        peer = Peer(bus)
        peer.emit(b"a.b", 1)
        peer.wait_ack(1)
        assert bus.stop(number) == (0, "")
        peer.close()
    assert not os.path.exists(os.path.join(store("term"), "log.db-wal"))  # closed in order


def test_signal_before_the_first_message_ends_it():
    bus = Bus(store("early"))
    assert bus.stop() == (0, "")


def test_second_bus_on_the_store_is_refused():
    bus = Bus(store("twice"))
    lines = expect_no_start("LOCKED", "pid %d" % bus.process.pid, store("twice"), "--store",
                            name="twice")
    assert len(lines) == 1
    bus.process.kill()
    bus.end()
    Bus(store("twice"))  # the lock of a killed one is gone


def test_taken_port_is_refused():
    for offset in (0, 1, 2):
        with socket.socket() as taken:
            while True:
                taken.bind(("127.0.0.1", 0))
                base = taken.getsockname()[1] - offset
                if base > 1024:
                    break
            taken.listen()
            # which of the three it names depends on who else has ports here
            lines = expect_no_start("IO", "tcp://127.0.0.1:", "in use",
                                    endpoint="tcp://127.0.0.1:%d" % base)
            assert len(lines) == 1


def test_live_ipc_socket_is_refused_and_a_stale_one_taken_over():
    path = store("p.sock")
    first = Bus(store("first"), endpoint="ipc://" + path)
    lines = expect_no_start("LOCKED", path, "in use", name="second", endpoint="ipc://" + path)
    assert len(lines) == 1
    peer = Peer(first)  # still has its own socket
    assert peer.welcome()["head"] == 0
    peer.close()
    first.process.kill()
    first.end()
    assert os.path.exists(path) and os.path.exists(path + ".in")
    second = Bus(store("second"), endpoint="ipc://" + path)
    peer = Peer(second)
    peer.emit(b"a.b", 1)
    peer.wait_ack(1)
    peer.close()


def test_only_one_of_the_three_ipc_sockets_is_live():
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(store("q.sock.fan"))
        other.listen()
        expect_no_start("LOCKED", "q.sock.fan", endpoint="ipc://" + store("q.sock"))


def test_file_in_the_way_of_an_ipc_socket_is_left_alone():
    path = store("precious")
    with open(path, "w", encoding="ascii") as f:
        f.write("data")
    expect_no_start("IO", path, "no socket", endpoint="ipc://" + path)
    with open(path, encoding="ascii") as f:
        assert f.read() == "data"
    expect_no_start("IO", "directory", endpoint="ipc://" + store("nowhere/x.sock"))


def test_store_that_cannot_be_written_is_refused():
    with open(store("file"), "w", encoding="ascii") as f:
        f.write("not a directory")
    assert len(expect_no_start("IO", store("file"), "Not a directory", name="file")) == 1
    assert len(expect_no_start("IO", store("file/below"), name="file/below")) == 1
    os.makedirs(store("odd/log.db"))
    expect_no_start("STORE", "odd/log.db", name="odd")


def test_damaged_store_is_refused_and_left_as_it_is():
    bus = Bus(store("damaged"))
    peer = Peer(bus)
    for n in range(50):
        peer.emit(b"a.b", n)
    peer.wait_ack(50)
    peer.close()
    bus.stop()
    path = store("damaged/log.db")
    with open(path, "rb") as f:
        whole = f.read()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE events SET event = zeroblob(60) WHERE position = 50")
    db.close()
    assert len(expect_no_start("CORRUPT", "row 50 is damaged", name="damaged")) == 1
    with open(path, "wb") as f:
        f.write(b"\0" * 100 + whole[100:])
    expect_no_start("CORRUPT", "log.db", "restore a copy", name="damaged")
    with open(path, "wb") as f:
        f.write(whole)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=9")
    db.close()
    assert len(expect_no_start("SCHEMA", "schema 9", "newer", name="damaged")) == 1
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=2")
    db.close()
    assert Bus(store("damaged")).ready["head"] == "50"


def test_damaged_row_is_named_and_what_lies_before_it_is_served():
    bus = Bus(store("row"))
    peer = Peer(bus)
    for n in range(50):
        peer.emit(b"a.b", n)
    peer.wait_ack(50)
    db = sqlite3.connect(store("row/log.db"))
    db.execute("UPDATE events SET event = zeroblob(60) WHERE position = 20")
    db.commit()
    db.close()
    body, rows = peer.page([None, 0, None])
    assert body["next"] == 19 and len(rows) == 19
    command, body, _ = peer.fetch([None, 19, None])
    assert command == b"ERROR" and body["code"] == 19 and "row 20 is damaged" in body["text"], body
    body, rows = peer.page([None, 20, None])
    assert len(rows) == 30
    peer.emit(b"a.b", "goes on")  # one bad row does not stop the rest
    peer.wait_ack(51)
    assert "row 20 is damaged" in bus.stop()[1]
    peer.close()


def test_log_goes_on_after_kill():
    """kill -9 at some moment under load: what was acked is there, once; positions and chain go on."""
    boots, acked, seq = set(), 0, 0
    origin = os.urandom(16)
    sent = {}
    generator = random.Random(7)
    for _ in range(5):
        bus = Bus(store("kill"))
        peer = Peer(bus)
        boots.add(peer.welcome()["boot"])
        state = peer.welcome(origin=origin)["origin"]
        assert state["last"] >= acked, (state, acked)
        acked = seq = state["last"]
        goal = acked + generator.randrange(200, 2000)
        while acked < goal:
            while seq < acked + 500:
                seq += 1
                sent[seq] = event(origin, seq, generator.randrange(1 << 30))
                peer.publish(b"a.n%d" % (seq % 3), sent[seq])
            count = len(peer.acks)
            peer.wait("an ack", lambda: len(peer.acks) > count)
            acked = max(ack[1] for ack in peer.acks)
        bus.process.kill()
        bus.end()
        peer.close()
    bus = Bus(store("kill"))
    peer = Peer(bus)
    rows = peer.read_log()  # checks every checksum and the chain
    assert len(rows) >= acked
    assert [row[4] for row in rows] == [sent[n] for n in range(1, len(rows) + 1)]
    assert len(boots) == 5
    peer.emit(b"a.b", "after")
    assert peer.wait_ack(1)[2] == len(rows) + 1
    times = [row[2] for row in peer.read_log()]
    assert times == sorted(times)
    check_books(peer.status())
    peer.close()


def mount_small(path):
    """A file system of 3 MiB, or None where that is not allowed."""
    os.makedirs(path)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", path],
                          capture_output=True, check=False)
    return path if done.returncode == 0 else None


def test_full_disk_is_told_and_passes():
    path = mount_small(store("small"))
    if not path:
        print("skipped: no right to mount")
        return
    try:
        ballast = os.path.join(path, "ballast")
        with open(ballast, "wb") as f:
            f.write(b"x" * (1 << 20))
        bus = Bus(os.path.join(path, "bus"))
        peer = Peer(bus)
        assert peer.welcome()["accepting"] is True
        while peer.welcome()["accepting"]:
            peer.emit(b"a.b", b"x" * 30000)
            peer.wait("an ack or the end", lambda: (peer.acks and peer.acks[-1][1] == peer.seq) or
                      not peer.welcome()["accepting"])
        welcome = peer.welcome(origin=peer.origin)
        assert welcome["reason"] == "disk is full"
        stored = welcome["origin"]["last"]
        assert 0 < stored < peer.seq
        assert len(peer.read_log()) == stored  # catch-up is still served
        peer.records.clear()
        peer.wait("heartbeats go on", lambda: len(peer.records) >= 3)
        assert peer.welcome()["accepting"] is False
        os.unlink(ballast)
        # whoever waits until it accepts sends nothing that could show that there is room
        peer.wait("to accept again", lambda: peer.welcome()["accepting"])
        peer.seq = stored
        peer.emit(b"a.b", "there is room")
        peer.wait_ack(stored + 1)
        state = peer.status()
        assert state["counters"]["store_failed"] >= 1
        check_books(state)
        status, errors = bus.stop()
        assert status == 0 and "store.trouble error=FULL" in errors and "store.well_again" in errors
        peer.close()
    finally:
        Bus.kill_all()
        subprocess.run(["umount", path], check=True)


def test_broken_store_keeps_serving_what_it_has():
    bus = Bus(store("broken"))
    peer = Peer(bus)
    for n in range(5):
        peer.emit(b"a.b", n)
    peer.wait_ack(5)
    db = sqlite3.connect(store("broken/log.db"))
    db.execute("CREATE TRIGGER no BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no'); END")
    db.commit()
    peer.acks.clear()
    peer.emit(b"a.b", "fails")
    peer.wait_ack(5)  # from the old state
    peer.emit(b"a.b", "refused")
    peer.wait("it to be counted", lambda: peer.counter("not_accepting") == 1)
    welcome = peer.welcome()
    assert welcome["accepting"] is False and "restart the bus" in welcome["reason"], welcome
    db.execute("DROP TRIGGER no")  # too late: closed until a restart
    db.commit()
    db.close()
    peer.publish(b"a.b", event(peer.origin, 6, "again"))
    peer.wait("it to be counted", lambda: peer.counter("not_accepting") == 2)
    assert len(peer.read_log()) == 5
    peer.records.clear()
    peer.wait("heartbeats go on", lambda: peer.records)
    check_books(peer.status())
    peer.close()
    assert bus.stop()[0] == 0
    bus = Bus(store("broken"))
    other = Peer(bus)
    other.publish(b"a.b", event(peer.origin, 6, "again"))
    other.wait_ack(6, peer.origin)
    other.close()


def test_stdout_that_nobody_reads_does_not_hurt():
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen([BUS, "--store", store("pipe"), "--endpoint",
                                "ipc://" + store("pipe.sock")], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    try:
        wait_until("the socket", lambda: os.path.exists(store("pipe.sock.in")))
        bus = type("There", (), {"control": "ipc://" + store("pipe.sock"),
                                 "fanout": "ipc://" + store("pipe.sock.fan"),
                                 "ingest": "ipc://" + store("pipe.sock.in")})
        peer = Peer(bus)
        assert peer.welcome()["head"] == 0
        peer.close()
        process.terminate()
        process.communicate(timeout=20 * SLOW)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    main(globals())
