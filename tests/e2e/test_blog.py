"""The four services of the blog, route by route, with everything running."""

import socket
import threading
import time

import mesh as kit
from mesh import check, wait_until
from model import Blog


def expect(answer, status, what=""):
    check(answer.status, status, f"{what} {answer!r}")
    return answer


def expect_error(answer, status, field=None):
    """Errors have one shape, whatever went wrong."""
    expect(answer, status)
    check(answer.headers["Content-Type"], "application/json; charset=utf-8", "type of an error")
    errors = answer.json["errors"]
    check(len(errors), 1, "number of errors")
    check(bool(errors[0]["message"]), True, "an error has a message")
    check(errors[0].get("field"), field, f"field of {errors[0]}")
    return errors[0]["message"]


def new_post(mesh, title="A title"):
    made = expect(mesh.ask("posts", "POST", "/posts", {"title": title}), 201)
    mesh.wait_known(made)
    return made.json["id"]


def new_comment(mesh, post, content="Some words"):
    answer = expect(mesh.ask("comments", "POST", f"/posts/{post}/comments", {"content": content}), 201)
    return answer.json[-1]["id"]


def in_view(mesh, post, comment):
    """A comment as query shows it, or None."""
    view = mesh.get("query", "/posts")
    found = [one for one in view.get(post, {}).get("comments", []) if one["id"] == comment]
    return found[0] if found else None


def wait_status(mesh, post, comment, status):
    wait_until(f"comment {comment} is {status} in the view",
               lambda: (in_view(mesh, post, comment) or {}).get("status") == status)


# ---------------------------------------------------------------------------------------------


def test_posts_are_made_read_changed_and_deleted(mesh):
    made = expect(mesh.ask("posts", "POST", "/posts", {"title": "Grüße, 世界 🍊", "extra": 1}), 201)
    post = made.json["id"]
    check(made.json, {"id": post, "title": "Grüße, 世界 🍊"}, "a new post")
    check((len(post), set(post) <= set("0123456789abcdef")), (8, True), f"id {post}")
    check(made.headers["Location"], f"/posts/{post}", "Location")
    second = expect(mesh.ask("posts", "POST", "/posts/create", {"title": "Second"}), 201).json
    check(mesh.get("posts", "/posts"), {post: made.json, second["id"]: second}, "all posts")
    check(list(mesh.get("posts", "/posts")), [post, second["id"]], "posts in order")
    check(mesh.get("posts", f"/posts/{post}"), made.json, "one post")
    changed = expect(mesh.ask("posts", "PUT", f"/posts/{post}", {"title": "New"}), 200).json
    check(changed, {"id": post, "title": "New"}, "a changed post")
    check(mesh.get("posts", f"/posts/{post}"), changed, "the changed post")
    wait_until("query has the new title",
               lambda: mesh.get("query", "/posts").get(post, {}).get("title") == "New")
    gone = expect(mesh.ask("posts", "DELETE", f"/posts/{post}"), 204)
    check(gone.body, b"", "body of 204")
    for method, body in (("GET", None), ("PUT", {"title": "x"}), ("DELETE", None)):
        expect_error(mesh.ask("posts", method, f"/posts/{post}", body), 404)
    wait_until("query has lost the post", lambda: post not in mesh.get("query", "/posts"))
    expect_error(mesh.ask("query", "GET", f"/posts/{post}"), 404)


def test_comments_are_made_read_changed_and_deleted(mesh):
    post = new_post(mesh)
    path = f"/posts/{post}/comments"
    first = expect(mesh.ask("comments", "POST", path, {"content": "one"}), 201)
    check([(one["content"], one["status"]) for one in first.json], [("one", "pending")], "answer")
    comment = first.json[0]["id"]
    check(first.headers["Location"], f"{path}/{comment}", "Location")
    second = expect(mesh.ask("comments", "POST", path, {"content": "two"}), 201).json
    check([one["content"] for one in second], ["one", "two"], "the whole list is answered")
    wait_status(mesh, post, comment, "approved")
    wait_until("comments has taken the verdicts",
               lambda: {one["status"] for one in mesh.get("comments", path)} == {"approved"})
    check(mesh.get("comments", f"{path}/{comment}"),
          {"id": comment, "content": "one", "status": "approved"}, "one comment")
    wait_until("query shows the same", lambda: mesh.get("query", f"/posts/{post}")["comments"] ==
               mesh.get("comments", path))
    expect(mesh.ask("comments", "DELETE", f"{path}/{comment}"), 204)
    for method, body in (("GET", None), ("PUT", {"content": "x"}), ("DELETE", None)):
        expect_error(mesh.ask("comments", method, f"{path}/{comment}", body), 404)
    other = new_post(mesh)
    wrong = f"/posts/{other}/comments/{second[1]['id']}"
    expect_error(mesh.ask("comments", "DELETE", wrong), 404)
    wait_until("query has lost the comment", lambda: in_view(mesh, post, comment) is None)
    check(mesh.get("comments", "/posts/ffffffff/comments"), [], "comments of an unknown post")


