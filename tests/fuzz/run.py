#!/usr/bin/env python3
"""Runs fuzz targets, one after the other, from the kept inputs on.

    run.py [--runs N | --seconds N] [--jobs N] [--build DIR] [--work DIR] [--keep] [TARGET...]

--runs       executions of each target, of the live bus messages (default 100000)
--seconds    run each for so long instead
--jobs       so many targets at once (default 1)
--build      where the programs are (default build/fuzz/tests/fuzz)
--work       where the corpora are unpacked and grow (default build/fuzz/corpus)
--keep       write the smallest inputs that reach all that was reached to tests/fuzz/corpus/TARGET.hex

An input that ends a target is printed as a line of hex, for tests/fuzz/crashers/TARGET.hex.
"""
import argparse
import concurrent.futures
import glob
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
INPUT_BYTES_MAX = 256           # small inputs run fast and are easy to read
OTHER_MAX = {"welcome": 640, "state": 640, "report": 400, "record": 400, "bus": 1024, "stamp": 90,
             "ack": 70, "status": 64, "sequencer": 160, "publisher": 96}
KEPT_BYTES_MAX = 24 << 10       # of one file of kept inputs, as hex
BUS_MESSAGES = 30               # in one input of the bus, about
GOLDEN = {"event": "event*", "stamp": "stamp", "ack": "ack", "record": "record*",
          "filters": "filters", "hello": "hello*", "welcome": "welcome", "fetch": "fetch",
          "page": "page", "report": "report", "status": "status", "state": "state",
          "error": "error", "trim": "trim", "trimmed": "trimmed", "origin_state": "origin_state", "mp": "*", "json": "*"}
TYPES = ["a.b a.b", "comment.* comment.created", "comment.> comment.a.b", "* a", "> a.b.c"]
TEXTS = ['{"a":[1,-1,1.5,null,true,"x"],"$$k":{"$binary":"AP8="},"u":{"$uint":"18446744073709551615"}}',
         "[1e308,0.1,-0,9223372036854775807]", '"\\u20ac\\ud83d\\ude00"']
# Words of the formats, so that libFuzzer need not find them byte by byte.
WORDS = ["$binary", "$uint", "$$", "\\u", "true", "null", "1e3"]


def lines_of(path):
    if not os.path.exists(path):
        return
    with open(path, encoding="ascii") as file:
        for line in file:
            line = line.split("#")[0].strip()
            if line:
                yield bytes.fromhex(line)


def golden_inputs(target):
    for path in glob.glob(os.path.join(TOP, "tests/golden", GOLDEN.get(target, "") + ".hex")):
        with open(path, encoding="ascii") as file:
            yield bytes.fromhex(file.read().replace("\n", ""))


def seeds(target):
    yield from golden_inputs(target)
    yield from lines_of(os.path.join(HERE, "corpus", target + ".hex"))
    yield from lines_of(os.path.join(HERE, "crashers", target + ".hex"))
    if target == "type":
        yield from (text.encode() for text in TYPES)
    if target == "json_text":
        yield from (text.encode() for text in TEXTS)


def unpack(target, folder):
    os.makedirs(folder, exist_ok=True)
    for data in seeds(target):
        with open(os.path.join(folder, hashlib.sha1(data).hexdigest()), "wb") as file:
            file.write(data)


def dictionary(target, folder):
    """Words for the target, from the strings of its golden frames."""
    words = set(WORDS if target.startswith("json") else [])
    for data in golden_inputs(target):
        words.update(match.decode() for match in re.findall(rb"[a-z_$][a-z_.]{2,20}", data))
    if not words:
        return []
    path = os.path.join(folder, target + ".dict")
    with open(path, "w", encoding="ascii") as file:
        for word in sorted(words):
            file.write('"%s"\n' % "".join("\\x%02x" % ord(c) for c in word))
    return ["-dict=" + path]


def environment():
    env = dict(os.environ)
    env.setdefault("ASAN_OPTIONS", "detect_stack_use_after_return=0")
    env.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
    return env


def keep(target, program, folder):
    """Minimise what was found and write it down, the smallest inputs first."""
    with tempfile.TemporaryDirectory() as merged:
        subprocess.run([program, "-merge=1", "-max_len=%d" % OTHER_MAX.get(target, INPUT_BYTES_MAX),
                        merged, folder],
                       check=True, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        inputs = [open(os.path.join(merged, name), "rb").read() for name in os.listdir(merged)]
    room = KEPT_BYTES_MAX
    path = os.path.join(HERE, "corpus", target + ".hex")
    with open(path, "w", encoding="ascii") as file:
        for data in sorted(inputs, key=lambda data: (len(data), data)):
            room -= 2 * len(data) + 1
            if not data or room < 0:
                continue
            file.write(data.hex() + "\n")


def run(target, args):
    program = os.path.join(args.build, "fuzz_" + target)
    folder = os.path.join(args.work, target)
    unpack(target, folder)
    artifacts = os.path.join(args.work, target + "-crash-")
    command = [program, "-max_len=%d" % OTHER_MAX.get(target, INPUT_BYTES_MAX), "-timeout=30",
               "-rss_limit_mb=2048", "-print_final_stats=1", "-artifact_prefix=" + artifacts,
               "-verbosity=1"] + dictionary(target, args.work)
    runs = args.runs // BUS_MESSAGES if target == "bus" else args.runs
    command.append("-max_total_time=%d" % args.seconds if args.seconds else "-runs=%d" % runs)
    if target in ("bus", "sequencer", "publisher", "subscriber"):
        command.append("-len_control=0")    # an input is a run of steps: long ones from the start
    if target == "bus":
        command.append("-detect_leaks=0")   # it has threads; leaks are looked for at the end
    log_path = os.path.join(args.work, target + ".log")
    start = time.monotonic()
    with open(log_path, "wb") as log:
        done = subprocess.run(command + [folder], env=environment(), stdout=log, stderr=log, check=False)
    took = time.monotonic() - start
    with open(log_path, encoding="utf-8", errors="replace") as log:
        text = log.read()
    found = re.search(r"number_of_executed_units: (\d+)", text)
    coverage = re.findall(r"cov: (\d+) ft: (\d+)", text)
    units = int(found.group(1)) if found else 0
    extra = re.search(r"fuzz_\w+: (.*)", text)
    print("%-13s %10d executions %6.0f s %8.0f /s  edges %-5s %s" % (
        target, units, took, units / max(took, 0.001), coverage[-1][0] if coverage else "?",
        extra.group(1) if extra else ""), flush=True)
    if done.returncode != 0 or not found:
        print(text[-6000:])
        for path in glob.glob(artifacts + "*"):
            with open(path, "rb") as file:
                print("%s: add to tests/fuzz/crashers/%s.hex:\n%s" % (path, target, file.read().hex()))
        print("again: %s %s" % (program, artifacts + "*"))
        return False
    if args.keep:
        keep(target, program, folder)
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100000)
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--build", default=os.path.join(TOP, "build/fuzz/tests/fuzz"))
    parser.add_argument("--work", default=os.environ.get("WEFT_TEST_DIR", os.path.join(TOP, "build/fuzz/corpus")))
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("targets", nargs="*")
    args = parser.parse_args()
    there = sorted(os.path.basename(path)[5:] for path in glob.glob(os.path.join(args.build, "fuzz_*"))
                   if os.access(path, os.X_OK) and os.path.isfile(path))
    for target in args.targets:
        if target not in there:
            sys.exit("no fuzz target \"%s\"; there are: %s" % (target, " ".join(there)))
    os.makedirs(args.work, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        results = list(pool.map(lambda target: run(target, args), args.targets or there))
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
