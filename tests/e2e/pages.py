"""Tests of the pages in a real browser: Node drives Chromium, Python runs the mesh behind it.

run("NAME.mjs") begins a mesh with blog-web, runs browser/NAME.mjs, and does with the mesh what that asks
for: a line "@{…}" on its stdout, answered by a line on its stdin. Environment beyond mesh.py's:
WEFT_CHROMIUM (default: the one of the PATH), WEFT_FLOOD (program of flood.c). Without a browser the test
is skipped."""

import json
import os
import shutil
import subprocess
import sys

import mesh as kit
from process import Process

HERE = os.path.dirname(os.path.abspath(__file__))
CHROMIUM = os.environ.get("WEFT_CHROMIUM") or shutil.which("chromium")


class Director:
    """Does what a script asks."""

    def __init__(self, mesh):
        self.mesh, self.flood_child = mesh, None

    def do(self, ask):
        return getattr(self, "do_" + ask.pop("do"))(**ask)

    def process(self, name):
        return self.mesh.bus if name == "bus" else self.mesh.services[name]

    def do_stop(self, name):
        self.process(name).stop()

    def do_kill(self, name):
        self.process(name).stop(kill=True)

    def do_start(self, name):
        self.process(name).start()

    def do_publish(self, type, subject, data):
        self.mesh.publish(type, subject, data)

    def do_head(self):
        return self.mesh.head()

    def do_flood(self, rate):
        """Events at a rate, until calm."""
        self.flood_child = Process("flood", [os.environ["WEFT_FLOOD"], "--rate", str(rate), "--bus",
                                             self.mesh.endpoint], self.mesh.scratch).start()

    def do_calm(self):
        if self.flood_child:
            self.flood_child.stop()
        self.flood_child = None


def converse(director, child):
    for line in child.stdout:
        if not line.startswith("@"):
            print(line, end="", flush=True)
            continue
        try:
            answer = {"result": director.do(json.loads(line[1:]))}
        except Exception as error:  # pylint: disable=broad-except
            answer = {"error": f"{type(error).__name__}: {error}"}
        child.stdin.write(json.dumps(answer) + "\n")
        child.stdin.flush()
    return child.wait(60)


def run(script):
    if not CHROMIUM or not os.path.exists(CHROMIUM):
        print("skipped: there is no browser; apt-get install chromium, or set WEFT_CHROMIUM")
        sys.exit(77)
    if not shutil.which("node") or not os.path.isdir(os.path.join(HERE, "../npm/node_modules/playwright-core")):
        sys.exit("node or the modules of tests/npm are missing: ./dev deps installs them")

    def test_pages(mesh):
        mesh.start_web()
        mesh.show_access = True
        director = Director(mesh)
        command = ["node", os.path.join(HERE, "browser", script), *arguments]
        environment = {**os.environ, "WEFT_CHROMIUM": CHROMIUM, "HOME": mesh.scratch,
                       "WEFT_WEB_URL": "http://" + mesh.services["web"].http}
        try:
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                  env=environment) as child:
                kit.check(converse(director, child), 0, f"exit status of {script}")
        finally:
            director.do_calm()

    arguments = sys.argv[1:]
    sys.argv[1:] = []
    kit.main({"test_pages": test_pages})
