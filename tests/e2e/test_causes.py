"""Why an event happened: causes and traces over the four services, as the log and the tools tell it."""

import collections
import http.server
import json
import os
import re
import subprocess
import threading

import mesh as kit
from mesh import SLOW, check, wait_until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = f"00-{TRACE}-00f067aa0ba902b7-01"
HEADER = re.compile("00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
STEPS = ("post.created", "comment.created", "comment.moderated", "comment.updated")
HANDLERS = {"post.created": {"blog-comments", "blog-query"},
            "comment.created": {"blog-moderation", "blog-query"},
            "comment.moderated": {"blog-comments"},
            "comment.updated": {"blog-moderation", "blog-query"}}


def post_with_comment(mesh, post_headers=None, comment_headers=None):
    """Give the answers to POST of a post and of a comment on it."""
    post = mesh.ask("posts", "POST", "/posts", {"title": "A title"}, post_headers)
    check(post.status, 201, "POST /posts")
    mesh.wait_known(post)
    path = f"/posts/{post.json['id']}/comments"
    comment = mesh.ask("comments", "POST", path, {"content": "an orange"}, comment_headers)
    check(comment.status, 201, f"POST {path}")
    return post, comment


def settled(mesh, count):
    """The log, once it has so many events and query has applied them."""
    wait_until(f"{count} events are in the log", lambda: len(mesh.events()) >= count, 20)
    mesh.wait_joined("query")
    events = mesh.events()
    check(len(events), count, "events in the log")
    return events


def trace_of(text):
    """(trace, span, flags) of a header or an event."""
    found = HEADER.fullmatch(text or "")
    check(bool(found), True, f"{text!r} is a traceparent")
    return found.groups()


# ---------------------------------------------------------------------------------------------


def test_the_trace_of_a_request_goes_through_all_services(mesh):
    post, comment = post_with_comment(mesh, None, {"traceparent": CALLER})
    begun, answered = trace_of(post.headers["traceparent"]), trace_of(comment.headers["traceparent"])
    check(begun[0] != TRACE and begun[2] == "01", True, f"posts began a trace: {begun}")
    check((answered[0], answered[2]), (TRACE, "01"), "the answer carries the caller's trace back")
    check(answered[1] != CALLER[36:52], True, "with a span of its own")
    events = settled(mesh, 4)
    check([event["type"] for event in events], list(STEPS), "types")
    check([event["cause"] for event in events], [None, 1, 2, 3], "causes")
    spans = [trace_of(event["traceparent"]) for event in events]
    check([span[0] for span in spans], [begun[0], TRACE, TRACE, TRACE], "traces")
    check(len({span[1] for span in spans} | {answered[1], begun[1]}), 6, "each has its own span")


def test_a_bad_header_is_ignored_and_a_new_trace_begun(mesh):
    bad = ["", "00", CALLER[:-1], CALLER + "-x", "ff" + CALLER[2:], CALLER.upper(),
           CALLER.replace(TRACE, "0" * 32), CALLER.replace("00f067aa0ba902b7", "0" * 16)]
    seen = set()
    for header in bad:
        answer = mesh.ask("posts", "GET", "/posts", None, {"traceparent": header})
        check(answer.status, 200, f"GET /posts with {header!r}")
        seen.add(trace_of(answer.headers["traceparent"])[0])
    check(len(seen), len(bad), "traces begun")
    check(TRACE in seen or "0" * 32 in seen, False, "none of them is the caller's")
    for header in (CALLER[:-2] + "00", "cc" + CALLER[2:] + "-later"):
        answer = mesh.ask("posts", "GET", "/no/such/path", None, {"traceparent": header})
        check(answer.status, 404, "GET /no/such/path")
        check(trace_of(answer.headers["traceparent"])[0], TRACE, f"the trace of {header!r}")


def test_a_header_that_is_there_twice_counts_as_none(mesh):
    client = kit.Client(mesh.services["posts"])
    client.request("GET", "/posts")  # connects
    client.connection.putrequest("GET", "/posts")
    client.connection.putheader("traceparent", CALLER)
    client.connection.putheader("traceparent", CALLER)
    client.connection.endheaders()
    response = client.connection.getresponse()
    response.read()
    check(trace_of(response.headers["traceparent"])[0] != TRACE, True, "a new trace was begun")
    client.close()


# ---------------------------------------------------------------------------------------------


def weft(mesh, *words):
    return subprocess.run([mesh.program("weft"), *words, "--bus", mesh.endpoint],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60 * SLOW, check=False)


def told(mesh, *words):
    """The events that explain or trace tell of."""
    done = weft(mesh, *words, "--json")
    check((done.returncode, done.stderr), (0, ""), f"weft {words}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def handlers(event):
    return {one["service"]: one for one in event["handlers"]}


def all_handled(mesh, position):
    """Whether every service of the blog has said so; the bus knows a service from its first report on."""
    return all({name for name, one in handlers(event).items() if one["handled"]} >= HANDLERS[event["type"]]
               for event in told(mesh, "explain", str(position)))


BRANCH = re.compile(r"(?P<branch>[ │├└─]*)(?P<position>\d+) (?P<type>[a-z.]+) (?P<subject>post/\w+) by "
                    r"(?P<source>[a-z-]+), emitted (?P<time>\S+Z), stored \+?(?P<stored>-?[0-9.]+ m?s)")


def check_comment_tree(mesh, first, subject):
    """Events first … first + 3 are a post, its comment, the verdict, the outcome: as text and JSON."""
    positions = list(range(first, first + 4))
    wait_until("all services say that they have handled it", lambda: all_handled(mesh, first), 20)
    sources = ["blog-posts", "blog-comments", "blog-moderation", "blog-comments"]
    for asked in positions:
        events = told(mesh, "explain", str(asked))
        check([event["position"] for event in events], positions, f"tree of {asked}")
        check([event["type"] for event in events], list(STEPS), "types")
        check([event["source"] for event in events], sources, "sources")
        check([event["cause"] for event in events], [None, *positions[:3]], "causes")
        check([event["time"] <= event["stored"] for event in events], [True] * 4, "times")
        lines = weft(mesh, "explain", str(asked)).stdout.splitlines()
        found = [BRANCH.fullmatch(line) for line in lines if " emitted " in line]
        check(all(found), True, "\n".join(lines))
        check([one["type"] for one in found], list(STEPS), "types as text")
        check([one["source"] for one in found], sources, "sources as text")
        check({one["subject"] for one in found}, {subject}, "subjects as text")
        check([len(one["branch"]) for one in found], [0, 3, 6, 9], "each below its cause")
    read = handlers(events[0])["blog-comments"]
    check((read["handled"], read["at"], read["effects"]), (True, None, [positions[1]]), "a request's own")
    moderated = handlers(events[1])["blog-moderation"]
    check((moderated["effects"], moderated["at"]), ([positions[2]], events[2]["time"]), "who moderated")
    check(handlers(events[1])["blog-query"]["effects"], [], "query emits nothing")
    check("handled by blog-moderation +" in "\n".join(lines), True, "\n".join(lines))


def test_explain_prints_the_tree_of_a_moderated_comment(mesh):
    post, _ = post_with_comment(mesh)
    settled(mesh, 4)
    check_comment_tree(mesh, 1, "post/" + post.json["id"])
    alone = mesh.ask("posts", "POST", "/posts", {"title": "Another"})
    settled(mesh, 5)
    check([event["position"] for event in told(mesh, "explain", "5")], [5], "an event for itself")
    check([event["position"] for event in told(mesh, "trace", alone.headers["traceparent"])], [5],
          "the trace of a request")


def test_a_tree_is_whole_when_a_service_was_away_in_the_middle(mesh):
    wait_until("moderation has reported", lambda: "blog-moderation" in mesh.weft("services"))
    mesh.stop("moderation", kill=True)
    post, comment = post_with_comment(mesh)
    settled(mesh, 2)
    events = told(mesh, "explain", "2")
    check([event["position"] for event in events], [1, 2], "what there is so far")
    wait_until("explain says that moderation has not handled it",
               lambda: not handlers(told(mesh, "explain", "2")[1])["blog-moderation"]["handled"])
    check("not yet handled by blog-moderation" in weft(mesh, "explain", "2").stdout, True,
          weft(mesh, "explain", "2").stdout)
    mesh.start("moderation")
    mesh.wait_joined("moderation")
    settled(mesh, 4)
    check_comment_tree(mesh, 1, "post/" + post.json["id"])
    trace = comment.headers["traceparent"]
    check([event["position"] for event in told(mesh, "trace", trace)], [2, 3, 4], "its trace")
    check([event["position"] for event in told(mesh, "trace", trace[3:35])], [2, 3, 4], "by its id")


def test_wrong_questions_are_told_apart(mesh):
    post_with_comment(mesh)
    settled(mesh, 4)
    for words, code, text in ((("explain", "0"), 1, "no event at position 0"),
                              (("explain", "99"), 1, "the log has 1 to 4"),
                              (("explain", "x"), 2, "'x' is no position"),
                              (("explain", "1", "--events", "0"), 2, "--events '0'"),
                              (("explain", "1", "--dot", "--json"), 2, "exclude each other"),
                              (("trace", TRACE), 1, "no event of that trace"),
                              (("trace", TRACE.upper()), 2, "is no traceparent"),
                              (("trace", "0" * 32), 2, "is no traceparent")):
        done = weft(mesh, *words)
        check((done.returncode, done.stdout, text in done.stderr), (code, "", True), done.stderr)
    few = weft(mesh, "explain", "1", "--events", "2", "--json")
    check(few.stderr, "weft explain: there are more events than 2; --events shows more\n", "bound")
    check(len(few.stdout.splitlines()), 2, "events")
    mesh.weft("trim", "--to", "2", "--force")
    wait_until("it is trimmed", lambda: weft(mesh, "explain", "2").returncode == 1)
    check("event 2 is gone" in weft(mesh, "explain", "2").stderr, True, "a gone event")
    check([event["position"] for event in told(mesh, "explain", "4")], [3, 4], "what is left")
    check("its cause" in weft(mesh, "explain", "4").stdout, True, "the rest is told")


def test_the_tree_is_a_graph_for_graphviz(mesh):
    post_with_comment(mesh)
    settled(mesh, 4)
    wait_until("all have handled it", lambda: all_handled(mesh, 1), 20)
    dot = weft(mesh, "explain", "3", "--dot").stdout
    check(re.findall(r"(e\d) -> (e\d)", dot), [("e1", "e2"), ("e2", "e3"), ("e3", "e4")], dot)
    lines = dot.splitlines()
    check((lines[0], lines[-1]), ("digraph causes {", "}"), dot)
    check(all(line.endswith(";") for line in lines[1:-1]), True, dot)
    labels = re.findall(r'  e\d \[label="([a-z.]+)\\n([a-z-]+)\\n\d  post/\w+\\n\S+Z"', dot)
    check([label[0] for label in labels], list(STEPS), dot)


def without_index(mesh):
    """Start the bus with an index that cannot be made: its name is taken."""
    mesh.bus.stop()
    path = os.path.join(mesh.data("bus"), "causes.db")
    for end in ("", "-wal", "-shm"):
        if os.path.exists(path + end):
            os.remove(path + end)
    os.mkdir(path)
    mesh.bus.start()
    mesh.wait_joined(*kit.SERVICES)
    return path


def test_the_answer_is_the_same_without_the_index(mesh):
    _, comment = post_with_comment(mesh)
    trace = comment.headers["traceparent"]
    settled(mesh, 4)
    lines = "\n".join(str(number) for number in range(20000))
    done = subprocess.run([mesh.program("weft"), "pub", "a.b", "--data", "-", "--bus", mesh.endpoint],
                          input=lines, capture_output=True, text=True, timeout=60 * SLOW, check=False)
    check(done.returncode, 0, done.stderr)
    post_with_comment(mesh)
    wait_until("the log has all", lambda: json.loads(mesh.weft("count", "--json"))["count"] == 20008)
    def indexed():
        return json.loads(mesh.weft("status", "--json"))["counters"]["indexed"] == 20008
    wait_until("all is in the index", indexed)
    wait_until("all is handled", lambda: all_handled(mesh, 1) and all_handled(mesh, 20005), 20)
    asked = [("explain", "1"), ("explain", "3"), ("explain", "20007"), ("trace", trace)]
    with_index = [told(mesh, *words) for words in asked]
    check([len(events) for events in with_index], [4, 4, 4, 3], "events")
    path = without_index(mesh)
    def services():
        return mesh.weft("explain", "1").count("handled by"), "not yet" in mesh.weft("explain", "1")
    wait_until("all have reported to the new bus", lambda: services() == (7, False), 20)
    for words, wanted in zip(asked, with_index):
        done = weft(mesh, *words, "--json")
        check(done.returncode, 0, done.stderr)
        check([json.loads(line) for line in done.stdout.splitlines()], wanted, f"{words}")
        said = "index of causes lacks the last 200" in done.stderr
        check(said, words[1] != "20007", f"{words}: {done.stderr}")
    os.rmdir(path)
    wait_until("the index is made once it can be", indexed, 30)
    check([told(mesh, *words) for words in asked], with_index, "by the new index")


# ---------------------------------------------------------------------------------------------


class Collector:
    """A receiver of OTLP over HTTP that keeps what it gets, and answers as it was told."""

    def __init__(self):
        self.got, self.status, self.answer = [], 200, {"partialSuccess": {}}
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # pylint: disable=invalid-name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
                answer = json.dumps(collector.answer).encode()
                self.send_response(collector.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def spans_of(request):
    """{traceId: {spanId: (service, span)}} of an ExportTraceServiceRequest, its form checked."""
    traces = collections.defaultdict(dict)
    check(list(request), ["resourceSpans"], "the request")
    for resource in request["resourceSpans"]:
        attributes = {one["key"]: one["value"] for one in resource["resource"]["attributes"]}
        service = attributes["service.name"]["stringValue"]
        for scope in resource["scopeSpans"]:
            check((scope["scope"]["name"], bool(scope["scope"]["version"])), ("weft", True), "scope")
            for span in scope["spans"]:
                check(bool(re.fullmatch("[0-9a-f]{32}", span["traceId"])), True, span)
                check(bool(re.fullmatch("[0-9a-f]{16}", span["spanId"])), True, span)
                check(set(span["traceId"]) != {"0"} and set(span["spanId"]) != {"0"}, True, span)
                check(span["kind"] in (4, 5) and span["name"] != "", True, span)
                start, end = span["startTimeUnixNano"], span["endTimeUnixNano"]
                check(bool(re.fullmatch("[0-9]{19}", start) and re.fullmatch("[0-9]{19}", end)), True, span)
                check(int(start) <= int(end), True, span)
                for one in span["attributes"]:
                    (kind, value), = one["value"].items()
                    check(kind in ("stringValue", "intValue", "boolValue"), True, one)
                    check(isinstance(value, bool if kind == "boolValue" else str), True, one)
                check(span["spanId"] in traces[span["traceId"]], False, f"twice: {span}")
                traces[span["traceId"]][span["spanId"]] = (service, span)
    return traces


def tree_of(spans):
    """The one root of a trace; every other span hangs below it."""
    roots = [key for key, (_, span) in spans.items() if "parentSpanId" not in span]
    check(len(roots), 1, f"roots of {[span for _, span in spans.values()]}")
    for key in spans:
        seen = set()
        while key != roots[0]:
            check(key in seen, False, "a circle")
            seen.add(key)
            key = spans[key][1]["parentSpanId"]
            check(key in spans, True, f"parent {key} is a span")
    return roots[0]


def names(spans):
    return sorted((service, span["name"]) for service, span in spans.values())


COMMENT_SPANS = sorted([
    ("blog-comments", "comment.created"), ("blog-moderation", "comment.moderated"),
    ("blog-comments", "comment.updated"), ("blog-query", "comment.created handled"),
    ("blog-query", "comment.updated handled"), ("blog-moderation", "comment.updated handled")])
POST_SPANS = sorted([("blog-posts", "post.created"), ("blog-query", "post.created handled"),
                     ("blog-comments", "post.created handled")])


def test_a_collector_gets_one_tree_of_spans_for_each_request(mesh):
    requests = []
    for _ in range(3):
        requests += post_with_comment(mesh)
    settled(mesh, 12)
    # The trees may lie between each other: one is begun while the last is still being judged.
    wait_until("all is handled", lambda: all(all_handled(mesh, n) for n in range(1, 13)), 20)
    collector = Collector()
    try:
        for answer in requests:
            done = weft(mesh, "trace", answer.headers["traceparent"], "--otlp", collector.url)
            check((done.returncode, done.stdout, done.stderr), (0, "", ""), "weft trace --otlp")
    finally:
        collector.close()
    check(len(collector.got), 6, "requests to the collector")
    services = set()
    for answer, (path, kind, request) in zip(requests, collector.got):
        check((path, kind), ("/v1/traces", "application/json"), "where and what")
        traces = spans_of(request)
        check(list(traces), [answer.headers["traceparent"][3:35]], "the trace of the request")
        (spans,) = traces.values()
        tree_of(spans)
        is_post = answer in requests[::2]
        check(names(spans), POST_SPANS if is_post else COMMENT_SPANS, "spans")
        services |= {service for service, _ in spans.values()}
    check(services, {"blog-" + name for name in kit.SERVICES if name != "web"}, "services")


def test_the_trace_of_a_caller_is_one_tree_over_all_four_services(mesh):
    headers = {"traceparent": CALLER}
    post_with_comment(mesh, headers, headers)
    settled(mesh, 4)
    wait_until("all is handled", lambda: all_handled(mesh, 1), 20)
    path = os.path.join(mesh.scratch, "spans.json")
    done = weft(mesh, "trace", CALLER, "--otlp", path)
    check((done.returncode, done.stdout, done.stderr), (0, "", ""), "weft trace --otlp FILE")
    with open(path, encoding="utf-8") as file:
        traces = spans_of(json.load(file))
    check(list(traces), [TRACE], "one trace")
    root = tree_of(traces[TRACE])
    check(traces[TRACE][root][1]["name"], "post.created", "its root")
    check({service for service, _ in traces[TRACE].values()},
          {"blog-posts", "blog-comments", "blog-moderation", "blog-query"}, "services")


def test_a_tree_over_two_requests_is_two_traces_with_a_link(mesh):
    post_with_comment(mesh)
    settled(mesh, 4)
    path = os.path.join(mesh.scratch, "spans.json")
    check(weft(mesh, "explain", "4", "--otlp", path).returncode, 0, "weft explain --otlp FILE")
    with open(path, encoding="utf-8") as file:
        traces = spans_of(json.load(file))
    check(len(traces), 2, "traces")
    roots = {spans[tree_of(spans)][1]["name"]: spans[tree_of(spans)][1] for spans in traces.values()}
    post, comment = roots["post.created"], roots["comment.created"]
    check("links" in post, False, "a post builds on nothing")
    check(comment["links"], [{"traceId": post["traceId"], "spanId": post["spanId"]}], "link to the post")


def test_events_without_a_trace_are_exported_as_one(mesh):
    mesh.weft("pub", "comment.created", "--subject", "post/1", "--data",
              '{"id":"1","postId":"1","content":"orange","status":"pending"}')
    settled(mesh, 2)
    path = os.path.join(mesh.scratch, "spans.json")
    check(weft(mesh, "explain", "2", "--otlp", path).returncode, 0, "weft explain --otlp FILE")
    with open(path, encoding="utf-8") as file:
        (spans,) = spans_of(json.load(file)).values()
    check(spans[tree_of(spans)][1]["name"], "comment.created", "the root")


def test_a_collector_that_refuses_or_is_away_is_told(mesh):
    post_with_comment(mesh)
    settled(mesh, 4)
    collector = Collector()
    try:
        collector.status = 503
        done = weft(mesh, "explain", "1", "--otlp", collector.url + "/somewhere")
        check((done.returncode, "answered 503" in done.stderr), (1, True), done.stderr)
        check(collector.got[-1][0], "/somewhere", "a path is kept")
        collector.status = 200
        collector.answer = {"partialSuccess": {"rejectedSpans": "2", "errorMessage": "too old"}}
        done = weft(mesh, "explain", "1", "--otlp", collector.url + "/")
        check((done.returncode, "refused 2 spans: too old" in done.stderr), (1, True), done.stderr)
        check(collector.got[-1][0], "/v1/traces", "no path")
    finally:
        collector.close()
    done = weft(mesh, "explain", "1", "--otlp", collector.url)
    check((done.returncode, "cannot send to" in done.stderr), (1, True), done.stderr)
    done = weft(mesh, "explain", "1", "--otlp", "/no/such/directory/x")
    check((done.returncode, "cannot write" in done.stderr), (1, True), done.stderr)
    done = weft(mesh, "explain", "1", "--otlp", "x", "--json")
    check(done.returncode, 2, done.stderr)


def check_perfetto(document):
    """The form of the Trace Event Format, and that slices of one thread do not overlap."""
    check((set(document), document["displayTimeUnit"]), ({"traceEvents", "displayTimeUnit"}, "ms"), "file")
    processes, slices, starts, ends = {}, [], {}, {}
    for event in document["traceEvents"]:
        check(all(isinstance(event[key], int) for key in ("pid", "tid")), True, event)
        if event["ph"] == "M":
            check((event["name"], event["pid"] in processes), ("process_name", False), event)
            processes[event["pid"]] = event["args"]["name"]
            continue
        check(isinstance(event["ts"], int) and event["pid"] in processes, True, event)
        if event["ph"] == "X":
            check(isinstance(event["dur"], int) and event["dur"] > 0 and bool(event["name"]), True, event)
            slices.append(event)
            continue
        check(event["ph"] in "sf" and event["cat"] == "cause", True, event)
        side = starts if event["ph"] == "s" else ends
        check(event["id"] in side, False, event)
        side[event["id"]] = event
    check(set(starts), set(ends), "each arrow has two ends")
    for end in (*starts.values(), *ends.values()):
        check(any(one["pid"] == end["pid"] and one["tid"] == end["tid"] and
                  one["ts"] <= end["ts"] < one["ts"] + one["dur"] for one in slices), True, end)
    for one in slices:
        for other in slices:
            if one is not other and (one["pid"], one["tid"]) == (other["pid"], other["tid"]):
                check(one["ts"] + one["dur"] <= other["ts"] or other["ts"] + other["dur"] <= one["ts"],
                      True, f"{one} {other}")
    return processes, slices, starts, ends


def test_a_file_for_perfetto_has_slices_and_arrows(mesh):
    post, _ = post_with_comment(mesh)
    settled(mesh, 4)
    for number in range(20):
        path = f"/posts/{post.json['id']}/comments"
        check(mesh.ask("comments", "POST", path, {"content": f"no {number}"}).status, 201, "a comment")
    settled(mesh, 64)
    path = os.path.join(mesh.scratch, "trace.json")
    done = weft(mesh, "explain", "1", "--perfetto", path)
    check((done.returncode, done.stdout, done.stderr), (0, "", ""), "weft explain --perfetto")
    with open(path, encoding="utf-8") as file:
        processes, slices, starts, ends = check_perfetto(json.load(file))
    check(sorted(processes.values()), ["blog-comments", "blog-moderation", "blog-posts"], "processes")
    check(sorted(one["args"]["position"] for one in slices), list(range(1, 65)), "slices")
    causes = {one["args"]["position"]: one["args"]["cause"] for one in slices}
    where = {(one["pid"], one["tid"], one["ts"]): one["args"]["position"] for one in slices}
    for id_ in ends:
        start, end = (where[side["pid"], side["tid"], side["ts"]] for side in (starts[id_], ends[id_]))
        check(start, causes[end], f"arrow to {end}")
    check(len(ends), 63, "arrows")


if __name__ == "__main__":
    kit.main(globals())
