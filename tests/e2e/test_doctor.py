"""weft doctor: what is fine is ok; a memory file system, a bus that is away or takes nothing, ports that are shut
and few open files are found, each with what to do."""

import json
import os
import resource
import subprocess

import mesh as kit
from mesh import check


def doctor(mesh, *words, bus=None, **how):
    done = subprocess.run([mesh.program("weft"), "doctor", "--json", "--bus", bus or mesh.endpoint, *words], check=False,
                          capture_output=True, text=True, timeout=60 * kit.SLOW, **how)
    check(done.stderr, "", "errors")
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    for one in findings:
        check(one["do"] != "", one["status"] != "ok", f"a mend for what is not ok, none for the rest: {one}")
    worst = max({"ok": 0, "warning": 3, "critical": 4}[one["status"]] for one in findings)
    check(done.returncode, worst, "the exit status is that of the worst finding")
    return findings


def of(findings, name, where=None, status=None):
    return [one for one in findings if one["check"] == name and (where is None or one["where"] == where) and
            (status is None or one["status"] == status)]


def test_a_mesh_that_is_well_and_its_disks(mesh):
    findings = doctor(mesh, mesh.data("bus"))
    check({one["check"] for one in findings} >= {"version", "clock", "limits", "hwm", "disk", "sync", "room", "wal", "bus",
                                                 "port"}, True, f"what was looked at: {findings}")
    check(len(of(findings, "port", status="ok")), 2, "fan-out and ingest")
    check(of(findings, "bus")[0]["status"], "ok", "the bus")
    check([one["where"] for one in of(findings, "disk")], [mesh.data("bus")], "one disk, looked at once")
    mesh.wait_reported(*kit.SERVICES)
    without = doctor(mesh)
    check(len(of(without, "disk")), 1, "the databases of services that run here")
    check(os.listdir(mesh.data("bus")).count("log.db"), 1, "nothing is left in the directory")
    check([name for name in os.listdir(mesh.data("bus")) if "doctor" in name], [], "nothing is left")


def test_memory_is_no_disk(mesh):
    if not os.path.isdir("/dev/shm"):
        return
    found = of(doctor(mesh, "/dev/shm"), "disk", "/dev/shm", "critical")
    check(len(found) == 1 and "it is memory" in found[0]["found"], True, str(found))


def test_a_file_mounted_as_a_disk_is_none_that_turns(mesh):
    if os.geteuid() != 0:
        return
    image, where = os.path.join(mesh.scratch, "image"), os.path.join(mesh.scratch, "mounted")
    with open(image, "wb") as file:
        file.truncate(16 << 20)
    os.mkdir(where)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": False}
    subprocess.run(["mkfs.ext4", "-q", image], **quiet)
    if subprocess.run(["mount", "-o", "loop", image, where], **quiet).returncode != 0:
        return  # a container has no loop devices
    try:
        findings = doctor(mesh, where)
    finally:
        subprocess.run(["umount", where], check=True)
    found = of(findings, "sync", where)
    check(len(found) == 1 and "a virtual disk" in found[0]["found"] and "turns" not in found[0]["found"], True, str(found))


def test_a_directory_that_is_not_there_and_a_bus_that_is_away(mesh):
    findings = doctor(mesh, "/no/such/dir", bus="ipc://" + mesh.scratch + "/nobody")
    check(len(of(findings, "disk", "/no/such/dir", "critical")), 1, "the directory")
    found = of(findings, "bus", status="critical")
    check(len(found) == 1 and "does not answer" in found[0]["found"], True, str(found))


def test_few_open_files_are_told(mesh):
    findings = doctor(mesh, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)))
    found = of(findings, "limits", status="warning")
    check(len(found) == 1 and "room for 64 clients" in found[0]["found"], True, str(found))


def test_ports_that_are_shut_are_told(mesh):
    for suffix, name in ((".fan", "fan-out"), (".in", "ingest")):
        path = mesh.endpoint.removeprefix("ipc://") + suffix
        os.rename(path, path + ".away")
        findings = doctor(mesh)
        os.rename(path + ".away", path)
        shut = of(findings, "port", "ipc://" + path, "critical")
        check(len(shut) == 1 and shut[0]["found"] == f"{name} is not reached", True, str(findings))
        check(len(of(findings, "port", status="ok")), 1, "the other one")


def test_a_bus_that_refuses_events_is_told(mesh):
    import msgpack  # pylint: disable=import-outside-toplevel
    import zmq  # pylint: disable=import-outside-toplevel
    with zmq.Context() as context, context.socket(zmq.XPUB) as sender:
        sender.linger = 0
        sender.connect(mesh.endpoint + ".in")
        sender.recv()  # the bus wants all
        sender.send_multipart([b"no good type", msgpack.packb(1)])
        kit.wait_until("it is counted", lambda: of(doctor(mesh), "bus", status="warning"))


if __name__ == "__main__":
    kit.main(globals())
