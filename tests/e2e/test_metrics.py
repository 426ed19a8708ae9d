#!/usr/bin/env python3
"""What a real mesh tells at /metrics: promtool takes it, its numbers are those that are true, and docs,
alerts and dashboard name nothing else. Alerts are tested by promtool, diagnostics as whole lines."""

import json
import os
import re
import signal
import time

import mesh
import metrics
from mesh import check, wait_until

SOURCE = os.environ["WEFT_SOURCE_DIR"]
OPS = os.path.join(SOURCE, "ops")
FUNCTIONS = {"by", "le", "on", "and", "sum", "min", "max", "rate", "increase", "histogram_quantile",
             "predict_linear", "service", "reason", "at", "level", "job", "instance", "up"}


def scrapes(the_mesh):
    """{name: scrape} of the bus and of all services."""
    return {process.name: metrics.scrape(process.http) for process in the_mesh.processes()
            if process.alive()}


def names_in(expression):
    """Metrics that a query asks for."""
    plain = re.sub(r'"[^"]*"|\[[^\]]*\]', " ", expression)
    plain = re.sub(r"\{[^}]*\}", " ", plain)
    return set(re.findall(r"\b[a-z_][a-z0-9_]*", plain)) - FUNCTIONS


def exercise(the_mesh):
    """Events by all ways, a handler that fails for good, and a service that was away."""
    made = the_mesh.ask("posts", "POST", "/posts", {"title": "hello"})
    post = made.json
    the_mesh.wait_known(made)
    the_mesh.stop("query")
    the_mesh.ask("comments", "POST", f"/posts/{post['id']}/comments", {"content": "an orange"})
    the_mesh.publish("post.created", "post/poison", "[]")  # query expects an object
    the_mesh.start("query")
    the_mesh.wait_joined("query")
    wait_until("the poison is parked", lambda: the_mesh.readyz("query")["parked"] == 1, 30)
    the_mesh.wait_at_rest(*mesh.SERVICES)


def test_figures_of_a_mesh(the_mesh):
    exercise(the_mesh)
    the_mesh.wait_reported(*mesh.SERVICES)
    told = wait_until("the bus knows of it", lambda: (
        lambda scrape: scrape.value("weft_bus_service_parked_events", service="blog-query") == 1 and
        scrape)(metrics.scrape(the_mesh.bus.http)))
    state = json.loads(the_mesh.weft("status", "--json"))
    check(told.value("weft_bus_head_position"), state["head"], "head")
    check(told.value("weft_bus_stored_events_total"), state["head"], "stored")
    check(told.value("weft_bus_services"), len(state["services"]), "services")
    query, ready = metrics.scrape(the_mesh.services["query"].http), the_mesh.readyz("query")
    for by, key in (("live", "live"), ("catch_up", "catchUp")):
        check(query.value("weft_service_applied_events_total", service="blog-query", by=by),
              ready["applied"][key], f"applied by {by}")
    assert ready["applied"]["catchUp"] >= 2
    check(query.value("weft_service_parked_events", service="blog-query"), 1, "parked")
    assert query.value("weft_service_handler_failures_total") >= 5
    assert 0 < query.value("weft_service_parked_oldest_age_seconds") < 600
    assert query.value("weft_service_commit_seconds_count") >= 2
    check(query.value("weft_service_connected"), 1, "connected")
    check(query.value("weft_service_stopped", end="subscriber"), 0, "stopped")
    for name, scrape in scrapes(the_mesh).items():
        if metrics.has_promtool():
            check(metrics.promtool("check", "metrics", text=scrape.text), None, name)

    the_mesh.bus.stop()
    the_mesh.wait_away("posts")
    the_mesh.ask("posts", "POST", "/posts", {"title": "nobody listens"})
    began = time.monotonic()
    posts = metrics.scrape(the_mesh.services["posts"].http)
    check(posts.value("weft_service_outbox_events"), 1, "outbox")
    check(posts.value("weft_service_connected"), 0, "connected")
    wait_until("its age grows", lambda: metrics.scrape(the_mesh.services["posts"].http).value(
        "weft_service_outbox_oldest_age_seconds") > 0.2)
    assert posts.value("weft_service_outbox_oldest_age_seconds") < 60 + time.monotonic() - began
    the_mesh.bus.start()
    wait_until("the outbox is empty", lambda: metrics.scrape(
        the_mesh.services["posts"].http).value("weft_service_outbox_events") == 0, 30)


def test_docs_alerts_and_dashboard_name_what_there_is(the_mesh):
    exercise(the_mesh)
    wait_until("the bus knows of it", lambda: "weft_bus_service_parked_events" in
               metrics.scrape(the_mesh.bus.http).families)
    families, names = {}, set()
    for scrape in scrapes(the_mesh).values():
        families.update(scrape.families)
        names |= scrape.names()

    with open(os.path.join(SOURCE, "docs/operations.md"), encoding="utf-8") as file:
        rows = re.findall(r"^\| `((?:weft|process)_\w+)` \| (\w+) \|", file.read(), re.M)
    check(len(rows), len(set(rows)), "rows of the table in docs/operations.md, each once")
    check(dict(rows), families, "metrics in docs/operations.md")

    with open(os.path.join(OPS, "prometheus/weft.rules.yml"), encoding="utf-8") as file:
        rules = re.findall(r"^ +expr: (.*)$", file.read(), re.M)
    with open(os.path.join(OPS, "grafana/weft.json"), encoding="utf-8") as file:
        panels = json.load(file)["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    assert len(rules) > 10 and len(queries) > 30, (len(rules), len(queries))
    for query in rules + queries:
        wanted = names_in(query)
        assert wanted or query.startswith("up"), query
        assert wanted <= names, (query, wanted - names)


def test_rules_and_configuration_pass_promtool(the_mesh):
    del the_mesh
    if not metrics.has_promtool():
        print("  skipped: there is no promtool", flush=True)
        return
    rules = os.path.join(OPS, "prometheus/weft.rules.test.yml")
    check(metrics.promtool("test", "rules", rules), None, "unit tests of the alerts")
    config = os.path.join(OPS, "prometheus/prometheus.yml")
    check(metrics.promtool("check", "config", config), None, "configuration")


def test_diagnostics_take_their_form_and_change_their_level(the_mesh):
    bus, query = the_mesh.bus, the_mesh.services["query"]
    for process in (bus, query):
        process.stop()
        os.remove(process.err_path)
    bus.start(WEFT_DIAG_FORMAT="json")
    query.arguments += ["--diag-format", "json"]
    query.start()
    the_mesh.wait_joined("query")

    def debug(process):
        return [line for line in process.log().splitlines() if '"level":"debug"' in line]
    for process in (bus, query):
        metrics.get(process.http, "/healthz")
        check(debug(process), [], f"{process.name}: debug before USR1")
        os.kill(process.child.pid, signal.SIGUSR1)

        def asked():
            metrics.get(process.http, "/healthz")
            return "http.access" in "".join(debug(process))
        wait_until(f"{process.name} shows debug lines", asked)
        os.kill(process.child.pid, signal.SIGUSR2)

        def quiet():
            before = len(debug(process))
            for _ in range(2):  # the line of the first is there when the second is answered
                metrics.get(process.http, "/healthz")
            return len(debug(process)) == before
        wait_until(f"{process.name} shows no more of them", quiet)
        for line in process.log().splitlines():
            fields = json.loads(line)
            assert {"time", "level", "event"} <= set(fields), line
            assert all(isinstance(value, str) for value in fields.values()), line


if __name__ == "__main__":
    mesh.main(globals())
