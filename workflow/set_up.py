"""Makes .venv from the locks: `set_up.py run` (what a run needs), `dev` (tests and notebooks too) or `lock`.

Standard library only: it is run by whatever Python the machine has, before anything is installed. A finished
step leaves a stamp with the digest of what it was made from, so an interrupted set-up is seen as such.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
# The larger set holds the smaller in the same versions: an environment made for tests serves runs as well.
LOCKS = {"run": ["requirements.lock", "requirements-dev.lock"], "dev": ["requirements-dev.lock"]}


def main(arguments: Sequence[str]) -> int:
    """Carry out one command and turn a failed step into a message with its remedy."""
    commands = {"run": lambda: install("run"), "dev": lambda: install("dev"), "lock": lock}
    if len(arguments) != 1 or arguments[0] not in commands:
        print(f"usage: set_up.py {'|'.join(commands)}", file=sys.stderr)
        return 2
    try:
        commands[arguments[0]]()
    except subprocess.CalledProcessError as error:
        print(f"set-up: this step failed: {' '.join(map(str, error.cmd))}", file=sys.stderr)
        print(
            "set-up: its own words stand above; after the network or the disk is mended, make again",
            file=sys.stderr,
        )
        return 1
    return 0


def install(kind: str) -> None:
    """Bring .venv to the locked packages of `run` or `dev` and to this project, unless it holds them."""
    if ready(kind):
        return
    with alone():
        if ready(kind):
            return
        started = time.monotonic()
        if not stamped("made", machine()):
            build()
        if not any(stamped(name, locked(name)) for name in LOCKS[kind]):
            fill(LOCKS[kind][0])
        # No build isolation and no network: the build backend is among the locked packages.
        shape = ["--quiet", "--offline", "--reinstall", "--no-deps", "--no-build-isolation"]
        uv("pip", "install", *shape, "--editable", ".")
        stamp("project", project())
        print(f"set-up: done in {time.monotonic() - started:.0f} s", flush=True)


def ready(kind: str) -> bool:
    """Whether .venv holds what `kind` needs, as the locks say now."""
    packages = any(stamped(name, locked(name)) for name in LOCKS[kind])
    return packages and stamped("made", machine()) and stamped("project", project())


@contextmanager
def alone() -> Iterator[None]:
    """Hold the set-up lock, so that two makes at once take turns."""
    with (ROOT / ".venv.lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("set-up: another make is setting up .venv; waiting for it", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def build() -> None:
    """Make an empty .venv with the locked installer, over whatever half-made one is there."""
    print("set-up: making .venv", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    # The base interpreter: this script may itself be run by the environment that was just removed.
    subprocess.run([getattr(sys, "_base_executable", sys.executable), "-m", "venv", VENV], check=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pin:
        pin.write(pinned("uv"))
        pin.flush()
        quiet = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"]
        subprocess.run([VENV / "bin/python", "-m", "pip", "install", *quiet, "-r", pin.name], check=True)
    stamp("made", machine())


def fill(name: str) -> None:
    """Install everything a lock pins."""
    print(f"set-up: installing the packages of {name}", flush=True)
    # Cut short, a package may be half there and look whole: then the whole environment is made again.
    for overtaken in ("made", *LOCKS["run"]):
        (VENV / "stamps" / overtaken).unlink(missing_ok=True)
    uv("pip", "install", "--quiet", "--require-hashes", "--compile-bytecode", "-r", name)
    stamp("made", machine())
    stamp(name, locked(name))


def pinned(package: str) -> str:
    """The lines of requirements.lock that pin one package, hashes included."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    found = re.search(rf"^{re.escape(package)}==.*(?:\n    .*)*", text, flags=re.MULTILINE)
    if found is None:
        raise SystemExit(f"set-up: requirements.lock pins no {package}; restore the file or run `make lock`")
    return found.group() + "\n"


def lock() -> None:
    """Resolve pyproject.toml anew and write both locks: hashes for every system, no addresses.

    `uv.lock` records where each package was fetched from, so it is made in passing and removed.
    """
    addresses = ROOT / "uv.lock"
    shape = ["--locked", "--no-emit-project", "--no-annotate", "--no-header", "--quiet"]
    try:
        uv("lock", "--upgrade")
        uv("export", *shape, "--output-file", "requirements.lock")
        uv("export", *shape, "--all-extras", "--output-file", "requirements-dev.lock")
    finally:
        addresses.unlink(missing_ok=True)


def uv(*arguments: str) -> None:
    """Run the locked uv in the project folder, on .venv and on no other Python."""
    environment = {"UV_HTTP_TIMEOUT": "120", "UV_PYTHON_DOWNLOADS": "never"} | os.environ
    environment |= {"VIRTUAL_ENV": str(VENV), "UV_PROJECT_ENVIRONMENT": str(VENV)}
    subprocess.run([VENV / "bin/uv", *arguments], cwd=ROOT, env=environment, check=True)


def machine() -> str:
    """What an environment is tied to besides its packages: its place and its interpreter."""
    python = VENV / "bin/python"
    return f"{VENV} {python.resolve() if python.exists() else 'missing'} {digest(pinned('uv').encode())}"


def locked(name: str) -> str:
    """The digest of a lock."""
    return digest((ROOT / name).read_bytes())


def project() -> str:
    """The digest of what an editable installation copies: the package's metadata."""
    return digest((ROOT / "pyproject.toml").read_bytes())


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def stamped(name: str, content: str) -> bool:
    """Whether the step was finished with this content."""
    path = VENV / "stamps" / name
    return path.is_file() and path.read_text(encoding="utf-8") == content


def stamp(name: str, content: str) -> None:
    """Record a finished step, all or nothing."""
    path = VENV / "stamps" / name
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(content, encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
