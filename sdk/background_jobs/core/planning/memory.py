"""Containers that ran out of memory: the next size with which they are launched again."""

from pydantic import BaseModel, ConfigDict

from background_jobs.core.planning.fargate import MEMORY_MIB, TaskSize


class LaunchSize(BaseModel):
    """The size of the next launch in place of that of the task definition; as text, as ECS wants it."""

    model_config = ConfigDict(frozen=True)

    cpu: str
    memory_mib: str
    after_out_of_memory: str = "false"
    """Whether the launch before had less memory, and ran out of it."""

    @classmethod
    def larger(cls, size: TaskSize) -> "LaunchSize":
        """Return *size* for a launch after one that ran out of memory."""
        return cls(cpu=str(size.cpu), memory_mib=str(size.memory_mib), after_out_of_memory="true")

    def again(self) -> "LaunchSize":
        """Return the same for a launch after one that was lost for another reason."""
        return self.model_copy(update={"after_out_of_memory": "false"})


def next_size(cpu: int, memory_mib: int, most_mib: int) -> TaskSize | None:
    """Return the size of Fargate with twice the memory, or up to *most_mib*; None where there is none.

    It has no less CPU, and no more than that memory needs.

    >>> next_size(512, 3072, 8192)
    TaskSize(cpu=1024, memory_mib=6144, arm64=True, spot=False)
    >>> next_size(512, 3072, 3072) is None
    True
    """
    larger = sorted(
        (offered, size)
        for size, memory in MEMORY_MIB.items()
        for offered in memory
        if size >= cpu and memory_mib < offered <= most_mib
    )
    enough = [pair for pair in larger if pair[0] >= min(2 * memory_mib, most_mib)]
    if not larger:
        return None
    memory, size = enough[0] if enough else max(larger, key=lambda pair: (pair[0], -pair[1]))
    return TaskSize(cpu=size, memory_mib=memory)
