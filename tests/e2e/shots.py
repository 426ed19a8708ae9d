"""Pictures of the pages for docs/img: see ./dev shots and browser/shots.mjs. No test."""

import pages

if __name__ == "__main__":
    pages.run("shots.mjs")
