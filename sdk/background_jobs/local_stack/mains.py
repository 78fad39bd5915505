"""What runs the jobs of each service of a stack: a Python file or module, or an image."""

import re
import sys
from collections.abc import Mapping

from background_jobs.core.bounds import SERVICE_NAME
from background_jobs.core.options import explain_service
from background_jobs.local_stack.jobs_image import JobsImage
from background_jobs.local_stack.jobs_main import JobsMain
from background_jobs.local_stack.stack_errors import InvalidLocalStack
from background_jobs.settings import DEFAULT_SERVICE

Mains = Mapping[str, JobsMain] | Mapping[str, JobsImage]
"""The main of each service; that of the default service, if there is one, is the first."""


def describe_services(files: Mapping[str, str]) -> str:
    """Return what runs the jobs of each service.

    >>> describe_services({"default": "jobs.py"}), describe_services({"default": "a.py", "billing": "b.py"})
    ('jobs.py', 'default=a.py, billing=b.py')
    """
    if tuple(files) == (DEFAULT_SERVICE,):
        return files[DEFAULT_SERVICE]
    return ", ".join(f"{name}={file}" for name, file in files.items())


def find_mains(
    jobs: str | None,
    services: Mapping[str, str],
    *,
    image: str | None,
    python: str | None,
    memory_mib: int | None,
) -> Mains:
    """Find what runs each service: *jobs* or *image* the default one, and *services* those that they name.

    Raises InvalidLocalStack, InvalidJobsMain or InvalidJobsImage.
    """
    if image is not None:
        if jobs is not None or python is not None or services:
            raise InvalidLocalStack(
                "--image brings its own jobs and Python: leave out --jobs, --service and --python."
            )
        return {DEFAULT_SERVICE: JobsImage.find(image)}
    if jobs is None and not services:
        raise InvalidLocalStack(
            "Say where the jobs are: --jobs FILE, or --service NAME=FILE for each of several services, or "
            "--image NAME to run them in Docker."
        )
    if memory_mib is not None:
        raise InvalidLocalStack("--memory needs --image: the memory of a process is not limited.")
    if jobs is not None and DEFAULT_SERVICE in services:
        raise InvalidLocalStack(
            f"--jobs {jobs} and --service {DEFAULT_SERVICE}={services[DEFAULT_SERVICE]} are both of the "
            "default service: leave one out."
        )
    for name in services:
        if not re.fullmatch(SERVICE_NAME, name):
            raise InvalidLocalStack(explain_service(name))
    options = {name: f"--service {name}={file}" for name, file in services.items()}
    files = dict(services)
    if jobs is not None:
        files[DEFAULT_SERVICE], options[DEFAULT_SERVICE] = jobs, f"--jobs {jobs}"
    return {
        name: JobsMain.find(files[name], python or sys.executable, options[name])
        for name in sorted(files, key=lambda name: name != DEFAULT_SERVICE)
    }
