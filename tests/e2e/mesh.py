"""Real processes of the mesh for tests: start, stop, kill, ask, wait.

Environment: WEFT_BIN_DIR (programs), WEFT_TEST_DIR (scratch, short path), WEFT_TEST_SLOW (factor
for waits), WEFT_TEST_SEED (to repeat a random test).

A test file defines functions test_SENTENCE(mesh) and ends with mesh.main(globals()). Each function
gets a mesh of its own: a bus and the four services of the blog, running and joined. Waits are for
something that can be observed; a failure shows what the processes wrote. Only processes that were
started here are ever signalled, and none outlives the test."""

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
import traceback

from process import SLOW, Failure, Process, check, seed, wait_until

SERVICES = ("posts", "comments", "moderation", "query")
PROGRAMS = (*SERVICES, "web")  # web is started by the tests that want it
END_S = 3 * SLOW  # as long as a clean end may take after a test


class Lost(Exception):
    """No whole answer came: the request may have happened or not."""


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


REST_SECONDS = 10  # a service ends a connection that rests for 30 s (HTTP_IDLE_SECONDS)


class Client:
    """One keep-alive connection to a service, wherever that listens now. One that rested is not used
    again: the service may be about to end it, and a request that meets that has no answer."""

    def __init__(self, process):
        self.process, self.connection, self.address, self.used = process, None, None, 0.0

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def request(self, method, path, body=None, headers=None, timeout=30.0):
        """body: bytes as they are, anything else as JSON. Raises Lost if no answer came."""
        sent = {}
        if body is not None:
            sent["Content-Type"] = "application/json"
            if not isinstance(body, bytes):
                body = json.dumps(body, ensure_ascii=False).encode()
        sent.update(headers or {})
        sent = {name: value for name, value in sent.items() if value is not None}
        address = self.process.http
        if address != self.address or time.monotonic() - self.used > REST_SECONDS:
            self.close()
        if self.connection is None:
            host, port = address.rsplit(":", 1)
            self.connection = http.client.HTTPConnection(host, int(port), timeout=timeout * SLOW)
            self.address = address
        try:
            self.connection.request(method, path, body, sent)
            response = self.connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Lost(f"{method} {path}: {error!r}") from error
        self.used = time.monotonic()
        if response.will_close:
            self.close()
        return answer


