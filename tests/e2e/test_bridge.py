"""The bridge as a course's services see it: events over HTTP."""

import json
import os
import subprocess

import mesh
from process import check, wait_until


def test_bridge_says_how_it_is(mesh):
    bridge = mesh.bridge()
    check(mesh.get("bridge", "/healthz"), {"alive": True}, "healthz")
    wait_until("the bridge has joined", lambda: mesh.readyz("bridge")["bus"]["live"], 20)
    check(mesh.ask("bridge", "GET", "/nothing").status, 404, "an unknown path")
    bridge.stop()


def s_run(mesh, *options):
    done = subprocess.run([mesh.program("weft-bridge"), "--data", mesh.data("other"), *options],
                          capture_output=True, text=True, timeout=20, check=False)
    return done.returncode, done.stdout, done.stderr


def s_config(mesh, config):
    path = os.path.join(mesh.scratch, f"config{len(os.listdir(mesh.scratch))}.json")
    with open(path, "w", encoding="utf-8") as file:
        file.write(config if isinstance(config, str) else json.dumps(config))
    return path


def test_bridge_tells_its_options(mesh):
    code, out, _ = s_run(mesh, "--help")
    check(code, 0, "exit status of --help")
    for option in ("--http", "--bus", "--data", "--config", "--bind-any"):
        check(option in out, True, f"{option} in {out}")
    for options, wanted in (
            (["--nonsense"], "unknown option"),
            (["--http", "0.0.0.0:0"], "--bind-any"),
            (["--http", "nonsense"], "HOST:PORT"),
            (["--config", "/nonexistent"], "/nonexistent"),
            (["--config", s_config(mesh, "{")], "line 1"),
            (["--config", s_config(mesh, {"nmaes": []})], "nmaes"),
            (["--config", s_config(mesh, {"names": [{"weft": "a"}]})], "rule 1"),
            (["--config", s_config(mesh, {"tokens": {"POST /evnts": "x"}})], "no such route")):
        code, _, error = s_run(mesh, *options)
        check((code, wanted in error), (2, True), f"{options}: {code} {error}")


def test_a_token_guards_a_route(mesh):
    bridge = mesh.bridge("--config", s_config(mesh, {"tokens": {"GET /readyz": "secret"}}))
    answer = mesh.ask("bridge", "GET", "/readyz")
    check((answer.status, answer.headers["WWW-Authenticate"]), (401, "Bearer"), "without a token")
    for token, status in (("secret", 200), ("secret2", 401), ("", 401)):
        answer = mesh.ask("bridge", "GET", "/readyz", headers={"Authorization": f"Bearer {token}"})
        check(answer.status, status, f"token {token!r}")
    check(mesh.ask("bridge", "GET", "/healthz").status, 200, "another route")
    bridge.stop()


if __name__ == "__main__":
    mesh.main(globals())
