#!/usr/bin/env python3
"""A terminal as a picture: tmux capture-pane -e -p | docs/img/terminal.py COLUMNS > FILE.svg

Knows what weft top uses: bold, and the colours red, green and yellow."""

import re
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT, SIZE, MARGIN = 8.4, 18, 14, 12
COLOURS = {"31": "#ff6b68", "32": "#7bc275", "33": "#e5c07b"}


def pieces(line):
    """[(text, bold, colour)] of a line with escape sequences."""
    bold, colour = False, None
    for codes, text in re.findall(r"(?:\x1b\[([\d;]*)m)?([^\x1b]*)", "\x1b[m" + line):
        for code in codes.split(";"):
            if code in ("", "0"):
                bold, colour = False, None
            elif code == "1":
                bold = True
            elif code == "39":
                colour = None
            else:
                colour = COLOURS.get(code, colour)
        if text:
            yield text, bold, colour


def main():
    columns = int(sys.argv[1])
    lines = sys.stdin.read().rstrip("\n").split("\n")
    width, height = columns * WIDTH + 2 * MARGIN, len(lines) * HEIGHT + 2 * MARGIN
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
          f'viewBox="0 0 {width:.0f} {height}">')
    print(f'<rect width="100%" height="100%" rx="6" fill="#1e2127"/><g font-family="DejaVu Sans Mono, Menlo, '
          f'Consolas, monospace" font-size="{SIZE}" fill="#d7dae0">')
    for row, line in enumerate(lines):
        column = 0
        for text, bold, colour in pieces(line):
            style = (' font-weight="bold"' if bold else "") + (f' fill="{colour}"' if colour else "")
            for word in re.finditer(r"\S+", text):  # spaces would be taken for one
                print(f'<text x="{MARGIN + (column + word.start()) * WIDTH:.1f}" '
                      f'y="{MARGIN + (row + 0.75) * HEIGHT:.1f}" textLength="{len(word.group()) * WIDTH:.1f}" '
                      f'lengthAdjust="spacingAndGlyphs"{style}>{escape(word.group())}</text>')
            column += len(text)
    print("</g></svg>")


main()