def test_orange_is_rejected_and_an_edit_is_judged_again(mesh):
    post = new_post(mesh)
    path = f"/posts/{post}/comments"
    bad, good, upper = [new_comment(mesh, post, content)
                        for content in ("an orange!", "an apple", "Orange, ORANGE")]
    wait_status(mesh, post, bad, "rejected")
    wait_status(mesh, post, good, "approved")
    wait_status(mesh, post, upper, "approved")
    wait_until("comments has the verdict on the last one",
               lambda: mesh.get("comments", f"{path}/{upper}")["status"] != "pending")
    edited = expect(mesh.ask("comments", "PUT", f"{path}/{bad}", {"content": "a pear"}), 200).json
    check(edited, {"id": bad, "content": "a pear", "status": "pending"}, "an edited comment")
    edited = expect(mesh.ask("comments", "PUT", f"{path}/{good}", {"content": "blorange"}), 200).json
    check(edited["status"], "pending", "an approved comment after an edit")
    wait_status(mesh, post, bad, "approved")
    wait_status(mesh, post, good, "rejected")
    check(in_view(mesh, post, good)["content"], "blorange", "content in the view")
    check([one["id"] for one in mesh.get("query", f"/posts/{post}")["comments"]],
          [bad, good, upper], "an edit moves nothing")
    # The same content again is no edit.
    same = expect(mesh.ask("comments", "PUT", f"{path}/{good}", {"content": "blorange"}), 200).json
    check(same["status"], "rejected", "the outcome after an edit that changes nothing")


def test_a_late_verdict_does_not_approve_what_was_written_after_it(mesh):
    post = new_post(mesh)
    path = f"/posts/{post}/comments"
    mesh.stop("moderation")
    comment = new_comment(mesh, post, "an apple")
    expect(mesh.ask("comments", "PUT", f"{path}/{comment}", {"content": "an orange"}), 200)
    mesh.start("moderation")  # judges the apple first
    wait_status(mesh, post, comment, "rejected")
    kinds = [(event["type"], event["data"].get("status")) for event in mesh.events()
             if event["type"].startswith("comment.")]
    check(kinds, [("comment.created", "pending"), ("comment.updated", "pending"),
                  ("comment.moderated", "approved"), ("comment.moderated", "rejected"),
                  ("comment.updated", "rejected")], "events of the comment")


def test_a_deleted_post_takes_its_comments_along(mesh):
    post, other = new_post(mesh), new_post(mesh)
    comment = new_comment(mesh, post)
    wait_status(mesh, post, comment, "approved")
    mesh.stop("moderation")
    late = new_comment(mesh, post, "judged after the end")
    expect(mesh.ask("posts", "DELETE", f"/posts/{post}"), 204)
    path = f"/posts/{post}/comments"
    wait_until("comments knows", lambda: mesh.ask("comments", "GET", path).status == 404)
    expect_error(mesh.ask("comments", "POST", path, {"content": "too late"}), 404)
    expect_error(mesh.ask("comments", "PUT", f"{path}/{late}", {"content": "too late"}), 404)
    mesh.start("moderation")
    mesh.wait_joined("moderation")
    marker = new_comment(mesh, other, "marker")  # comes after all that could resurrect it
    wait_status(mesh, other, marker, "approved")
    check(list(mesh.get("query", "/posts")), [other], "posts in the view")


ATTEMPTS = 5  # to do something within the two seconds that a comment is held: this machine may stall for as long


