"""POST /events beside the same server that stores nothing, by wrk with 32 connections, in turns."""

import os
import re
import shutil
import statistics
import subprocess
import sys

import mesh
from process import SLOW, Process, check

ROUNDS, SECONDS = 3, 3


def s_rate(script, address):
    done = subprocess.run(["wrk", "-t1", "-c32", f"-d{SECONDS}s", "-s", script,
                           f"http://{address}/events"], capture_output=True, text=True, timeout=60,
                          check=True)
    check("Non-2xx" in done.stdout, False, done.stdout)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout).group(1))


def test_storing_costs_less_than_half(mesh_):
    script = os.path.join(mesh_.scratch, "post.lua")
    with open(script, "w", encoding="ascii") as file:
        file.write('wrk.method = "POST"\n'
                   'wrk.body = \'{"type":"comment.noted","data":{"id":"a1b2c3d4","content":"text"}}\'\n'
                   'wrk.headers["Content-Type"] = "application/json"\n')
    mesh_.stop(*mesh.SERVICES)  # the machine's cores are for bridge, bus and wrk
    bridge = mesh_.bridge()
    null = Process("bridge-null", [os.environ["WEFT_BRIDGE_NULL"], "--bus", mesh_.endpoint, "--data",
                                   mesh_.data("null"), "--http", "127.0.0.1:0"], mesh_.scratch)
    null.start()
    mesh_.services["null"] = null
    ratios = []
    for _ in range(ROUNDS):
        without, stored = s_rate(script, null.http), s_rate(script, bridge.http)
        ratios.append(stored / without)
        print(f"  {without:.0f} a second without storing, {stored:.0f} with: {stored / without:.2f}")
    print(f"  ratio {statistics.median(ratios):.2f}")
    # The aim is 0.5 on a machine at rest; here others may be at work.
    check(statistics.median(ratios) > 0.25, True, repr(ratios))
    null.stop()
    bridge.stop()


if __name__ == "__main__":
    if SLOW > 1 or not shutil.which("wrk"):
        print("skipped: needs wrk, and a build without sanitizers")
        sys.exit(77)
    mesh.main(globals())
