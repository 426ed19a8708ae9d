"""A bus, a bridge, and receivers that do what a script says: answer well, slowly, wrongly, by half or never.

A test file defines functions test_SENTENCE(mesh) and ends with hooks.main(globals())."""

import contextlib
import http.client
import json
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback

from process import SLOW, Failure, Process, check, wait_until


_held = []


def free_port():
    """A port that nobody listens on, below those that the kernel hands out to clients. No other test gets it as
    long as this one runs: it is held by a socket that does not listen, beside which who reuses addresses may."""
    while True:
        port, holder = random.randrange(20000, 32000), socket.socket()
        try:
            holder.bind(("127.0.0.1", port))
        except OSError:
            holder.close()
            continue
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _held.append(holder)
        return port


class Got:
    """One request as a receiver saw it."""

    def __init__(self, path, headers, body):
        self.path, self.headers, self.body = path, headers, body
        self.at = time.monotonic()
        self.position = int(headers["weft-position"])
        self.id = headers["weft-id"]

    @property
    def json(self):
        return json.loads(self.body)


class Receiver:
    """Listens on one port as long as it is up. script(got) says what becomes of a request: a status, a pair
    (status, headers), "hang", "reset", "half", "noise", "long" (200 with much to say) or a number of seconds as
    float to wait before 200."""

    def __init__(self, script=None):
        self.port, self.script = free_port(), script or (lambda got: 200)
        self.seen, self.taken = [], []  # all requests; those answered with 200
        self.connections = 0
        self._listener, self._open, self._lock = None, set(), threading.Lock()
        self.up()

    def url(self, path="/events"):
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def positions(self):
        return [got.position for got in list(self.taken)]

    def up(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def down(self):
        """Refuse connections, and cut those that are there."""
        listener, self._listener = self._listener, None
        if listener:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):  # the other side has reset it already
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        file = connection.makefile("rb")
        try:
            while self._one(connection, file):
                pass
        except OSError:
            pass
        with self._lock:
            self._open.discard(connection)
        file.close()
        connection.close()

    def _one(self, connection, file):
        line = file.readline()
        if not line:
            return False
        headers = {}
        while (head := file.readline().strip()):
            name, value = head.decode().split(":", 1)
            headers[name.lower()] = value.strip()
        got = Got(line.split()[1].decode(), headers, file.read(int(headers["content-length"])))
        self.seen.append(got)
        return self._answer(connection, got, self.script(got))

    def _answer(self, connection, got, what):
        if isinstance(what, float):
            time.sleep(what)
            what = 200
        if isinstance(what, int):
            what = (what, {})
        if isinstance(what, tuple):
            more = "".join(f"{name}: {value}\r\n" for name, value in what[1].items())
            if what[0] == 200:
                self.taken.append(got)
            connection.sendall(f"HTTP/1.1 {what[0]} X\r\nContent-Length: 2\r\n{more}\r\n{{}}".encode())
            return True
        if what == "hang":
            while connection.recv(1):  # until the other side has enough
                pass
        elif what == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif what == "half":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes.")
        elif what == "long":
            self.taken.append(got)
            connection.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 2000000\r\n\r\n" + bytes(2000000))
            return True
        elif what == "noise":
            connection.sendall(b"220 smtp.example.com ESMTP\r\n\r\n")
        return False


class Mesh:
    def __init__(self, scratch):
        self.scratch, self.bin = scratch, os.environ["WEFT_BIN_DIR"]
        self.endpoint = "ipc://" + os.path.join(scratch, "bus")
        self.bus = Process("bus", [self.program("weft-bus"), "--endpoint", self.endpoint, "--store",
                                   os.path.join(scratch, "store")], scratch)
        self.http = f"127.0.0.1:{free_port()}"
        self.bridge = Process("bridge", [self.program("weft-bridge"), "--bus", self.endpoint, "--data",
                                         scratch, "--http", self.http], scratch)
        self.receivers = []

    def program(self, name):
        return os.path.join(self.bin, name)

    def receiver(self, script=None):
        self.receivers.append(Receiver(script))
        return self.receivers[-1]

    def start(self, *words):
        """The bridge, with further words on its command line."""
        self.bridge.arguments += words
        self.bridge.start()

    def restart(self, kill=False):
        self.bridge.stop(kill)
        self.bridge.start()

    def publish(self, type_, values, subject=""):
        """An event for each value; gives the position of the last one."""
        lines = "".join(json.dumps(value) + "\n" for value in values)
        done = subprocess.run([self.program("weft"), "pub", type_, "--data", "-", "--subject", subject,
                               "--bus", self.endpoint, "--json"], input=lines, capture_output=True,
                              text=True, timeout=60 * SLOW, check=False)
        if done.returncode:
            raise Failure(f"weft pub: {done.stderr}")
        return json.loads(done.stdout)["position"]

    def ask(self, method, path, body=None, headers=None):
        """(status, JSON)"""
        connection = http.client.HTTPConnection(self.http, timeout=30 * SLOW)
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text else None

    def put(self, name, **fields):
        status, answer = self.ask("PUT", f"/hooks/{name}", fields)
        check(status in (200, 201), True, f"PUT {name}: {status} {answer}")
        return answer

    def hook(self, name):
        status, answer = self.ask("GET", f"/hooks/{name}")
        check(status, 200, f"GET /hooks/{name}: {answer}")
        return answer

    def wait_live(self, *names):
        for name in names:
            wait_until(f"{name} is live", lambda: self.hook(name)["state"] == "live", 20)

    def stop_all(self):
        for process in (self.bridge, self.bus):
            child, process.child = process.child, None
            if child:
                child.kill()
                child.wait()
        for receiver in self.receivers:
            receiver.down()

    def show(self):
        for process in (self.bus, self.bridge):
            print(f"  {process.name}; last lines:\n{process.tail()}", file=sys.stderr)


def main(names):
    """Run the test functions of a file, or those named as arguments."""
    tests = {name: fn for name, fn in names.items() if name.startswith("test_") and callable(fn)}
    failed = []
    for index, name in enumerate(sys.argv[1:] or tests):
        directory = os.path.join(os.environ["WEFT_TEST_DIR"], str(index))
        os.makedirs(directory)
        mesh, began = Mesh(directory), time.monotonic()
        print(f"{name} …", flush=True)
        try:
            mesh.bus.start()
            tests[name](mesh)
            print(f"  ok, {time.monotonic() - began:.1f} s", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed.append(name)
            traceback.print_exc()
            mesh.show()
            print(f"  FAILED; again: {sys.argv[0]} {name}", file=sys.stderr, flush=True)
        finally:
            mesh.stop_all()
        if name not in failed:
            shutil.rmtree(directory)
    sys.exit(1 if failed else 0)
