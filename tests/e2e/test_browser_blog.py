"""See browser/blog.mjs."""

import pages

if __name__ == "__main__":
    pages.run("blog.mjs")