class Mesh:
    def __init__(self, scratch):
        self.scratch = scratch
        self.show_access = False  # a failure shows the requests to the services, too
        self.bin = os.environ["WEFT_BIN_DIR"]
        self.endpoint = "ipc://" + os.path.join(scratch, "bus")
        self.bus = Process("bus", [self.program("weft-bus"), "--endpoint", self.endpoint,
                                   "--store", self.data("bus"), "--http", "127.0.0.1:0"], scratch)
        self.services = {}
        for name in PROGRAMS:
            self.services[name] = Process(
                "blog-" + name,
                [self.program("blog-" + name), "--bus", self.endpoint, "--data", self.data(name),
                 "--http", "127.0.0.1:0"], scratch)
        self._clients = {name: Client(self.services[name]) for name in PROGRAMS}

    def bridge(self, *options):
        """Start a bridge beside the services; it is asked as "bridge"."""
        process = Process("weft-bridge",
                          [self.program("weft-bridge"), "--bus", self.endpoint, "--data",
                           self.data("bridge"), "--http", "127.0.0.1:0", *options], self.scratch)
        self.services["bridge"] = process
        self._clients["bridge"] = Client(process)
        process.start()
        return process

    def program(self, name):
        return os.path.join(self.bin, name)

    def data(self, name):
        path = os.path.join(self.scratch, "data", name)
        os.makedirs(path, exist_ok=True)
        return path

    def processes(self):
        return [self.bus, *self.services.values()]

    def start(self, *names):
        for name in names:
            self.services[name].start()

    def start_web(self):
        """blog-web knows the services by their addresses: from now on they keep those."""
        web = self.services["web"]
        for name in ("posts", "comments", "query"):
            service = self.services[name]
            service.arguments[service.arguments.index("--http") + 1] = service.http
            web.arguments += ["--" + name, "http://" + service.http]
        web.start()

    def stop(self, *names, kill=False):
        for name in names:
            self._clients[name].close()
            self.services[name].stop(kill)

    def stop_all(self):
        """Whatever state things are in: nothing of ours lives on. Who can end well does: only then its line
        coverage is written."""
        children = [process.child for process in self.processes() if process.child]
        for process in self.processes():
            process.child = None
        for child in children:
            child.terminate()
        end = time.monotonic() + END_S
        for child in children:
            try:
                child.wait(max(0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def client(self, name):
        """A connection of its own, for another thread."""
        return Client(self.services[name])

    def ask(self, name, method, path, body=None, headers=None):
        return self._clients[name].request(method, path, body, headers)

    def get(self, name, path):
        answer = self.ask(name, "GET", path)
        check(answer.status, 200, f"{name}: GET {path}: {answer!r}")
        return answer.json

    def readyz(self, name):
        return self.get(name, "/readyz")

    def wait_joined(self, *names):
        for name in names:
            wait_until(f"{name} has joined the live stream",
                       lambda: self._is_joined(self.readyz(name)), 20)

    @staticmethod
    def _is_joined(state):
        return state["bus"]["live"] and state["bus"]["behind"] == 0

    def wait_at_rest(self, *names, seconds=30.0):
        """Until these have applied the whole log and sent all of theirs, while nobody else writes: then nothing
        more can come. One after the other would not do: the first may go on because of the next."""
        def at_rest():
            head = self.head()
            states = [self.readyz(name) for name in names]
            return all(state["outbox"] == 0 and state["bus"]["position"] == head for state in states) and \
                self.head() == head
        wait_until(f"{', '.join(names)} have applied and sent all", at_rest, seconds)

    def head(self):
        return int(json.loads(self.weft("status", "--json"))["head"])

    def wait_away(self, *names):
        """Until a service has noticed that the bus is away."""
        for name in names:
            wait_until(f"{name} says that the bus is away",
                       lambda: not self.readyz(name)["bus"]["reachable"], 20)

    def wait_known(self, answer, name="comments"):
        """Until a service has applied what an answer tells of. A comment on a post that is not in the log after
        two seconds is refused, and a machine may stall for that long."""
        done = self.ask(name, "GET", "/posts/00000000/comments" if name == "comments" else "/posts", None,
                        {"Weft-After": answer.headers["Weft-After"], "Weft-Wait": "30000"})
        check(done.status, 200, f"{name} has applied it: {done!r}")

    def wait_reported(self, *names):
        """Until the bus has heard reports of these: they come with the first tick that finds the bus, or the next."""
        def heard():
            return {json.loads(line)["name"] for line in self.weft("services", "--json").splitlines()}
        wait_until(f"{', '.join(names)} have reported", lambda: heard() >= {"blog-" + name for name in names}, 20)

    def wait_view(self, model, seconds=30.0):
        """Until query shows what the model expects; tells the first difference if it doesn't."""
        try:
            wait_until("the view equals the model's",
                       lambda: self.get("query", "/posts") == model.view(), seconds)
        except Failure as failure:
            difference = model.difference(self.get("query", "/posts"))
            raise Failure(f"{failure}\n{difference}") from None

    def weft(self, *arguments):
        """Run the command-line tool against the bus, give its output."""
        done = subprocess.run([self.program("weft"), *arguments, "--bus", self.endpoint],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60 * SLOW, check=False)
        if done.returncode:
            raise Failure(f"weft {' '.join(arguments)}: exit {done.returncode}\n{done.stderr}")
        return done.stdout

    def publish(self, kind, subject, data):
        """An event of a stranger; data is JSON."""
        self.weft("pub", kind, "--subject", subject, "--data", data)

    def events(self):
        """The whole log, as weft sub shows it."""
        lines = self.weft("sub", "--from", "start", "--until-end", "--json").splitlines()
        return [json.loads(line) for line in lines]

    def show(self):
        for process in self.processes():
            state = "runs" if process.alive() else "is down"
            print(f"  {process.name} {state}; last lines:\n{process.tail(access=self.show_access)}", file=sys.stderr)


def main(names):
    """Run the test functions of a file, or those named as arguments."""
    tests = {name: fn for name, fn in names.items() if name.startswith("test_") and callable(fn)}
    wanted = sys.argv[1:] or list(tests)
    scratch = os.environ["WEFT_TEST_DIR"]
    failed = []
    for index, name in enumerate(wanted):
        directory = os.path.join(scratch, str(index))
        os.makedirs(directory)
        mesh = Mesh(directory)
        began = time.monotonic()
        print(f"{name} …", flush=True)
        try:
            mesh.bus.start()
            mesh.start(*SERVICES)
            mesh.wait_joined(*SERVICES)
            tests[name](mesh)
            print(f"  ok, {time.monotonic() - began:.1f} s", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed.append(name)
            traceback.print_exc()
            mesh.show()
            print(f"  FAILED after {time.monotonic() - began:.1f} s; again: "
                  f"{sys.argv[0]} {name}", file=sys.stderr, flush=True)
        finally:
            mesh.stop_all()
        if name not in failed and not os.environ.get("WEFT_TEST_KEEP"):
            shutil.rmtree(directory)
    sys.exit(1 if failed else 0)
