"""What /metrics says: fetched, checked by promtool, and as numbers to ask for."""

import re
import shutil
import subprocess
import urllib.error
import urllib.request

from process import SLOW

_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def get(address, path):
    """(status, content type, body) of http://ADDRESS/path, whatever the status."""
    request = urllib.request.Request(f"http://{address}{path}")
    try:
        with urllib.request.urlopen(request, timeout=20 * SLOW) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.headers["Content-Type"], answer.read().decode()


class Scrape:
    """The samples of one scrape. families: {name: kind}; samples: {(name, labels): value}, where labels
    is a frozenset of pairs."""

    def __init__(self, text):
        self.text, self.families, self.samples = text, {}, {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name not in self.families, f"two families {name}"
                self.families[name] = kind
            elif line and not line.startswith("#"):
                name, labels, value = _SAMPLE.fullmatch(line).groups()
                key = name, frozenset(_LABEL.findall(labels or ""))
                assert key not in self.samples, f"twice: {line}"
                self.samples[key] = float(value)

    def value(self, name, **labels):
        """Of the only sample of that name that has these labels, and maybe others."""
        wanted = set(labels.items())
        found = [value for (sample, own), value in self.samples.items()
                 if sample == name and wanted <= own]
        assert len(found) == 1, f"{name} {labels}: {len(found)} samples"
        return found[0]

    def names(self):
        """Names as queries use them: those of histograms have their suffixes."""
        return {name for name, _ in self.samples}


def scrape(address):
    status, kind, text = get(address, "/metrics")
    assert status == 200 and kind == "text/plain; version=0.0.4; charset=utf-8", (status, kind, text)
    return Scrape(text)


def promtool(*arguments, text=None):
    """What promtool says, None if it is content. Without it the test is skipped by the caller."""
    done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True,
                          timeout=60 * SLOW, check=False)
    said = (done.stdout + done.stderr).strip()
    return None if done.returncode == 0 else f"promtool {' '.join(arguments)}: {said}"


def has_promtool():
    return shutil.which("promtool") is not None
