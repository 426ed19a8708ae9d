"""stages.py on runs that are made up: within the budgets, beyond them, stages and budgets without the other
one, and every kind of skip. And on the labels of the build named as argument, if it has budgets."""

import json
import os
import subprocess
import sys

SCRATCH = os.environ["WEFT_TEST_DIR"]
STAGES = os.path.join(os.environ["WEFT_SOURCE_DIR"], "tests", "house", "stages.py")
DOCS = """# Testing
`.ci/run` in all: {whole} s.

<!-- budgets -->
| stage | dev | asan |
|---|---|---|
| unit | 10 | 1,000 |
| chaos | 60 | – |

| unit | 1 | 1 |
"""
LABELS = {"unit.a": ["fast", "unit"], "unit.b": ["unit", "fast"], "chaos.c": ["browser", "chaos"]}


def write(path, text):
    path = os.path.join(SCRATCH, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def run(times, *arguments, preset="dev", whole="2,400", said=None, skipped=(), labels=None):
    """(exit status, stdout, stderr)"""
    labels = LABELS if labels is None else labels
    write(f"build/{preset}/tests.json", json.dumps({"tests": [
        {"name": name, "properties": [{"name": "TIMEOUT", "value": 5.0}, {"name": "LABELS", "value": value}]}
        for name, value in labels.items()]}))
    write(f"build/{preset}/tests.xml", "<testsuite>" + "".join(
        f'<testcase name="{name}" time="{time}">{"<skipped/>" if name in skipped else ""}'
        f"<system-out>{(said or {}).get(name, '')}</system-out></testcase>"
        for name, time in times.items()) + "</testsuite>")
    docs = write("testing.md", DOCS.format(whole=whole))
    done = subprocess.run([sys.executable, STAGES, "--docs", docs, "--build", os.path.join(SCRATCH, "build"),
                           *arguments, preset], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def holds(answer, status, *words):
    got, out, errors = answer
    assert got == status, answer
    for word in words:
        assert word in (errors if status else out), (word, answer)


def labels_of_this_build(build):
    """Who adds a label learns here that it needs a budget, and not from .ci/run."""
    preset = os.path.basename(build)
    if preset not in ("dev", "asan"):
        return
    tests = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], capture_output=True, text=True,
                           check=True).stdout
    write(f"own/{preset}/tests.json", tests)
    write(f"own/{preset}/tests.xml", "<testsuite>" + "".join(
        f'<testcase name="{test["name"]}" time="0"/>' for test in json.loads(tests)["tests"]
        if "soak" not in str(test["properties"])) + "</testsuite>")
    docs = os.path.join(os.environ["WEFT_SOURCE_DIR"], "docs", "testing.md")
    done = subprocess.run([sys.executable, STAGES, "--docs", docs, "--build", os.path.join(SCRATCH, "own"), preset],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def main():
    good = {"unit.a": 4.5, "unit.b": 5.0, "chaos.c": 59}
    holds(run(good), 0, "skipped: 0", "unit                 10       10")
    plain = {"unit.a": ["unit"], "unit.b": ["unit"]}
    holds(run({"unit.a": 900, "unit.b": 99}, preset="asan", labels=plain), 0)
    holds(run({"unit.a": 900, "chaos.c": 1}, preset="asan"), 1, "stage browser has no budget")
    holds(run({**good, "unit.b": 6.0}), 1, "stage unit took 10 s, its budget is 10 s")
    holds(run({**good, "chaos.c": 61}), 1, "stage chaos took 61 s, its budget is 60 s")
    holds(run({**good, "new.d": 1}, labels={**LABELS, "new.d": ["new"]}), 1, "stage new has no budget")
    holds(run(good, labels={"unit.a": ["unit"], "unit.b": ["unit"]}), 1, "stage none has no budget",
          "there is a budget for chaos, but no such test")
    holds(run({"unit.a": 1}), 0)  # a part of the tests
    holds(run(good, "--took", "2400"), 0, "in all 2400 s of 2400 s")
    holds(run(good, "--took", "2401"), 1, "all together took 2401 s")
    holds(run(good, whole="34"), 1, "the budgets add up to 35 s")
    holds(run(good, preset="tsan"), 1, "no budgets for tsan")
    # Skipped: all of a test, parts of two, and one that does not say why.
    holds(run(good, skipped=("chaos.c", "unit.b"),
              said={"chaos.c": "test_x …\n  skipped: not root\n", "unit.a":
                    "ok\nskipped: no valgrind here\nit skipped: nothing\n[  SKIPPED ] a_part\n"}),
          0, "skipped: 3", "dev chaos.c: not root", "dev unit.b: it gave no reason",
          "dev unit.a in part: no valgrind here")
    holds(run(good, said={"unit.a": "[ RUN      ] a_part\n[  SKIPPED ] a_part\n"}), 0, "skipped: 1",
          "dev unit.a in part: a_part, it gave no reason")
    labels_of_this_build(sys.argv[1])
    print("ok")


main()
