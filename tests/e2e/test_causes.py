"""Why an event happened: causes and traces over the four services, as the log and the tools tell it."""

import re

import mesh as kit
from mesh import check, wait_until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = f"00-{TRACE}-00f067aa0ba902b7-01"
HEADER = re.compile("00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
STEPS = ("post.created", "comment.created", "comment.moderated", "comment.updated")


def post_with_comment(mesh, post_headers=None, comment_headers=None):
    """Give the answers to POST of a post and of a comment on it."""
    post = mesh.ask("posts", "POST", "/posts", {"title": "A title"}, post_headers)
    check(post.status, 201, "POST /posts")
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


if __name__ == "__main__":
    kit.main(globals())
