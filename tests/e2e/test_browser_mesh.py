"""See browser/mesh.mjs."""

import pages

if __name__ == "__main__":
    pages.run("mesh.mjs")
