"""weft-bench measures, writes its figures, and leaves nothing behind, also when it is interrupted.
What it finds is not judged here: this machine may be busy."""
import json
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ["WEFT_SOURCE_DIR"], "tests/kit"))
from process import SLOW, wait_until  # noqa: E402
from bus_client import main, store  # noqa: E402

BENCH = os.path.join(os.environ["WEFT_BIN_DIR"], "weft-bench")


def start(name, *words):
    """A run apart from this process group, so that what it leaves behind can be found."""
    directory = store(name)
    os.mkdir(directory)
    err = open(f"{directory}.err", "w+", encoding="utf-8")
    bench = subprocess.Popen([BENCH, "--dir", directory, *words], stdout=subprocess.PIPE, stderr=err,
                             text=True, start_new_session=True)
    return bench, directory, err.name


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def check_nothing_left(bench, directory):
    assert os.listdir(directory) == [], os.listdir(directory)
    try:
        os.killpg(bench.pid, 0)
    except ProcessLookupError:
        return
    raise AssertionError("processes are left")


def run(name, *words):
    figures_path = store(f"{name}.json")
    bench, directory, err = start(name, "--tiny", "--rounds", "1", "--only", name, "--json", figures_path,
                                  *words)
    table, _ = bench.communicate(timeout=100 * SLOW)
    assert bench.returncode == 0, read(err)
    check_nothing_left(bench, directory)
    return json.loads(read(figures_path)), table, read(err)


def check_ratio(figures, name):
    more = figures["details"][name]
    assert more["rounds"] == 1 and more["weft"] > 0 and more["peer"] > 0, more
    assert abs(figures[name] / (more["weft"] / more["peer"]) - 1) < 0.01, (figures[name], more)


def test_a_lone_publish_is_measured():
    figures, table, err = run("sync")
    check_ratio(figures, "sync_ack_vs_fdatasync")
    check_ratio(figures, "sync_ack_p99_vs_fdatasync")
    # in µs, and no fsync of a real disk is faster than 1 µs
    p50, p99 = (figures["details"][name] for name in ("sync_ack_vs_fdatasync", "sync_ack_p99_vs_fdatasync"))
    for side in ("weft", "peer"):
        assert 1 < p50[side] <= p99[side] < 10e6, figures
    assert "| sync_ack_vs_fdatasync |" in table, table
    assert "round 1 of 1" in err, err


def test_live_events_are_timed():
    figures, _, _ = run("live")
    check_ratio(figures, "live_vs_fdatasync")
    assert figures["live90_batch"] >= 1, figures


def test_a_service_applies_each_event_once():
    """The role itself counts the rows and fails if one is missing or doubled."""
    figures, _, _ = run("service")
    check_ratio(figures, "service_vs_plain")
    check_ratio(figures, "service_emit_vs_plain")


def test_the_index_of_causes_catches_up():
    """Each event has a cause and a trace, so that it has something to do."""
    figures, _, _ = run("index")
    assert figures["index_behind_events"] >= 0 and figures["index_caught_up_s"] > 0, figures


def test_all_rows_in_one_run():
    """growth and sparse share a log."""
    bench, directory, err = start("all", "--tiny", "--rounds", "1", "--json", store("all.json"))
    bench.communicate(timeout=200 * SLOW)
    assert bench.returncode == 0, read(err)
    check_nothing_left(bench, directory)
    figures = json.loads(read(store("all.json")))
    # a row each in two tables, numbers and half a trace-id
    assert 10 < figures["growth_index_bytes"] < 100, figures
    assert figures["growth_bytes_100"] > 235 and figures["start_s"] > 0, figures
    assert "start 5 of 5" in read(err), read(err)
    check_ratio(figures, "sparse_vs_full")


def test_docs_get_the_table_between_their_markers():
    path = store("page.md")
    with open(path, "w", encoding="utf-8") as file:
        file.write("before\n<!-- table: weft-bench --docs writes from here -->\nold\n<!-- to here -->\nafter\n")
    run("outbox", "--docs", path)
    text = read(path)
    assert text.startswith("before\n<!-- table") and text.endswith("<!-- to here -->\nafter\n"), text
    assert "| outbox_vs_plain |" in text and "\nold\n" not in text, text


def test_an_interrupt_ends_all():
    bench, directory, err = start("interrupted", "--only", "catchup")
    wait_until("a log is written", lambda: "writing a log" in read(err), 20)
    wait_until("the bus runs", lambda: os.listdir(directory) != [], 20)
    bench.send_signal(signal.SIGINT)
    bench.communicate(timeout=40 * SLOW)
    assert bench.returncode == 130, (bench.returncode, read(err))
    check_nothing_left(bench, directory)


def test_wrong_use_is_told():
    for words in (["--only", "nothing"], ["--rounds", "0"], ["word"], ["--unknown"]):
        done = subprocess.run([BENCH, *words], capture_output=True, text=True, timeout=20 * SLOW)
        assert done.returncode == 2 and done.stderr, (words, done)


if __name__ == "__main__":
    main(dict(globals()))
