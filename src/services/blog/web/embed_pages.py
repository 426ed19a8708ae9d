"""Make a C source of the files of the pages: embed_pages.py OUT FILE...

Each file goes in plain and compressed, so that nothing is compressed, read or looked up while serving.
@VERSION@ in a page becomes a hash over all files: it is part of their addresses, so what a browser
has kept is never wrong and never asked for again."""

import gzip
import hashlib
import os
import sys

KINDS = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


def array(name, data):
    lines = [f"static const unsigned char {name}[] = {{"]
    for at in range(0, len(data), 32):
        lines.append("    " + ",".join(str(byte) for byte in data[at:at + 32]) + ",")
    return "\n".join(lines + ["};"])


def main(out, paths):
    files = {}
    for path in sorted(paths):
        with open(path, "rb") as file:
            files[os.path.basename(path)] = file.read()
    version = hashlib.sha256(b"".join(name.encode() + b"\0" + data for name, data in files.items()))
    version = version.hexdigest()[:12]
    parts, rows = [], []
    for number, (name, data) in enumerate(files.items()):
        data = data.replace(b"@VERSION@", version.encode())
        packed = gzip.compress(data, 9, mtime=0)
        etag = hashlib.sha256(data).hexdigest()[:16]
        kind = KINDS[os.path.splitext(name)[1]]
        parts += [array(f"s_plain_{number}", data), array(f"s_packed_{number}", packed)]
        rows.append(f'    {{"{name}", "{kind}", "\\"{etag}\\"", "\\"{etag}-gzip\\"", s_plain_{number}, '
                    f"sizeof s_plain_{number}, s_packed_{number}, sizeof s_packed_{number}}},")
    text = "\n".join(["/* Made by embed_pages.py. */", '#include "web_pages.h"', *parts,
                      f'const char *const web_pages_version = "{version}";',
                      "const web_page_t web_pages[] = {", *rows, "};",
                      "const size_t web_pages_count = sizeof web_pages / sizeof *web_pages;", ""])
    with open(out, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
