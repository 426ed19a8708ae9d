"""packages.py BUILD: packages.txt lists what the tree needs, no less and no more.

What is needed is taken from the tree itself, and each need names what asked for it:
  headers   that the compiler read (Ninja keeps the list) belong to a package
  libraries that built programs name as NEEDED have a development package with their lib*.so
  commands  called by dev, .ci/run, scripts and the presets
  modules   imported by Python tests
  files     below /usr/lib that Python tests name (a pattern with * is fine)
Whether a section other than build lists too much is checked the same way.
"""

import ast
import glob
import os
import re
import shutil
import subprocess
import sys

SOURCE = os.environ["WEFT_SOURCE_DIR"]
BUILD = sys.argv[1]
PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
# Reserved words and builtins of bash that stand where a command may stand, and ./dev's own verbs.
NOT_COMMANDS = set(
    subprocess.run(["bash", "-c", "compgen -kb"], capture_output=True, text=True, check=True)
    .stdout.split()
)


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def owners(paths):
    """Maps each path to the package that owns it. dpkg knows some files by a name from before /usr
    was merged, and links by their own name, so all names of a file are asked for."""
    names = {}
    for path in paths:
        real = os.path.realpath(path)
        for name in (path, os.path.normpath(path), real):
            names.setdefault(name, set()).add(path)
            if name.startswith("/usr/"):
                names.setdefault(name[4:], set()).add(path)
            elif name.startswith(("/lib", "/bin", "/sbin")):
                names.setdefault("/usr" + name, set()).add(path)
    found = {}
    asked = sorted(names)
    for start in range(0, len(asked), 500):
        for line in output("dpkg-query", "-S", *asked[start : start + 500]).splitlines():
            package, _, name = line.partition(": ")
            if not line.startswith("diversion") and name in names:
                for path in names[name]:
                    own = name in (path, os.path.normpath(path))  # a link itself before what it names
                    if own or path not in found:
                        found[path] = package.split(",")[0].split(":")[0]
    return found


def sections():
    listed, section = {}, None
    with open(f"{SOURCE}/packages.txt", encoding="utf-8") as file:
        for line in file:
            line = line.split("#")[0].strip()
            if line.startswith("["):
                section = line.strip("[]")
            elif line:
                listed.setdefault(line, set()).add(section)
    return listed


def comes_with(package):
    """The package and all that it depends on."""
    text = output("dpkg-query", "-W", "-f", "${Depends}, ${Pre-Depends}", package)
    names = {re.split(r"[\s(:]", part.strip())[0] for part in re.split(r"[,|]", text)}
    return names - {""}


def compiler_parts():
    """What comes with the compiler and with the C library needs no line of its own."""
    parts = {"linux-libc-dev": "libc6-dev"}
    for compiler in ("clang", "gcc"):
        todo = {compiler}
        for _ in range(3):
            todo |= {name for package in todo for name in comes_with(package)}
        pattern = r"(gcc|libgcc|clang|libclang|binutils)\b"
        parts.update({name: compiler for name in todo if re.match(pattern, name)})
    return parts


def needed_headers():
    deps = output("ninja", "-C", BUILD, "-t", "deps")
    paths = {line.strip() for line in deps.splitlines() if line.startswith("    /")}
    paths = {path for path in paths if path.startswith("/usr/")}
    found = owners(paths)
    for path in sorted(paths):
        package = found.get(path, f"(no package owns {path})")
        yield package, f"header {path}"


def needed_libraries():
    links = {}
    for binary in glob.glob(f"{BUILD}/bin/*") + glob.glob(f"{BUILD}/lib/*.so") + glob.glob(f"{BUILD}/tests/*/test_*"):
        if not os.access(binary, os.X_OK) or os.path.isdir(binary):
            continue
        wanted = re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", binary))
        where = dict(re.findall(r"(\S+) => (/\S+)", output("ldd", binary)))
        for name in wanted:
            path = where.get(name)
            if path and not path.startswith(BUILD):
                stem = os.path.join("/usr" + path if path.startswith("/lib/") else path)
                link = re.sub(r"\.so\..*$", ".so", stem)
                links.setdefault(link, os.path.basename(binary))
    # Of the C library the linker takes libc.so, which is a script, and libm.so and the like.
    found = owners(links)
    for link, binary in sorted(links.items()):
        if os.path.basename(link) not in ("libasan.so", "libubsan.so", "libgcc_s.so"):
            yield found.get(link, f"(no package owns {link})"), f"{link} in {binary}"


def commands_of(script):
    """Words at the place of a command in a shell script; good enough for ours."""
    with open(script, encoding="utf-8") as file:
        text = file.read()
    text = re.sub(r"<<'?(\w+)'?\n.*?\n\1\n", "\n", text, flags=re.S)
    text = re.sub(r"(^|\s)#.*", r"\1", text)
    text = re.sub(r"'[^'\n]*'", "''", text)
    text = text.replace("\\\n", " ")
    own = set(re.findall(r"^\s*(\w+)\(\)", text, flags=re.M))
    place = r"(?:^|[|&;(){`]|\$\(|\b(?:then|do|else|if|while|until|exec|time|command|env|setsid|sudo|[A-Z_]+=\S+)\s)"
    words = set(re.findall(place + r"[\s!]*([a-z][\w.+-]*)(?=[\s;|&)]|$)", text, flags=re.M))
    return words - own - NOT_COMMANDS


