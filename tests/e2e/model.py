"""The dullest model of the blog: what the accepted requests add up to.

It is told each 2xx answer, and knows nothing of events, catch-up or restarts. view() is what query
must show once all is applied: posts in the order of their making, comments in the order in which the
comments service answered them, each with moderation's verdict on its present content."""

WORD = "orange"


def verdict(content):
    return "rejected" if WORD in content else "approved"


class Blog:
    def __init__(self):
        self.posts = {}  # id -> {"title", "comments": {id: content}}; both in order

    # What was accepted -----------------------------------------------------------------------

    def post_created(self, answer):
        assert answer["id"] not in self.posts, answer
        self.posts[answer["id"]] = {"title": answer["title"], "comments": {}}
        return answer["id"]

    def post_updated(self, answer):
        self.posts[answer["id"]]["title"] = answer["title"]

    def post_deleted(self, post_id):
        del self.posts[post_id]

    def comment_created(self, post_id, answer):
        """answer: the post's comments; the new one is the last."""
        comments = self.posts[post_id]["comments"]
        new = answer[-1]
        assert new["id"] not in comments, answer
        comments[new["id"]] = new["content"]
        assert [one["id"] for one in answer] == list(comments), (answer, comments)
        return new["id"]

    def comment_updated(self, post_id, answer):
        assert answer["id"] in self.posts[post_id]["comments"]
        self.posts[post_id]["comments"][answer["id"]] = answer["content"]

    def comment_deleted(self, post_id, comment_id):
        del self.posts[post_id]["comments"][comment_id]

    # What must be seen -----------------------------------------------------------------------

    def view(self):
        return {
            post_id: {
                "id": post_id,
                "title": post["title"],
                "comments": [{"id": comment_id, "content": content, "status": verdict(content)}
                             for comment_id, content in post["comments"].items()],
            }
            for post_id, post in self.posts.items()
        }

    def difference(self, seen):
        """In words, the first few places where a view is not the model's."""
        wanted, lines = self.view(), []
        for post_id in [*wanted, *[one for one in seen if one not in wanted]]:
            if wanted.get(post_id) != seen.get(post_id):
                lines.append(f"  post {post_id}\n    wanted {wanted.get(post_id)}\n"
                             f"    got    {seen.get(post_id)}")
        more = f"\n  … and {len(lines) - 3} more posts" if len(lines) > 3 else ""
        return "\n".join(lines[:3]) + more or "  (no difference any more)"
