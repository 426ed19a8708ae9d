#!/usr/bin/env python3
"""Makes a folder of old files with the programs of today: make.py FOLDER. See README.md."""

import json
import os
import shutil
import sys

import mesh as kit
from model import Blog
from writer import Writer


def main():
    folder = sys.argv[1]
    os.makedirs(folder)
    mesh = kit.Mesh(os.environ["WEFT_TEST_DIR"])
    model = Blog()
    try:
        mesh.bus.start()
        mesh.start(*kit.SERVICES)
        mesh.wait_joined(*kit.SERVICES)
        writer = Writer(mesh, model)
        posts = [writer.post(f"Post {number}") for number in range(3)]
        for post in posts:
            writer.comment(post, "a fine day")
            writer.comment(post, "an orange, Gänse 🦢")
        mesh.wait_view(model)
        mesh.stop("query", "moderation")
        writer.edit_post(posts[0], "Post 0, edited")
        writer.comment(posts[1], "query and moderation have not seen this")
        kit.wait_until("all is in the log", lambda: not mesh.readyz("posts")["outbox"] and
                       not mesh.readyz("comments")["outbox"])
        mesh.bus.stop()
        posts.append(writer.post("written while the bus was away"))
        writer.edit_post(posts[1], "edited while the bus was away")
        writer.comment(posts[2], "this too")
        mesh.stop("posts", "comments")
    finally:
        mesh.stop_all()
    for name in ("bus", *kit.SERVICES):
        os.makedirs(os.path.join(folder, name))
        for file in os.listdir(mesh.data(name)):
            if file.endswith(".db"):
                shutil.copy(os.path.join(mesh.data(name), file), os.path.join(folder, name, file))
            elif file.endswith("-wal") and os.path.getsize(os.path.join(mesh.data(name), file)):
                sys.exit(f"{name} left a WAL behind: {file}")
    with open(os.path.join(folder, "view.json"), "w", encoding="utf-8") as view:
        json.dump(model.view(), view, indent=1, ensure_ascii=False)
        view.write("\n")


main()
