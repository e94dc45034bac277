#!/usr/bin/env python3
# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Make a ROS 2 environment from pip wheels in `.venv`, build the underlay and da3_ros in it, and run commands there.

Only for machines without ROS. Standard library only; safe to run again: each step is skipped when nothing it reads has
changed since it last succeeded.

    python3 underlay/make_environment.py                        make or refresh the environment
    python3 underlay/make_environment.py -- COMMAND [ARG ...]   the same, then run COMMAND in it
    python3 underlay/make_environment.py --print-variables      shell lines for `underlay/activate.sh`
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
INSTALL = ROOT / "install"
BUILD = ROOT / "build"
UNDERLAY = ROOT / "underlay"
REQUIREMENTS, CONSTRAINTS, REFERENCE = (
    UNDERLAY / name for name in ("requirements.txt", "constraints.txt", "reference.txt")
)
EXECUTABLES = ("__main__.py", "nodes/da3_node.py", "nodes/image_source_node.py")
PACKAGES = ("tf2_msgs", "tf2_ros", "message_filters", "sensor_msgs_py")


def main() -> None:
    """Do what the module's docstring says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print-variables", action="store_true", help="print the environment for a shell to eval")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run in the environment, after --")
    arguments = parser.parse_args()
    if arguments.print_variables:
        print("\n".join(f"export {name}={shlex.quote(value)}" for name, value in ros_variables().items()))
        return
    check_machine()
    once("python environment", [REQUIREMENTS, CONSTRAINTS, REFERENCE], VENV / ".installed", install_wheels)
    once("messages and packages", built_files(), INSTALL / ".built", build_packages)
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if command:
        run_instead(command)


def run_instead(command: list[str]) -> None:
    """Become the command, in the environment."""
    os.chdir(ROOT)
    variables = environment()
    program = shutil.which(command[0], path=variables["PATH"])
    if program is None:
        stop(f"there is no command '{command[0]}' in the environment")
    try:
        os.execve(program, command, variables)
    except OSError as error:
        stop(f"{program} could not be started: {error.strerror}")


def stop(sentence: str) -> NoReturn:
    """End with one line that says what to do."""
    sys.exit(f"da3_ros: {sentence}")


def check_machine() -> None:
    """Say in one line what this machine lacks."""
    version = sys.version_info
    package = f"python{version[0]}.{version[1]}"
    if not (3, 11) <= version[:2] <= (3, 13):
        stop(
            f"Python {version[0]}.{version[1]} found, but the ROS 2 wheels need 3.11 to 3.13 (tested: 3.11): "
            "install one and run `make PYTHON=python3.11 ...`"
        )
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        stop("the ROS 2 wheels exist for Linux x86_64 only: use a machine with ROS 2 and `colcon build` (see README)")
    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        stop("no C++ compiler found: install one (Debian, Ubuntu: `sudo apt-get install g++`)")
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file():
        stop(f"Python's C headers are missing (Debian, Ubuntu: `sudo apt-get install {package}-dev`)")
    if importlib_missing("venv", "ensurepip"):
        stop(f"Python's venv module is missing (Debian, Ubuntu: `sudo apt-get install {package}-venv`)")


def importlib_missing(*names: str) -> bool:
    """Whether any of these modules cannot be found."""
    from importlib.util import find_spec

    return any(find_spec(name) is None for name in names)


def once(what: str, inputs: Iterable[Path], stamp: Path, step: Callable[[], None]) -> None:
    """Run a step unless its inputs are as they were when it last succeeded; say what takes how long."""
    digest = fingerprint(inputs)
    if stamp.is_file() and stamp.read_text() == digest:
        return
    print(f"da3_ros: {what} ...", flush=True)
    begin = time.monotonic()
    stamp.unlink(missing_ok=True)
    step()
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(digest)
    print(f"da3_ros: {what} ready in {time.monotonic() - begin:.0f} s", flush=True)


def fingerprint(files: Iterable[Path]) -> str:
    """A digest of the interpreter, the place, this script and the given files."""
    digest = hashlib.sha256(f"{sys.version}{ROOT}".encode())
    for file in (Path(__file__), *files):
        digest.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def install_wheels() -> None:
    """Create `.venv` and install the pinned wheels, then mend the paths that they export to CMake."""
    if not venv_is_usable():
        run([sys.executable, "-m", "venv", "--clear", VENV], "could not create .venv")
    pip = [VENV / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check"]
    quiet = [] if sys.stdout.isatty() else ["--quiet", "--progress-bar", "off"]
    hint = "a download failed: check the network (or your pip index) and run the same command again"
    run([*pip, *quiet, "--requirement", REQUIREMENTS, "--constraint", CONSTRAINTS], hint)
    # The reference network is only compared with in tests; what it declares but does not use stays out.
    run([*pip, *quiet, "--no-deps", "--requirement", REFERENCE], hint)
    mend_cmake_paths()


def venv_is_usable() -> bool:
    """Whether `.venv` is complete, of this interpreter's version, and made here: its scripts name their place."""
    made_by = VENV / "pyvenv.cfg"
    if not made_by.is_file() or not any(line.endswith(f" {VENV}") for line in made_by.read_text().splitlines()):
        return False
    query = [VENV / "bin" / "python", "-c", "import pip, sys; print(sys.version)"]
    try:
        return subprocess.run(query, capture_output=True, text=True).stdout == f"{sys.version}\n"
    except OSError:
        return False


