"""blog-web without a browser: files, headers, what it forwards and what it says when nobody is there."""

import gzip
import re
import signal
import threading

import mesh as kit
from mesh import check, wait_until


def page(mesh, path, **headers):
    return mesh.ask("web", "GET", path, None, headers)


def test_pages_come_compressed_and_are_kept(mesh):
    mesh.start_web()
    for path in ("/",):
        plain = page(mesh, path)
        check((plain.status, plain.headers["Content-Type"]), (200, "text/html; charset=utf-8"), path)
        check((plain.headers["Cache-Control"], plain.headers["Vary"]), ("no-cache", "Accept-Encoding"), path)
        packed = page(mesh, path, **{"Accept-Encoding": "br, gzip;q=0.8"})
        check(packed.headers["Content-Encoding"], "gzip", path)
        check(gzip.decompress(packed.body), plain.body, "the same, unpacked")
        check(packed.headers["ETag"] != plain.headers["ETag"], True, "a tag for each form")
        again = page(mesh, path, **{"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]})
        check((again.status, again.body), (304, b""), "asked again by its tag")
        for refusal in ("gzip;q=0", "gzip; q=0.00, *", "identity", "x-gzip-not"):
            check(page(mesh, path, **{"Accept-Encoding": refusal}).headers["Content-Encoding"], None, refusal)
        assets = re.findall(r'(?:src|href)="(/assets/[^"]+)"', plain.body.decode())
        check(len(assets) > 3, True, f"assets of {path}: {assets}")
        for asset in set(assets):
            file = page(mesh, asset, **{"Accept-Encoding": "gzip"})
            check((file.status, file.headers["Cache-Control"]), (200, "public, max-age=31536000, immutable"), asset)
            check(file.headers["Content-Encoding"], "gzip", asset)
    old = re.sub(r"/assets/[^/]+", "/assets/000000000000", assets[0])
    check(page(mesh, old).status, 404, "a file of another version")
    check(page(mesh, "/assets/x/..%2f..%2fetc%2fpasswd").status, 404, "no way out of the pages")


def test_pages_are_closed_to_what_is_not_theirs(mesh):
    mesh.start_web()
    answer = page(mesh, "/")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    check(policy["default-src"], "'none'", "nothing unless allowed")
    check(policy["script-src"], "'self'", "scripts from files of ours alone")
    check(policy["require-trusted-types-for"], "'script'", "no text becomes HTML")
    check(policy["frame-ancestors"], "'none'", "in no frame")
    check(b"<script>" in answer.body or b"<style" in answer.body or b" style=" in answer.body, False, "nothing inline")
    for name in ("X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Resource-Policy"):
        check(bool(answer.headers[name]), True, name)
    for path in ("/", "/nope"):
        check(page(mesh, path).headers["Access-Control-Allow-Origin"], None, "no pages of others")
    asked = mesh.ask("web", "OPTIONS", "/", None, {"Origin": "http://elsewhere"})
    check(asked.headers["Access-Control-Allow-Methods"], None, "nor their writes")


def refused(answer, status):
    check((answer.status, answer.headers["Content-Type"]), (status, "application/json; charset=utf-8"), repr(answer))
    return answer.json["errors"][0]["message"]


def test_what_is_asked_below_api_goes_to_its_service(mesh):
    mesh.start_web()
    key = {"Idempotency-Key": "one"}
    made = mesh.ask("web", "POST", "/api/posts", {"title": "Grüße 🍊"}, key)
    post = made.json["id"]
    check((made.status, made.headers["Location"]), (201, f"/api/posts/{post}"), "created")
    again = mesh.ask("web", "POST", "/api/posts", {"title": "Grüße 🍊"}, key)
    check((again.json, again.headers["Idempotency-Replayed"]), (made.json, "true"), "repeated")
    wait_until("query has it", lambda: page(mesh, f"/api/posts/{post}").status == 200)
    mesh.wait_known(made)
    comment = mesh.ask("web", "POST", f"/api/posts/{post}/comments", {"content": "words"})
    place = comment.headers["Location"]
    check((comment.status, place.startswith(f"/api/posts/{post}/comments/")), (201, True), place)
    check(mesh.ask("web", "PUT", place, {"content": "other"}).json["content"], "other", "changed")
    check(mesh.ask("web", "DELETE", place).status, 204, "deleted")
    check(mesh.ask("web", "PUT", f"/api/posts/{post}", {"title": "New"}).json["title"], "New", "changed")
    second = mesh.ask("web", "POST", "/api/posts", {"title": "second"})
    token, second = second.headers["Weft-After"], second.json["id"]
    check(len(page(mesh, "/api/posts", **{"Weft-After": token, "Weft-Wait": "30000"}).json), 2, "read what was written, through both")
    listed = page(mesh, "/api/posts?order=newest&limit=1")
    check([one["id"] for one in listed.json], [second], "the query is handed on")
    link = listed.headers["Link"]
    check(link, f'</api/posts?order=newest&limit=1&after={second}>; rel="next"', "the next page is ours, too")
    check([one["id"] for one in page(mesh, link[1:link.index(">")]).json], [post], "the next page")
    check(refused(mesh.ask("web", "POST", "/api/posts", {"title": " "}), 400) != "", True, "the service's refusal")
    check(mesh.ask("web", "DELETE", f"/api/posts/{second}").status, 204, "deleted")
    check(refused(mesh.ask("web", "PUT", f"/api/posts/{second}", {"title": "x"}), 404), "no such post", "gone")
    refused(mesh.ask("web", "PUT", "/api/posts", {"title": "x"}), 405)
    refused(page(mesh, "/api/nope"), 404)
    refused(mesh.ask("web", "POST", "/api/posts", b"title=x", {"Content-Type": "text/plain"}), 415)


def test_a_service_that_is_away_is_told_by_name(mesh):
    mesh.start_web()
    post = mesh.ask("web", "POST", "/api/posts", {"title": "here"}).json["id"]
    path = f"/api/posts/{post}/comments"
    mesh.stop("comments")
    gone = mesh.ask("web", "POST", path, {"content": "words"}, {"Idempotency-Key": "kept"})
    check("comments service" in refused(gone, 503), True, "who is away")
    check(gone.headers["Retry-After"], "1", "Retry-After")
    check(page(mesh, "/api/posts").status, 200, "the others answer")
    mesh.start("comments")
    check(mesh.ask("web", "POST", path, {"content": "words"}, {"Idempotency-Key": "kept"}).status, 201, "again")
    posts = mesh.services["posts"].child
    posts.send_signal(signal.SIGSTOP)
    answers = []
    client = mesh.client("web")
    thread = threading.Thread(target=lambda: answers.append(client.request("POST", "/api/posts", {"title": "x"})))
    thread.start()
    check(page(mesh, "/api/posts").status, 200, "a service that hangs holds up nobody else")
    thread.join()
    posts.send_signal(signal.SIGCONT)
    check("posts service" in refused(answers[0], 504), True, "who did not answer")
    mesh.stop("web")


if __name__ == "__main__":
    kit.main(globals())
