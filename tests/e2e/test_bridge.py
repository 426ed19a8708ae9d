"""The bridge as a course's services see it: events over HTTP."""

import subprocess

import mesh
from process import check, wait_until


def test_bridge_says_how_it_is(mesh):
    bridge = mesh.bridge()
    check(mesh.get("bridge", "/healthz"), {"alive": True}, "healthz")
    wait_until("the bridge has joined", lambda: mesh.readyz("bridge")["bus"]["live"], 20)
    check(mesh.ask("bridge", "GET", "/nothing").status, 404, "an unknown path")
    bridge.stop()


def test_bridge_tells_its_options(mesh):
    done = subprocess.run([mesh.program("weft-bridge"), "--help"], capture_output=True, text=True,
                          timeout=20, check=False)
    check(done.returncode, 0, "exit status of --help")
    for option in ("--http", "--bus", "--data"):
        check(option in done.stdout, True, f"{option} in {done.stdout}")
    done = subprocess.run([mesh.program("weft-bridge"), "--nonsense"], capture_output=True, text=True,
                          timeout=20, check=False)
    check(done.returncode, 2, "exit status of wrong use")


if __name__ == "__main__":
    mesh.main(globals())
