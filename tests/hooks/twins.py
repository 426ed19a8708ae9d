"""The services of the blog in Node, tests/twins, as processes. Skips the test where Node or its modules are not
there."""

import os
import shutil
import sys

from hooks import free_port
from process import Process

SOURCE = os.environ["WEFT_SOURCE_DIR"]
MODULES = os.path.join(SOURCE, "tests/npm/node_modules")
NAMES = os.path.join(SOURCE, "src/services/bridge/blog-names.json")


def skip_without_node():
    if not shutil.which("node") or not os.path.isdir(os.path.join(MODULES, "express")):
        print("node, or tests/npm/node_modules (./dev deps), is not there")
        sys.exit(77)


class Twin(Process):
    """A service in Node that keeps its port over restarts, since a hook has its URL."""

    def __init__(self, name, bus, scratch, **environment):
        self.port = free_port()
        super().__init__("node-" + name, ["node", os.path.join(SOURCE, f"tests/twins/{name}.js")], scratch,
                         {"NODE_PATH": MODULES, "PORT": str(self.port), "BUS_URL": bus, **environment})
        self.short = name

    @property
    def http(self):
        return f"127.0.0.1:{self.port}"

    def hook(self, *more):
        """The word for --hook."""
        return ";".join([f"{self.short}=http://{self.http}/events", *more])