def held_comment(mesh, post):
    """A comment in a thread of its own, on a post that is not known; seen to be held when this returns.
    Gives the thread and the list that its answer goes into."""
    for _ in range(ATTEMPTS):
        client, answers = mesh.client("comments"), []
        thread = threading.Thread(target=lambda client=client, answers=answers: answers.append(client.request(
            "POST", f"/posts/{post}/comments", {"content": "early"}, {"Idempotency-Key": "early"})))
        thread.start()
        held = wait_until("the request is held, or over", lambda thread=thread: (
            mesh.readyz("comments")["held"] == 1 and "held") or not thread.is_alive() and "over")
        if held == "held":
            return thread, answers
        thread.join()
        expect_error(answers[0], 404)  # refused before anybody looked
    raise kit.Failure(f"never seen held in {ATTEMPTS} attempts")


def test_a_comment_waits_for_its_post_and_then_is_refused(mesh):
    for _ in range(ATTEMPTS):
        began = time.monotonic()
        thread, answers = held_comment(mesh, "deadbeef")
        second = mesh.ask("comments", "POST", "/posts/deadbeef/comments", {"content": "early"},
                          {"Idempotency-Key": "early"})
        asked = 0
        while thread.is_alive():
            expect(mesh.ask("comments", "GET", "/healthz"), 200)
            asked += 1
        thread.join()
        waited = time.monotonic() - began
        expect_error(answers[0], 404)
        if second.status == 409 and asked > 20:
            break
    expect_error(second, 409, "Idempotency-Key")  # 404: the first was over when it came
    # If they were held up there would be one or two.
    check(asked > 20, True, f"healthz answers meanwhile ({asked} times)")
    check(1.9 <= waited < 5 * kit.SLOW, True, f"it waited {waited:.2f} s for the post")
    check(mesh.events(), [], "a refused comment leaves no event")
    # What cannot be an id isn't waited for.
    expect_error(mesh.ask("comments", "POST", "/posts/no%20id/comments", {"content": "x"}), 404)


def test_a_comment_that_waits_is_written_when_its_post_arrives(mesh):
    """The post is written to the log by hand: the posts service would be too quick."""
    for number in range(ATTEMPTS):
        post = f"0badcaf{number}"
        thread, answers = held_comment(mesh, post)
        mesh.publish("post.created", f"post/{post}", '{"id":"%s","title":"By hand"}' % post)
        thread.join()
        if answers[0].status != 404:  # the post came in time
            break
    expect(answers[0], 201)
    again = expect(mesh.ask("comments", "POST", f"/posts/{post}/comments", {"content": "early"},
                            {"Idempotency-Key": "early"}), 201)
    check(again.body, answers[0].body, "the first answer again")
    wait_status(mesh, post, answers[0].json[0]["id"], "approved")


# ---------------------------------------------------------------------------------------------


def test_a_key_makes_a_post_happen_once(mesh):
    key = {"Idempotency-Key": "k-1"}
    first = expect(mesh.ask("posts", "POST", "/posts", {"title": "Once"}, key), 201)
    check(first.headers["Idempotency-Replayed"], None, "the first answer")
    again = expect(mesh.ask("posts", "POST", "/posts", {"title": "Once"}, key), 201)
    check((again.body, again.headers["Location"], again.headers["Idempotency-Replayed"]),
          (first.body, first.headers["Location"], "true"), "the first answer again")
    expect_error(mesh.ask("posts", "POST", "/posts", {"title": "Other"}, key), 422, "Idempotency-Key")
    elsewhere = expect(mesh.ask("posts", "POST", "/posts/create", {"title": "Once"}, key), 201)
    check(elsewhere.json["id"] != first.json["id"], True, "a key belongs to its path")
    mesh.stop("posts", kill=True)
    mesh.start("posts")
    check(expect(mesh.ask("posts", "POST", "/posts", {"title": "Once"}, key), 201).body, first.body,
          "the first answer again after kill -9")
    # The kill may have come before the second post was sent: its event is then sent now.
    wait_until("posts has sent all", lambda: mesh.readyz("posts")["outbox"] == 0)
    mesh.wait_known(first)
    path = f"/posts/{first.json['id']}/comments"
    one = expect(mesh.ask("comments", "POST", path, {"content": "c"}, key), 201)
    wait_status(mesh, first.json["id"], one.json[0]["id"], "approved")
    check(expect(mesh.ask("comments", "POST", path, {"content": "c"}, key), 201).body, one.body,
          "the comments as they were answered first")
    for bad in ("", "two words", "x" * 256):
        expect_error(mesh.ask("posts", "POST", "/posts", {"title": "T"}, {"Idempotency-Key": bad}), 400,
                     "Idempotency-Key")
    check(len(mesh.get("posts", "/posts")), 2, "posts")
    created = [event["type"] for event in mesh.events() if event["type"].endswith(".created")]
    check(created, ["post.created", "post.created", "comment.created"], "events: no second one")


