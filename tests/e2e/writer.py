"""Writes to the blog as a careful client does, and tells the model what was accepted.

Each request is repeated until it is answered: a POST under its Idempotency-Key, so that a request
whose answer was lost happens once; PUT and DELETE are repeatable as they are. A refusal with
503 (stopping), 409 (the first attempt is still in work) or, for a comment, 404 (its post has not
come to the comments service yet) is no acceptance: the request is repeated, too."""

import itertools
import time

from mesh import SLOW, Failure, Lost

PATIENCE_SECONDS = 60


class Writer:
    def __init__(self, mesh, model, rng=None):
        self.model, self.rng = model, rng
        self.clients = {name: mesh.client(name) for name in ("posts", "comments")}
        self.numbers = itertools.count(1)
        self.repeated = 0  # attempts that were not the last

    def close(self):
        for client in self.clients.values():
            client.close()

    def _until_answered(self, name, method, path, body, wanted, again):
        headers = {"Idempotency-Key": f"writer-{next(self.numbers)}"} if method == "POST" else None
        end, pause, answer = time.monotonic() + PATIENCE_SECONDS * SLOW, 0.005, None
        while time.monotonic() < end:
            try:
                answer = self.clients[name].request(method, path, body, headers)
                if answer.status in wanted:
                    return answer
                if answer.status not in again:
                    break
            except Lost as lost:
                answer = lost
            self.repeated += 1
            time.sleep(pause)
            pause = min(pause * 2, 0.2)
        raise Failure(f"{name}: {method} {path} {body}: {answer!r}")

    def post(self, title):
        answer = self._until_answered("posts", "POST", "/posts", {"title": title}, (201,), (503,))
        return self.model.post_created(answer.json)

    def comment(self, post, content):
        answer = self._until_answered("comments", "POST", f"/posts/{post}/comments",
                                      {"content": content}, (201,), (404, 409, 503))
        return self.model.comment_created(post, answer.json)

    def edit_post(self, post, title):
        answer = self._until_answered("posts", "PUT", f"/posts/{post}", {"title": title}, (200,),
                                      (503,))
        self.model.post_updated(answer.json)

    def edit_comment(self, post, comment, content):
        answer = self._until_answered("comments", "PUT", f"/posts/{post}/comments/{comment}",
                                      {"content": content}, (200,), (503,))
        self.model.comment_updated(post, answer.json)

    def delete_post(self, post):
        self._until_answered("posts", "DELETE", f"/posts/{post}", None, (204, 404), (503,))
        self.model.post_deleted(post)

    def delete_comment(self, post, comment):
        """404: an earlier attempt did it, and its answer was lost."""
        self._until_answered("comments", "DELETE", f"/posts/{post}/comments/{comment}", None,
                             (204, 404), (503,))
        self.model.comment_deleted(post, comment)

    def anything(self):
        """One random write on what is there; mostly new things."""
        rng, posts = self.rng, self.model.posts
        pick = rng.random()
        if not posts or pick < 0.15:
            self.post(f"Post {rng.randrange(10**6)}")
            return
        post = rng.choice(list(posts))
        comments = list(posts[post]["comments"])
        words = rng.choice(("a fine day", "an orange", "Gänse 🦢", "blorange or so"))
        content = f"{words} {rng.randrange(10**6)}"
        if pick < 0.75 or not comments and pick < 0.9:
            self.comment(post, content)
        elif pick < 0.90:
            self.edit_comment(post, rng.choice(comments), content)
        elif pick < 0.93:
            self.edit_post(post, f"Edited {rng.randrange(10**6)}")
        elif pick < 0.98 and comments:
            self.delete_comment(post, rng.choice(comments))
        elif len(posts) > 3:
            self.delete_post(post)
