"""An independent judge of a mesh at rest. It shares no code with weft and asks no process of it: it
reads the SQLite files and the publishers' journals, and knows docs/protocol.md.

    checker.py SPEC.json      the mesh as tests/chaos/world.py wrote it down

What must hold:
  log       positions 1, 2, 3 …; every checksum chained; the clock never back; of each origin 1, 2, 3 … in order.
            What a bus with --keep has forgotten is taken from the service "keeper", which applies everything
  acks      every event that was acknowledged is in the log, once, with the bytes that were meant
  services  applied exactly the events of the log that their filters match, once, in order, byte by
            byte; totals equal the fold over them; each emitted event is there once, with its cause;
            the position's chain is the log's; nothing is left in the outbox; nothing is parked"""

import json
import sqlite3
import struct
import sys

import msgpack
import xxhash

FIELDS = 9
MIX_PRIME = 1000003
PROBLEMS_SHOWN = 20


def xxh(data):
    return xxhash.xxh3_64_intdigest(data)


def le64(*numbers):
    return struct.pack(f"<{len(numbers)}Q", *(n & (1 << 64) - 1 for n in numbers))


def matches(filter_, type_):
    """docs/protocol.md, Types and filters."""
    want, have = filter_.split("."), type_.split(".")
    if want[-1] == ">":
        return len(have) >= len(want) and have[:len(want) - 1] == want[:-1]
    if want[-1] == "*":
        return len(have) == len(want) and have[:-1] == want[:-1]
    return want == have


class Row:
    """One event of the log."""

    def __init__(self, position, type_, raw):
        fields = msgpack.unpackb(raw, raw=False, strict_map_key=False)
        assert len(fields) == FIELDS and fields[0] == 1, fields
        self.position, self.type, self.raw = position, type_, raw
        self.origin, self.seq, self.source = fields[1], fields[2], fields[4]
        self.subject, self.cause, self.data = fields[5] or "", fields[6] or 0, fields[8]


