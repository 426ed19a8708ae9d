"""blog-web without a browser: files, headers, what it forwards and what it says when nobody is there."""

import gzip
import re

import mesh as kit
from mesh import check


def page(mesh, path, **headers):
    return mesh.ask("web", "GET", path, None, headers)


def test_pages_come_compressed_and_are_kept(mesh):
    mesh.start("web")
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
    mesh.start("web")
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


if __name__ == "__main__":
    kit.main(globals())