def test_bad_input_is_refused_with_its_field(mesh):
    post = new_post(mesh)
    comments = f"/posts/{post}/comments"
    cases = [({}, "title"), ({"title": None}, "title"), ({"title": 7}, "title"),
             ({"title": ""}, "title"), ({"title": " \t\u00a0\u3000"}, "title"),
             ({"title": "ä" * 201}, "title"), ([], None), (b"", None), (b"{", None),
             (b'{"title":"a"} x', None), (b'{"title":"a","title":"b"}', None),
             (b'{"title":"\\u0000"}', None), (b'{"title":"\\ud800"}', None),
             (b'{"title":"\xff"}', None), (b'{"title":"\xed\xa0\x80"}', None), (b"\xc0\x80", None)]
    for body, field in cases:
        expect_error(mesh.ask("posts", "POST", "/posts", body), 400, field)
        expect_error(mesh.ask("posts", "PUT", f"/posts/{post}", body), 400, field)
    message = expect_error(mesh.ask("posts", "POST", "/posts", b'{"title":"\xff"}'), 400)
    check("UTF-8" in message, True, message)
    message = expect_error(mesh.ask("posts", "POST", "/posts", {"title": "x" * 201}), 400, "title")
    check("200" in message, True, f"the limit is told: {message}")
    expect(mesh.ask("posts", "POST", "/posts", {"title": "🍊" * 200}), 201)
    for body in ({}, {"content": []}, {"content": "  "}, {"content": "x" * 10001}):
        expect_error(mesh.ask("comments", "POST", comments, body), 400, "content")
    expect(mesh.ask("comments", "POST", comments, {"content": "ä" * 10000}), 201)
    for path in ("/posts/%", "/posts/%zz", "/posts/%ff", "/posts/%00"):
        expect_error(mesh.ask("posts", "GET", path), 400)
    check(len(mesh.get("posts", "/posts")), 2, "nothing else was made")


