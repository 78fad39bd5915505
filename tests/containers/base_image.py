"""A base image made of this machine's own Python, for machines that reach no registry of images.

python tests/containers/base_image.py NAME

It holds what python:3.13-slim is used for by job_container/Dockerfile: Python with pip, the shared libraries
that they load, a shell, the certificates, and pip's configuration on this machine.
"""

import io
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pip
import pydantic_core

_VERSION: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
_PREFIX: Final = Path("usr/local")
_STDLIB: Final = _PREFIX / "lib" / _VERSION
_CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_CHANGES: Final = ("ENV PATH=/usr/local/bin:/usr/bin:/bin", f"ENV SSL_CERT_FILE={_CERTIFICATES}")
_LEFT_OUT: Final = re.compile(
    r"/(__pycache__|(site|dist)-packages|tests?|idlelib|tkinter|turtledemo|ensurepip|lib2to3|config-[^/]*)$"
    r"|/_tkinter\.[^/]*$"
)
_TEXTS: Final = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    # Without it, names that the engine puts into /etc/hosts are not looked for there.
    "etc/nsswitch.conf": "hosts: files dns\n",
}
_PIP_SETTINGS: Final = ("index-url", "extra-index-url", "trusted-host")


def build(name: str) -> None:
    """Make the image *name*. Raises subprocess.CalledProcessError."""
    changes = [word for change in _CHANGES for word in ("--change", change)]
    command = ["docker", "import", *changes, "-", name]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as files:
        _fill(files)
    subprocess.run(command, input=archive.getbuffer(), stdout=subprocess.DEVNULL, check=True, timeout=120)


def _fill(files: tarfile.TarFile) -> None:
    stdlib, python = Path(sysconfig.get_path("stdlib")), Path(sys.executable).resolve()
    shell = Path("/bin/sh").resolve()
    for source, target in (
        (stdlib, _STDLIB),
        (Path(pip.__file__).parent, _STDLIB / "pip"),
        (python, _PREFIX / "bin" / _VERSION),
        (shell, Path("bin/sh")),
        (_CERTIFICATES, _CERTIFICATES.relative_to("/")),
    ):
        files.add(source, str(target), filter=_wanted)
    wheel = Path(pydantic_core.__file__).parent
    loaded = [python, shell, *stdlib.glob("lib-dynload/*.so"), *wheel.glob("*.so")]
    for source, target in _libraries(loaded).items():
        files.add(source, str(target), filter=_wanted)
    for path, text in _TEXTS.items() | {("etc/pip.conf", _pip_configuration())}:
        member = _member(path, tarfile.REGTYPE, 0o644)
        member.size = len(text.encode())
        files.addfile(member, io.BytesIO(text.encode()))
    for alias in ("python", "python3"):
        link = _member(str(_PREFIX / "bin" / alias), tarfile.SYMTYPE, 0o777)
        link.linkname = _VERSION
        files.addfile(link)
    files.addfile(_member("tmp", tarfile.DIRTYPE, 0o1777))


def _member(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type, member.mode = kind, mode
    return member


def _wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if _LEFT_OUT.search(member.name):
        return None
    member.uid = member.gid = 0
    return member


def _libraries(binaries: Iterable[Path]) -> dict[Path, Path]:
    """Return the shared libraries that *binaries* load, and where in the image they are found."""
    linked = [binary for binary in binaries if not binary.name.startswith("_tkinter")]
    output = subprocess.run(["ldd", *linked], check=False, capture_output=True, text=True).stdout
    paths = {Path(path) for path in re.findall(r"(/\S+\.so\S*) \(0x", output)}
    system = next(path for path in paths if path.name == "libc.so.6").parent
    return {
        path.resolve(): (path if path.is_relative_to("/lib64") else system / path.name).relative_to("/")
        for path in paths
    }


def _pip_configuration() -> str:
    output = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    ).stdout
    found = re.findall(r"^(?:global|:env:)\.([a-z-]+)='(http[^']*|[^'/]*)'$", output, flags=re.MULTILINE)
    settings = [f"{name} = {value}" for name, value in found if name in _PIP_SETTINGS]
    return "\n".join(["[global]", f"cert = {_CERTIFICATES}", *settings, ""])


if __name__ == "__main__":
    build(sys.argv[1])