def needed_commands():
    scripts = [f"{SOURCE}/dev", f"{SOURCE}/.ci/run"]
    for path in glob.glob(f"{SOURCE}/tests/*/*") + glob.glob(f"{SOURCE}/scripts/*"):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                if re.match(rb"#!.*\bbash\b", file.readline()):
                    scripts.append(path)
    wanted, words = {}, [*commands_of_python(), *commands_of_bench()]
    for script in scripts:
        words += [(word, os.path.relpath(script, SOURCE)) for word in sorted(commands_of(script))]
    for word, script in words:
        path = shutil.which(word, path=PATH) if word else None
        if path and not path.startswith(SOURCE):
            wanted.setdefault(path, f"{word} in {script}")
    with open(f"{SOURCE}/CMakePresets.json", encoding="utf-8") as file:
        presets = file.read()
    if '"Ninja"' in presets:
        wanted["/usr/bin/ninja"] = "generator Ninja in CMakePresets.json"
    if '"clang"' in presets:
        wanted["/usr/bin/clang"] = "preset fuzz in CMakePresets.json"
    wanted["/usr/bin/gcc"] = "the compiler"
    wanted["/usr/bin/pkg-config"] = "find_package(PkgConfig) in cmake/weft_deps.cmake"
    wanted["/usr/bin/scdoc"] = "pages of the manual in tools/weft/CMakeLists.txt"
    wanted["/usr/bin/python3"] = "Python tests"
    found = owners(wanted)
    for path, why in sorted(wanted.items()):
        package = found.get(path, f"(no package owns {path})")
        yield {"pkgconf": "pkg-config", "pkgconf-bin": "pkg-config", "python3-minimal": "python3",
               "redis-tools": "redis-server"}.get(package, package), why


def commands_of_bench():
    """Programs that tools/bench starts: servers to compare with, gnuplot."""
    for path in glob.glob(f"{SOURCE}/tools/bench/*.c"):
        with open(path, encoding="utf-8") as file:
            for word in re.findall(r'(?:\.program = |popen\()"([\w-]+)"', file.read()):
                yield word, os.path.relpath(path, SOURCE)


def python_nodes():
    """The file and each node of the Python scripts."""
    for room in ("tests", "tools", "docs"):
        for path in glob.glob(f"{SOURCE}/{room}/**/*.py", recursive=True):
            with open(path, encoding="utf-8") as file:
                tree = ast.parse(file.read(), path)
            for node in ast.walk(tree):
                yield os.path.relpath(path, SOURCE), node


def commands_of_python():
    """Words that start a list, as for subprocess, or that shutil.which looks for, or a function run… gets."""
    for path, node in python_nodes():
        first = None
        if isinstance(node, ast.List) and node.elts:
            first = node.elts[0]
        elif isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "attr", "") or getattr(node.func, "id", "")
            if name == "which" or name.startswith("run"):
                first = node.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value, path


def needed_files():
    wanted = {}
    for path, node in python_nodes():
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.match(r"/usr/lib/\S+$", node.value):
            wanted.update({file: path for file in glob.glob(node.value) if os.path.isfile(file)})
    found = owners(wanted)
    for file, path in sorted(wanted.items()):
        yield found.get(file, f"(no package owns {file})"), f"{file} in {path}"


def needed_modules():
    wanted = {}
    for path, node in python_nodes():
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        for name in names:
            wanted.setdefault(name.split(".")[0], path)
    for name, path in sorted(wanted.items()):
        if name in sys.stdlib_module_names or glob.glob(f"{SOURCE}/tests/**/{name}.py", recursive=True):
            continue
        places = glob.glob(f"/usr/lib/python3/dist-packages/{name}/__init__.py")
        places += glob.glob(f"/usr/lib/python3/dist-packages/{name}*.so")
        package = next(iter(owners(places[:1]).values()), f"(no package owns module {name})")
        yield package, f"import {name} in {path}"


def installed(package):
    return output("dpkg-query", "-W", "-f", "${db:Status-Status}", package) == "installed"


def always_there():
    """Essential packages and what they stand on need no line."""
    rows = output("dpkg-query", "-W", "-f", "${Essential} ${Priority} ${Package}\n").splitlines()
    return {row.split()[-1] for row in rows if row.startswith("yes") or " required " in f" {row} "} | {"apt", "dpkg"}


def main():
    if not shutil.which("dpkg-query"):
        print("not a Debian system")
        return 77
    listed, basic, parts, needs = sections(), always_there(), compiler_parts(), {}
    for source in (needed_headers, needed_libraries, needed_commands, needed_files, needed_modules):
        for package, why in source():
            needs.setdefault(parts.get(package, package), why)
    # Clang's run-time library is what -fsanitize links; no program of this build shows it.
    if "clang" in needs:
        needs.setdefault("libclang-rt-dev", "sanitizers of the preset fuzz")
    bad = 0
    for package, why in sorted(needs.items()):
        if package not in listed and package not in basic:
            print(f"missing from packages.txt: {package}, needed by {why}")
            bad += 1
    for package in sorted(listed):
        if not listed[package] & {"build", "test"} and not installed(package):
            continue  # the tree is built and tested without
        if listed[package] == {"npm"}:
            continue  # node may have come from elsewhere
        if package not in needs:
            print(f"listed in packages.txt and not used: {package}")
            bad += 1
    if "-v" in sys.argv:
        for package in sorted(needs):
            print(f"{package:24} {needs[package]}")
    return 1 if bad else 0


sys.exit(main())