def test_wrong_paths_methods_types_and_sizes(mesh):
    post = new_post(mesh)
    for name, path in (("posts", "/"), ("posts", "/nope"), ("comments", "/posts"),
                       ("query", f"/posts/{post}/comments"), ("moderation", "/posts"),
                       ("posts", "/posts//"), ("posts", "/a" * 20)):
        expect_error(mesh.ask(name, "GET", path), 404)
    refused = [("posts", "PATCH", "/posts", "GET, HEAD, POST, OPTIONS"),
               ("posts", "POST", f"/posts/{post}", "GET, HEAD, PUT, DELETE, OPTIONS"),
               ("comments", "PUT", f"/posts/{post}/comments", "GET, HEAD, POST, OPTIONS"),
               ("query", "POST", "/posts", "GET, HEAD, OPTIONS"),
               ("query", "DELETE", "/healthz", "GET, HEAD, OPTIONS")]
    for name, method, path, allow in refused:
        answer = mesh.ask(name, method, path, {"title": "x"} if method == "POST" else None)
        expect_error(answer, 405)
        check(answer.headers["Allow"], allow, f"{method} {path}")
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", None,
                 "application/json; charset=iso-8859-1"):
        expect_error(mesh.ask("posts", "POST", "/posts", b'{"title":"x"}', {"Content-Type": kind}), 415)
    for kind in ("application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"'):
        expect(mesh.ask("posts", "POST", "/posts", b'{"title":"x"}', {"Content-Type": kind}), 201)
    room = b'{"title":"x","more":"%s"}'
    fits = room % (b"y" * (65536 - len(room) + 2))
    check(len(fits), 65536, "size of the largest body")
    expect(mesh.ask("posts", "POST", "/posts", fits), 201)
    for size in (65537, 1 << 20):
        expect_error(mesh.ask("posts", "POST", "/posts", b" " * size), 413)
    expect(mesh.ask("posts", "GET", "/posts/"), 200, "a slash at the end")
    expect(mesh.ask("posts", "GET", f"/posts/%{ord(post[0]):02x}{post[1:]}?x=%"), 200, "escapes")


def test_a_body_too_large_in_chunks_or_for_good_is_refused(mesh):
    def chunks(count):
        for _ in range(count):
            yield b" " * 4096

    answer = mesh.ask("posts", "POST", "/posts", b"", {"Content-Length": None})
    expect_error(answer, 400)
    client = mesh.client("posts")
    client.request("GET", "/healthz")
    client.connection.request("POST", "/posts", chunks(40),
                              {"Content-Type": "application/json"}, encode_chunked=True)
    check(client.connection.getresponse().status, 413, "chunks beyond the limit")
    host, port = mesh.services["posts"].http.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 10 * kit.SLOW) as raw:
        raw.sendall(b"POST /posts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                    b"Content-Length: 999999999\r\nExpect: 100-continue\r\n\r\n")
        check(raw.recv(4096).split(b"\r\n")[0].split()[1], b"413", "before the body is sent")
    expect(mesh.ask("posts", "GET", "/healthz"), 200)


def test_browsers_of_any_origin_are_served(mesh):
    post = new_post(mesh)
    for answer in (mesh.ask("posts", "GET", "/posts"), mesh.ask("posts", "GET", "/nope"),
                   mesh.ask("comments", "GET", f"/posts/{post}/comments")):
        check(answer.headers["Access-Control-Allow-Origin"], "*", "CORS")
        check(answer.headers["X-Content-Type-Options"], "nosniff", "no sniffing")
        check(answer.headers["Content-Type"], "application/json; charset=utf-8", "type")
    asked = expect(mesh.ask("comments", "OPTIONS", f"/posts/{post}/comments/x", None, {
        "Origin": "http://elsewhere", "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type"}), 204)
    check(asked.headers["Access-Control-Allow-Origin"], "*", "CORS")
    check(asked.headers["Access-Control-Allow-Methods"], "GET, HEAD, PUT, DELETE, OPTIONS", "methods")
    check("Content-Type" in asked.headers["Access-Control-Allow-Headers"], True, "headers")
    expect_error(mesh.ask("posts", "OPTIONS", "/nope"), 404)
    head, get = mesh.ask("posts", "HEAD", "/posts"), mesh.ask("posts", "GET", "/posts")
    check((head.status, head.body, head.headers["Content-Length"]),
          (200, b"", str(len(get.body))), "HEAD")


def test_query_pages_through_the_view(mesh):
    model, wanted = Blog(), []
    for number in range(7):
        made = mesh.ask("posts", "POST", "/posts", {"title": f"{number}"})
        mesh.wait_known(made)
        post = model.post_created(made.json)
        model.comment_created(post, mesh.ask("comments", "POST", f"/posts/{post}/comments",
                                             {"content": f"of {number}"}).json)
        wanted.append(post)
    mesh.wait_view(model)
    check(list(mesh.get("query", "/posts")), wanted, "posts in the order of the log")
    seen, path = [], "/posts?limit=3"
    while path:
        page = expect(mesh.ask("query", "GET", path), 200)
        seen.append(page.json)
        link = page.headers["Link"]
        check(link is None or link.endswith('; rel="next"'), True, f"Link {link}")
        path = link and link[1:link.index(">")]
    check([len(page) for page in seen], [3, 3, 1], "pages")
    whole = mesh.get("query", "/posts")
    check([post for page in seen for post in page], list(whole.values()), "all pages together")
    check(mesh.get("query", f"/posts?after={wanted[5]}"), [whole[wanted[6]]], "after alone")
    newest, path = [], "/posts?order=newest&limit=3"
    while path:
        page = expect(mesh.ask("query", "GET", path), 200)
        newest += page.json
        path = page.headers["Link"] and page.headers["Link"][1:page.headers["Link"].index(">")]
    check([post["id"] for post in newest], wanted[::-1], "the newest first")
    places = [post.pop("position") for post in newest]
    check(places, sorted(places, reverse=True), "with their positions")
    check(newest, list(whole.values())[::-1], "else the same")
    exactly = mesh.ask("query", "GET", "/posts?limit=7")
    check((len(exactly.json), exactly.headers["Link"]), (7, None), "a page that holds all")
    expect(mesh.ask("posts", "DELETE", f"/posts/{wanted[2]}"), 204)
    wait_until("query has lost the post", lambda: wanted[2] not in mesh.get("query", "/posts"))
    page = mesh.get("query", f"/posts?limit=1&after={wanted[2]}")
    check([post["id"] for post in page], [wanted[3]], "on after a post that is deleted by now")
    for query, field in (("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"),
                         ("limit=", "limit"), ("order=x", "order"), ("order=", "order"), ("after=nope", "after"), ("limit=1&after=%ff", "after")):
        expect_error(mesh.ask("query", "GET", f"/posts?{query}"), 400, field)


def test_each_service_tells_its_health(mesh):
    post = new_post(mesh)
    wait_status(mesh, post, new_comment(mesh, post), "approved")
    for name in kit.SERVICES:
        check(mesh.get(name, "/healthz"), {"alive": True}, "healthz")
        wait_until(f"{name} has sent all", lambda: mesh.readyz(name)["outbox"] == 0)
        state = mesh.readyz(name)
        check((state["ready"], state["database"], state["parked"], state["bus"]["reachable"]),
              (True, "open", 0, True), f"{name}: {state}")
        check("path=/healthz" in mesh.services[name].log(), False, "probes leave no line")
    wait_until("the access log has it", lambda: "path=/posts status=201" in mesh.services["posts"].log())
    state = mesh.readyz("query")
    check(state["applied"], {"catchUp": 0, "live": 3}, "what query applied")


def test_events_of_strangers_do_no_harm(mesh):
    post = new_post(mesh)
    comment = new_comment(mesh, post, "an orange")
    wait_status(mesh, post, comment, "rejected")
    # Another subject than the post's: what is malformed parks its own subject.
    for kind, data in (("comment.created", "{}"), ("comment.moderated", '{"id":1}'),
                       ("post.created", "[]"), ("comment.updated", '"text"'), ("post.deleted", "7")):
        mesh.publish(kind, "stranger", data)
    for kind, data in (
            ("comment.moderated", f'{{"id":"{comment}","postId":"{post}","content":"an orange",'
                                  '"status":"approved"}'),
            ("comment.moderated", '{"id":"0","postId":"1","content":"x","status":"approved"}'),
            ("comment.updated", '{"id":"0","postId":"1","content":"x","status":"approved"}'),
            ("comment.deleted", '{"id":"0","postId":"1"}'), ("post.updated", '{"id":"1","title":"x"}'),
            ("post.created", f'{{"id":"{post}","title":"again"}}')):
        mesh.publish(kind, f"post/{post}", data)
    marker = new_comment(mesh, post, "marker")
    wait_status(mesh, post, marker, "approved")
    view = mesh.get("query", "/posts")
    check(list(view), [post], "posts")
    check([(one["id"], one["status"]) for one in view[post]["comments"]],
          [(comment, "rejected"), (marker, "approved")], "an outcome is final, nothing is doubled")
    check(mesh.readyz("query")["parked"], 4, "parked by query")
    check(mesh.readyz("comments")["parked"], 3, "parked by comments")
    for name in kit.SERVICES:
        check(mesh.services[name].alive(), True, f"{name} lives")


def test_a_stopping_service_answers_what_it_has_begun(mesh):
    for _ in range(ATTEMPTS):
        thread, answers = held_comment(mesh, "deadbeef")
        mesh.stop("comments")  # checks the exit status, too
        thread.join()
        if answers[0].status != 404:  # it was still held
            break
        mesh.start("comments")
        mesh.wait_joined("comments")
    expect_error(answers[0], 503)
    check(answers[0].headers["Retry-After"], "1", "Retry-After")


if __name__ == "__main__":
    kit.main(globals())
