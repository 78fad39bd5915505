"""The exit statuses of commands; docs/cli.md says what scripts may conclude from each."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """How a command ended. `local run` alone has others: those of the command that it runs."""

    ERRORED = 1
    """An instance errored, or was cancelled; nothing else has this status."""
    REFUSED = 2
    """The arguments are wrong, or what was asked for does not exist or was refused."""
    FAILED = 3
    """AWS, the network or this machine failed, or what is to be read has expired."""
    FOUND = 4
    """The command did its work, and found that something is not as it should be."""
    TIMED_OUT = 124
    """As timeout(1) has it."""
    INTERRUPTED = 130
    """As shells have it: 128 and the number of SIGINT."""
    PIPE_CLOSED = 141
    """The same with SIGPIPE: whoever read the output has closed it, as `head` does."""
