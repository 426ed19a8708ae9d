#!/usr/bin/env python3
"""stages.py [--docs FILE] [--build DIR] [--took SECONDS] PRESET...: how long each stage of ./dev test took
against its budget, and what was skipped.

A stage is the label of a test that has a budget; its time is that of all its tests, added up. ./dev test leaves
DIR/PRESET/tests.json (labels) and tests.xml (times, output); the budgets stand in FILE, docs/testing.md, in
the table after the line "<!-- budgets -->"; "–" is a stage that a preset does not have. SECONDS is what .ci/run took in all.
Exit status: 0 within the budgets, 1 not, or a stage has none."""

import argparse
import json
import os
import re
import sys
import xml.etree.ElementTree as tree

JOBS = 2  # tests at a time, as ./dev test runs them
WHOLE = re.compile(r"`\.ci/run` in all: ([\d,]+) s")
SKIPPED = re.compile(r"^\s*skipped: (.+)$|^\[  SKIPPED \] (\w+)$", re.M)


def number(text):
    return int(text.replace(",", ""))


def read_budgets(docs):
    """({preset: {stage: seconds}}, seconds for all)"""
    with open(docs, encoding="utf-8") as file:
        text = file.read()
    whole = WHOLE.search(text)
    rows = []
    for line in text.partition("<!-- budgets -->\n")[2].splitlines():
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    if not whole or len(rows) < 3:
        sys.exit(f"{docs}: no table of budgets, or no word of the time in all")
    presets = rows[0][1:]
    return ({preset: {row[0]: number(row[1 + i]) for row in rows[2:] if row[1 + i] != "–"}
             for i, preset in enumerate(presets)}, number(whole.group(1)))


def read_stages(folder, budgets):
    """{test: stage}"""
    with open(os.path.join(folder, "tests.json"), encoding="utf-8") as file:
        tests = json.load(file)["tests"]
    found = {}
    for test in tests:
        labels = [p["value"] for p in test["properties"] if p["name"] == "LABELS"] or [[]]
        if "soak" in labels[0]:
            continue  # by hand
        found[test["name"]] = ([label for label in labels[0] if label in budgets] or labels[0] or ["none"])[0]
    return found


def skips(case):
    """What a test left out: [(what of it, why)]; what is "" for all of it."""
    said = SKIPPED.findall(case.findtext("system-out") or "")
    reasons = [why for why, _ in said if why] or [f"{part}, it gave no reason" for _, part in said]
    if case.find("skipped") is not None:
        return [("", reasons[-1] if reasons else "it gave no reason")]
    return [("in part", why) for why in reasons]


class Verdict:
    def __init__(self):
        self.faults, self.skipped = [], []

    def preset(self, preset, folder, budgets):
        stages, took = read_stages(folder, budgets), {}
        for case in tree.parse(os.path.join(folder, "tests.xml")).getroot().iter("testcase"):
            stage = stages.get(case.get("name"), "none")
            took[stage] = took.get(stage, 0.0) + float(case.get("time"))
            self.skipped += [(preset, case.get("name"), *skip) for skip in skips(case)]
        print(f"\n{preset:<14} {'seconds':>8} {'budget':>8}")
        for stage, seconds in sorted(took.items()):
            budget = budgets.get(stage)
            print(f"{stage:<14} {seconds:8.0f} {'none' if budget is None else budget:>8}")
            if budget is None:
                self.faults.append(f"{preset}: stage {stage} has no budget")
            elif seconds > budget:
                self.faults.append(f"{preset}: stage {stage} took {seconds:.0f} s, its budget is {budget} s")
        for stage in sorted(set(budgets) - set(stages.values())):
            self.faults.append(f"{preset}: there is a budget for {stage}, but no such test")

    def whole(self, seconds, most, budgets):
        planned = sum(sum(stages.values()) for stages in budgets.values()) / JOBS
        if planned > most:
            self.faults.append(f"the budgets add up to {planned:.0f} s, {JOBS} tests at a time; there are {most} s")
        if seconds is None:
            return
        print(f"\nin all {seconds} s of {most} s")
        if seconds > most:
            self.faults.append(f"all together took {seconds} s, the budget is {most} s")

    def tell(self):
        print(f"\nskipped: {len(self.skipped)}")
        for preset, test, part, why in self.skipped:
            print(f"  {preset} {test}{' ' + part if part else ''}: {why}")
        for fault in self.faults:
            print(f"stages: {fault}", file=sys.stderr)
        return 1 if self.faults else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], usage=argparse.SUPPRESS)
    parser.add_argument("--docs", default="docs/testing.md", help="with the budgets")
    parser.add_argument("--build", default="build", help="where ./dev test left its files")
    parser.add_argument("--took", type=int, help="seconds that .ci/run took in all")
    parser.add_argument("presets", nargs="+", metavar="PRESET")
    options = parser.parse_args()
    budgets, most = read_budgets(options.docs)
    verdict = Verdict()
    for preset in options.presets:
        if preset not in budgets:
            sys.exit(f"{options.docs}: no budgets for {preset}")
        verdict.preset(preset, os.path.join(options.build, preset), budgets[preset])
    verdict.whole(options.took, most, {preset: budgets[preset] for preset in options.presets})
    sys.exit(verdict.tell())


main()
