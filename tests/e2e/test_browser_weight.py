"""See browser/weight.mjs."""

import pages

if __name__ == "__main__":
    pages.run("weight.mjs")
