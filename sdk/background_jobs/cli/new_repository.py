"""The files of a new repository: those in ``repository/`` beside this module, and its locks."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib.metadata import distribution, version
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import unquote, urlsplit

from background_jobs.core.errors import BackgroundJobsError
from background_jobs.package_files import lock_file

_DISTRIBUTION: Final = "background-job-service"
_TEMPLATES: Final = Path(__file__).with_name("repository")
_FIND_LINKS: Final = "--find-links wheels\n"
_FROM_WHEEL: Final = (
    "`$wheel` is in `wheels/`, from where pip takes it on this machine, in CI and in the image; its hash is "
    "in `requirements.txt`. Keep it in the repository. Once an index of yours has it, delete it there, and "
    "tell pip of the index (`PIP_INDEX_URL`, in the image too)."
)
_FROM_ELSEWHERE: Final = (
    "No wheel was at hand when this was written. Put `background_job_service-$version-py3-none-any.whl` "
    "(`make wheel` in a checkout of the SDK writes it to `dist/`) into `wheels/`, or tell pip of an index of "
    "yours that has it (`PIP_INDEX_URL`, in the image too). Then lock, for `requirements.txt` has versions "
    "without hashes so far."
)


class FilesExist(BackgroundJobsError):
    """Files that would be written are there already."""

    def __init__(self, folder: str, files: Iterable[str]) -> None:
        self.folder, self.files = folder, tuple(files)
        super().__init__(
            f"{folder} has these files already: {', '.join(self.files)}. Nothing was written; name "
            "another folder, or move them away."
        )


class NotTheWheel(BackgroundJobsError):
    """A file is not the wheel of the SDK that runs here."""

    def __init__(self, file: str, expected: str) -> None:
        self.file, self.expected = file, expected
        super().__init__(
            f"{file} is not the wheel of the SDK that runs here, which is named {expected}. Name that one, "
            "or install the other and run `init` with it."
        )


def choose_wheel(named: Path | None) -> Path | None:
    """Return *named*, or else the wheel that this SDK was installed from, or one in ``wheels/`` here.

    Raises NotTheWheel.
    """
    expected = f"{_DISTRIBUTION.replace('-', '_')}-{version(_DISTRIBUTION)}-py3-none-any.whl"
    if named and named.name != expected:
        raise NotTheWheel(str(named), expected)
    places = [named] if named else [_installed_from(), Path("wheels", expected)]
    return next((path for path in places if path and path.name == expected and path.is_file()), None)


def _installed_from() -> Path | None:
    """Return the file or folder that pip or uv installed the SDK from; None if it was an index."""
    told = distribution(_DISTRIBUTION).read_text("direct_url.json")
    address = urlsplit(json.loads(told)["url"] if told else "")
    return Path(unquote(address.path)) if address.scheme == "file" else None


def new_repository(wheel: Path | None) -> Mapping[str, bytes]:
    """Return the files of a new repository by path; its image gets the SDK from *wheel*, or from an index."""
    files = {
        str(path.relative_to(_TEMPLATES)): path.read_bytes()
        for path in sorted(_TEMPLATES.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    source = _FROM_WHEEL if wheel else _FROM_ELSEWHERE
    said = Template(source).substitute(wheel=wheel and wheel.name, version=version(_DISTRIBUTION))
    files["README.md"] = Template(files["README.md"].decode()).substitute(source=said).encode()
    files |= {name: text.encode() for name, text in _requirements(wheel).items()}
    return files | ({f"wheels/{wheel.name}": wheel.read_bytes()} if wheel else {})


def _requirements(wheel: Path | None) -> dict[str, str]:
    own = f"=={version(_DISTRIBUTION)}"
    return {
        "requirements.in": (
            f"# What the image has; requirements.txt locks it.\n{_FIND_LINKS}{_DISTRIBUTION}{own}\n"
        ),
        "requirements.txt": (
            f"# Made of requirements.in; README.md says how.\n{_FIND_LINKS}{_locked(own, wheel)}"
        ),
        "requirements-dev.txt": (
            "# What this machine and CI have: the offline stack, the CDK, and tests.\n"
            f"{_FIND_LINKS}{_DISTRIBUTION}[cdk,local]{own}\npytest>=9\n"
        ),
    }


def _locked(own: str, wheel: Path | None) -> str:
    """Return the lock: with hashes where that of *wheel* is known, for pip wants all or none."""
    locked = lock_file("container").read_text()
    if wheel:
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        return f"{_DISTRIBUTION}{own} \\\n    --hash=sha256:{digest}\n{locked}"
    pins = [line.removesuffix(" \\") for line in locked.splitlines() if not line.startswith((" ", "#"))]
    return "\n".join([f"{_DISTRIBUTION}{own}", *pins, ""])


def write_new(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Write *files* into *folder*, and return their paths in it. Raises FilesExist."""
    if existing := [name for name in files if (folder / name).exists()]:
        raise FilesExist(str(folder.absolute()), existing)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return sorted(files)