def mend_cmake_paths() -> None:
    """The wheels' CMake files name the Python that built them; make them name this one."""
    python = VENV / "bin" / "python"
    query = "import numpy, sysconfig; print(sysconfig.get_paths()['include']); print(numpy.get_include())"
    python_include, numpy_include = subprocess.check_output([python, "-c", query], text=True).splitlines()
    numpy_path = re.compile(r"/opt/python/[^/]+/lib/python[\d.]+/site-packages/numpy/(_core|core)/include")
    include_path = re.compile(r"/opt/python/[^/]+/include/python[\d.]+")
    for file in (VENV / "share").rglob("*.cmake"):
        text = file.read_text()
        mended = include_path.sub(python_include, numpy_path.sub(numpy_include, text))
        if mended != text:
            file.write_text(mended)


def built_files() -> list[Path]:
    """What the build reads. Of our Python files only the executables: the others are linked to the source tree."""
    folders = [UNDERLAY / name for name in PACKAGES]
    folders += [ROOT / name for name in ("msg", "launch", "config", "da3_ros/weights")]
    executables = [ROOT / "da3_ros" / name for name in EXECUTABLES]
    files = [ROOT / "CMakeLists.txt", ROOT / "package.xml", *executables]
    files += [file for folder in folders for file in folder.rglob("*")]
    return sorted(file for file in files if file.is_file() and "__pycache__" not in file.parts)


def linked_source() -> Path:
    """A folder of links to our package: CMake refuses to export numpy's path from `.venv` below the source folder."""
    folder = BUILD / "source" / "da3_ros"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("CMakeLists.txt", "package.xml", "msg", "launch", "config", "da3_ros", "test"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def forget_other_place() -> None:
    """Remove what was built before the checkout was moved or copied: it names the other place throughout."""
    link = BUILD / "source" / "da3_ros" / "package.xml"
    if link.is_symlink() and link.readlink() != ROOT / "package.xml":
        for folder in (BUILD, INSTALL):
            shutil.rmtree(folder, ignore_errors=True)


def build_packages() -> None:
    """`colcon build` of the underlay and of da3_ros, with Python files linked to their sources."""
    forget_other_place()
    paths = [linked_source(), *(UNDERLAY / name for name in PACKAGES)]
    variables = environment()
    variables["PYTHONPATH"] = ""  # not what an earlier build left in install/
    variables["AMENT_PREFIX_PATH"] = variables["CMAKE_PREFIX_PATH"] = str(VENV)
    options: dict[str, list[object]] = {"--base-paths": [*paths], "--build-base": [BUILD], "--install-base": [INSTALL]}
    options["--event-handlers"] = ["console_stderr-", "console_direct-"]
    options["--cmake-args"] = ["-DBUILD_TESTING=OFF", "-Wno-unused-cli", "-DCMAKE_POLICY_VERSION_MINIMUM=3.5"]
    options["--cmake-args"] += [f"-DPython3_EXECUTABLE={VENV / 'bin' / 'python'}"]
    command: list[object] = ["colcon", "--log-level", "error", "--log-base", BUILD / "log", "build"]
    command += ["--merge-install", "--symlink-install"]
    command += [word for name, values in options.items() for word in (name, *values)]
    run(command, f"the build failed: its output is in {BUILD.relative_to(ROOT)}/log/latest_build", variables)


def ros_variables() -> dict[str, str]:
    """What a process needs to find the wheels, the built packages and our sources, and no other ROS."""
    site = next(iter(sorted((VENV / "lib").glob("python3.*/site-packages"))), VENV)
    built = INSTALL / "lib" / site.parent.name / "site-packages"
    libraries = [INSTALL / "lib", VENV / "lib", *sorted(site.glob("ros_*.libs"))]
    prefixes = os.pathsep.join(map(str, (INSTALL, VENV)))
    profile = str(ROOT / "config" / "fastdds.xml")
    return {
        "AMENT_PREFIX_PATH": prefixes,
        "CMAKE_PREFIX_PATH": prefixes,
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, built))),
        "RMW_IMPLEMENTATION": "rmw_fastrtps_cpp",
        "FASTRTPS_DEFAULT_PROFILES_FILE": os.environ.get("FASTRTPS_DEFAULT_PROFILES_FILE", profile),
    }


def environment() -> dict[str, str]:
    """This process's variables with ours over them."""
    path = os.pathsep.join((str(VENV / "bin"), os.environ.get("PATH", "")))
    hidden = ("ROS_DISTRO", "ROS_VERSION", "COLCON_PREFIX_PATH")
    inherited = {name: value for name, value in os.environ.items() if name not in hidden}
    return {**inherited, **ros_variables(), "PATH": path, "VIRTUAL_ENV": str(VENV)}


def run(command: list[object], failure: str, variables: dict[str, str] | None = None) -> None:
    """Run one command; on failure stop with the sentence given."""
    words = [str(word) for word in command]
    program = shutil.which(words[0], path=(variables or os.environ).get("PATH"))
    try:
        failed = program is None or subprocess.run([program, *words[1:]], cwd=ROOT, env=variables).returncode != 0
    except OSError as error:
        stop(f"{failure} ({program} could not be started: {error.strerror})")
    if failed:
        stop(failure)


if __name__ == "__main__":
    main()