class Checker:
    def __init__(self, spec):
        self.spec, self.problems = spec, []
        self.rows, self.chains = [], [0]
        self.figures = {"in_log": 0, "acknowledged": 0, "applied": 0, "doubled": 0,
                        "out_of_order": 0, "parked": 0, "forgotten": 0}

    def wrong(self, what):
        self.problems.append(what)

    def database(self, path):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        verdict = db.execute("PRAGMA integrity_check").fetchone()[0]
        if verdict != "ok":
            self.wrong(f"{path}: SQLite says {verdict}")
        return db

    # ---- the log

    def read_log(self):
        db = self.database(self.spec["log"])
        db.isolation_level = None
        db.execute("BEGIN")  # one moment of it: a bus with --keep forgets all the while
        self.log_id = db.execute("SELECT value FROM meta WHERE key = 'log'").fetchone()[0]
        types = dict(db.execute("SELECT id, name FROM types"))
        origins, origin_at, chain, clock = {}, {}, 0, 0
        self.read_forgotten(db)
        for row in self.rows:
            self.note_origin(row, origins, origin_at)
        chain = self.chains[-1]
        rows = db.execute("SELECT position, type, stored_us, chain, event FROM events ORDER BY position")
        for number, (position, type_id, stored_us, stored_chain, raw) in enumerate(rows, len(self.chains)):
            if position != number:
                self.wrong(f"log: position {position} where {number} should be")
                break
            type_ = types[type_id]
            type_hash, event_hash = xxh(type_.encode()), xxh(raw)
            chain = xxh(le64(chain, xxh(le64(position, stored_us, type_hash, event_hash))))
            if chain != stored_chain & (1 << 64) - 1:
                self.wrong(f"log: the chain is broken at position {position}")
                chain = stored_chain & (1 << 64) - 1
            if stored_us < clock:
                self.wrong(f"log: stored_us goes back at position {position}")
            clock = stored_us
            row = Row(position, type_, raw)
            self.rows.append(row)
            self.chains.append(chain)
            self.note_origin(row, origins, origin_at)
        wanted = {(o, last, origin_at[o], c) for o, (last, c) in origins.items()}
        stored = {(o, last, at, c & (1 << 64) - 1) for o, last, at, c in
                  db.execute("SELECT origin, last, position, chain FROM origins")}
        if wanted != stored:
            self.wrong(f"log: table origins does not fit the events: {wanted ^ stored}")
        db.close()
        self.figures["in_log"] = len(self.rows)

    def note_origin(self, row, origins, origin_at):
        last, chain = origins.get(row.origin, (0, 0))
        if row.seq != last + 1:
            self.wrong(f"log: position {row.position} holds event {row.seq} of origin "
                       f"{row.origin.hex()} after its {last}")
        origins[row.origin] = row.seq, xxh(le64(chain, xxh(row.type.encode()), xxh(row.raw)))
        origin_at[row.origin] = row.position

    def read_forgotten(self, log):
        """Rows up to the anchor, whose chain is known there alone."""
        anchor, chain = (log.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0]
                         for key in ("anchor_position", "anchor_chain"))
        if not anchor:
            return
        self.figures["forgotten"] = anchor
        if not self.spec.get("keeper"):
            self.wrong(f"log: it has forgotten {anchor} events, and nobody asked for that")
            return
        db = self.database(self.spec["services"][self.spec["keeper"]]["database"])
        rows = db.execute("SELECT position, type, event FROM applied WHERE position <= ? ORDER BY position", (anchor,))
        self.rows = [Row(*row) for row in rows]
        db.close()
        if [row.position for row in self.rows] != list(range(1, anchor + 1)):
            self.wrong(f"log: it has forgotten all up to {anchor}, and {self.spec['keeper']} had "
                       f"only {len(self.rows)} of them")
        self.chains = [None] * anchor + [chain & (1 << 64) - 1]

    # ---- bare publishers

    def read_journal(self, path):
        """{run: (sent, acked)}"""
        runs, run = {}, None
        with open(path, encoding="ascii") as journal:
            for line in journal:
                word, value = line.split()
                if word == "run":
                    run, runs[value] = value, (0, 0)
                else:
                    sent, acked = runs[run]
                    runs[run] = (int(value), acked) if word == "sent" else (sent, int(value))
        return runs

    def check_publisher(self, name, path):
        stored = {}
        for row in self.rows:
            if row.source == name:
                stored.setdefault(row.data["run"], []).append(row)
        runs = self.read_journal(path)
        for run in stored.keys() - runs.keys():
            self.wrong(f"{name}: the log has events of run {run} that was never started")
        for run, (sent, acked) in runs.items():
            rows = stored.get(run, [])
            numbers = [row.data["n"] for row in rows]
            self.figures["acknowledged"] += acked
            if not acked <= len(rows) <= sent:
                self.wrong(f"{name}: run {run} sent {sent}, was told that {acked} are safe, "
                           f"the log has {len(rows)}")
            if numbers != list(range(1, len(rows) + 1)):
                self.wrong(f"{name}: run {run}: the log does not hold 1..{len(rows)} in order")
            if len({row.origin for row in rows}) > 1:
                self.wrong(f"{name}: run {run} has two origins")
            for row in rows:
                self.check_reading(name, row)

    def check_reading(self, name, row):
        n, data = row.data["n"], row.data
        pad = 70000 if n % 199 == 0 else n % 50
        wanted = {"by": name, "run": data["run"], "n": n, "amount": n * 7919 % 1000, "pad": "x" * pad}
        if (row.type, row.subject, row.seq) != ("reading.taken", f"sensor/{n % 5}", n) or data != wanted:
            self.wrong(f"{name}: the event at position {row.position} is not the one that was sent")

    # ---- services

    def check_service(self, name, service):
        db = self.database(service["database"])
        meta = dict(db.execute("SELECT key, value FROM weft_meta"))
        own = [row for row in self.rows if row.origin == meta["origin"]]
        applied = list(db.execute("SELECT position, type, event FROM applied ORDER BY id"))
        self.check_applied(name, service, applied)
        self.check_totals(name, db, applied)
        self.check_made(name, service, db, own)
        self.check_emitted(name, service, own, applied)
        self.check_outbox(name, db, len(own))
        self.check_position(name, db, applied)
        parked = db.execute("SELECT count(*) FROM weft_parked").fetchone()[0]
        self.figures["parked"] += parked
        if parked:
            self.wrong(f"{name}: {parked} events are parked, and nobody asked for that")
        db.close()

    def check_applied(self, name, service, applied):
        wanted = [row for row in self.rows if any(matches(f, row.type) for f in service["on"])]
        positions = [position for position, _, _ in applied]
        doubled = len(positions) - len(set(positions))
        disorder = sum(b < a for a, b in zip(positions, positions[1:]))
        self.figures["applied"] += len(positions)
        self.figures["doubled"] += doubled
        self.figures["out_of_order"] += disorder
        if doubled:
            self.wrong(f"{name}: {doubled} events were applied twice")
        if disorder:
            self.wrong(f"{name}: {disorder} times an event was applied after a later one")
        missing = {row.position for row in wanted} - set(positions)
        foreign = set(positions) - {row.position for row in wanted}
        if missing:
            self.wrong(f"{name}: {len(missing)} events were never applied, first {min(missing)}")
        if foreign:
            self.wrong(f"{name}: {len(foreign)} events were applied that it never asked for")
        by_position = {row.position: row for row in wanted}
        for position, type_, raw in applied:
            row = by_position.get(position)
            if row and (row.type, row.raw) != (type_, raw):
                self.wrong(f"{name}: the event applied at {position} is not the log's")

    def check_totals(self, name, db, applied):
        """The fold in the order in which the service says that it applied."""
        wanted = {}
        for position, _, raw in applied:
            if not 1 <= position <= len(self.rows):
                continue
            fields = msgpack.unpackb(raw, raw=False)
            subject, amount = fields[5], fields[8]["amount"]
            before = wanted.get(subject)
            wanted[subject] = ((before[0] + amount, (before[1] * 31 + amount) % MIX_PRIME)
                               if before else (amount, amount))
        stored = {subject: (amount, mix) for subject, amount, mix in
                  db.execute("SELECT subject, amount, mix FROM totals")}
        for subject in sorted(wanted.keys() | stored.keys()):
            if wanted.get(subject) != stored.get(subject):
                self.wrong(f"{name}: totals of {subject} are {stored.get(subject)}, "
                           f"the events make {wanted.get(subject)}")

    def check_made(self, name, service, db, own):
        """P2: a row without its event, or an event without its row, is half a transaction."""
        rows = list(db.execute("SELECT n, subject, amount FROM made ORDER BY n"))
        events = [(row.data["n"], row.subject, row.data["amount"]) for row in own
                  if row.type == service["make"]]
        if rows != events:
            self.wrong(f"{name}: made {len(rows)} rows, the log has {len(events)} events of them: "
                       f"first difference {next((p for p in zip(rows, events) if p[0] != p[1]), None)}")

    def check_emitted(self, name, service, own, applied):
        events = [row for row in own if row.type == service["emit"]]
        causes = [row.cause for row in events]
        wanted = [position for position, _, _ in applied] if service["emit"] else []
        if causes != wanted:
            self.wrong(f"{name}: emitted for {len(causes)} events, {len(set(causes))} different ones, "
                       f"should have for {len(wanted)}")
        for row in events:
            cause = self.rows[row.cause - 1] if 0 < row.cause < row.position else row
            if row.data != {"of": cause.position, "amount": cause.data["amount"] + 1} or \
                    row.subject != cause.subject:
                self.wrong(f"{name}: the event at {row.position} does not follow from its cause")
        others = {row.type for row in own} - {service["emit"], service["make"]}
        if others:
            self.wrong(f"{name}: emitted {others}")

    def check_outbox(self, name, db, in_log):
        acked, log = db.execute("SELECT acked, log FROM weft_acked").fetchone()
        waiting = db.execute("SELECT count(*) FROM weft_outbox").fetchone()[0]
        last = db.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'weft_outbox'").fetchone()[0]
        self.figures["acknowledged"] += acked
        if acked > in_log:
            self.wrong(f"{name}: {acked} events were acknowledged, the log has {in_log}")
        if (acked, waiting, last or 0) != (in_log, 0, in_log):
            self.wrong(f"{name}: the log has {in_log} of its events, it emitted {last}, knows that "
                       f"{acked} are safe, {waiting} wait in its outbox")
        if acked and log != self.log_id:
            self.wrong(f"{name}: its acknowledgements came from another log")

    def check_position(self, name, db, applied):
        log, position, chain = db.execute("SELECT log, position, chain FROM weft_position").fetchone()
        if not position and not applied:
            return
        if log != self.log_id or position > len(self.rows):
            self.wrong(f"{name}: stands at {position} of another log")
        elif self.chains[position] is None:
            self.wrong(f"{name}: stands at {position}, which the log has forgotten")
        elif chain & (1 << 64) - 1 != self.chains[position]:
            self.wrong(f"{name}: its chain at {position} is not the log's")
        if applied and applied[-1][0] > position:
            self.wrong(f"{name}: applied {applied[-1][0]} and says it stands at {position}")

    # ---- all of it

    def run(self):
        self.read_log()
        for name, path in self.spec["publishers"].items():
            self.check_publisher(name, path)
        for name, service in self.spec["services"].items():
            self.check_service(name, service)
        known = set(self.spec["publishers"]) | set(self.spec["services"])
        strangers = {row.source for row in self.rows} - known
        if strangers:
            self.wrong(f"log: events of {strangers}")
        return self

    def report(self):
        lines = ["acknowledged {acknowledged}, in log {in_log}, applied {applied}, doubled {doubled}, "
                 "out of order {out_of_order}, parked {parked}".format(**self.figures)]
        if self.figures["forgotten"]:
            lines[0] += f", forgotten by the log {self.figures['forgotten']}"
        lines += ["WRONG " + problem for problem in self.problems[:PROBLEMS_SHOWN]]
        if len(self.problems) > PROBLEMS_SHOWN:
            lines.append(f"… and {len(self.problems) - PROBLEMS_SHOWN} more")
        return "\n".join(lines)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        checker = Checker(json.load(file)).run()
    print(checker.report())
    return 1 if checker.problems else 0


if __name__ == "__main__":
    sys.exit(main())
