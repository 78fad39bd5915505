"""The options with which the stack of a project is asked for, where one may be up with others."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel

from background_jobs.local_stack.mains import find_mains
from background_jobs.local_stack.stack_errors import LocalStackError


class StackDiffers(LocalStackError):
    """The stack of the project is up with other options than those that are asked for."""

    def __init__(self, project: Path, differences: Iterable[str]) -> None:
        self.project, self.differences = project, tuple(differences)
        super().__init__(
            f"The offline stack of {project} is up with other options: {'; '.join(self.differences)}. "
            "To use it as it is, leave them out. To change them, end it first, with what it runs and its "
            "history: background-jobs local down"
        )


class StackOptions(BaseModel):
    """The options of `background-jobs local up`, which are those of LocalStack."""

    jobs: str | None = None
    services: dict[str, str] = {}
    image: str | None = None
    containers: int | None = None
    memory_mib: int | None = None
    python: str | None = None
    env: dict[str, str] = {}
    notify: dict[str, str] = {}
    port: int = 0

    def find_commands(self) -> dict[str, list[str]]:
        """Return what runs each service, with the paths of files; nothing where no option says it.

        Raises InvalidLocalStack, InvalidJobsMain or InvalidJobsImage.
        """
        if not (self.jobs or self.services or self.image or self.python):
            return {}
        mains = find_mains(
            self.jobs,
            self.services,
            image=self.image,
            python=self.python,
            memory_mib=self.memory_mib,
        )
        return {name: list(main.identity) for name, main in mains.items()}
