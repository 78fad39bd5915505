"""Containers in Docker: each is a `docker run` of the team's image, as a child process."""

import ipaddress
import json
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from background_jobs.core.containers.variables import ORCHESTRATION_ID
from background_jobs.core.job_descriptions import JobDescription
from background_jobs.local_stack.docker_containers import STACK_LABEL
from background_jobs.local_stack.jobs_image import CLIENT_VARIABLES, docker, env_options, hand_on
from background_jobs.local_stack.launchers import ChildProcess, inherit, start_command
from background_jobs.local_stack.server_messages import JobsByService

ORCHESTRATION_LABEL: Final = "background-jobs.orchestration"
"""The label that selects the containers of an orchestration."""

_HOST: Final = "host.docker.internal"


class DockerLauncher:
    """Runs every container from *image*, as its task definition says."""

    host: Final = _HOST

    def __init__(self, image: str, stack_id: str, memory_mib: int | None = None) -> None:
        self._image = image
        self._stack_id = stack_id
        self._memory = f"{memory_mib}m" if memory_mib else None

    def prepare(self, shared: Mapping[str, str]) -> None:
        """Do nothing."""

    def find_jobs(self) -> JobsByService:
        """Return nothing: nothing is loaded beforehand."""
        return {}

    def reload_jobs(self, service: str) -> Sequence[JobDescription] | None:
        """Return None: an image stays as it is."""
        del service
        return None

    def start(
        self, name: str, variables: Mapping[str, str], options: Mapping[str, object], log: Path
    ) -> "subprocess.Popen[bytes]":
        """Start the client that runs a container, and ends with it."""
        command = self._command(name, variables, options)
        return start_command(command, hand_on(inherit(*CLIENT_VARIABLES), variables), log)

    def _command(
        self, name: str, variables: Mapping[str, str], options: Mapping[str, object]
    ) -> Sequence[str]:
        """Return the command of a container; it takes the values of *variables* from its own."""
        memory = self._memory or options["mem_limit"]
        labels = {
            STACK_LABEL: self._stack_id,
            ORCHESTRATION_LABEL: variables.get(ORCHESTRATION_ID, ""),
        }
        return [
            "docker",
            "run",
            "--rm",
            f"--name={name}",
            f"--add-host={_HOST}:host-gateway",
            f"--memory={memory}",
            # Fargate has no swap.
            f"--memory-swap={memory}",
            *(["--read-only"] if options["read_only"] else []),
            *(f"--label={label}={value}" for label, value in labels.items()),
            *env_options(variables),
            self._image,
        ]

    def signal(self, process: ChildProcess, name: str, number: int) -> None:
        """Send a signal to the container; one that has ended is left alone."""
        # A client that was itself killed may have left its container running.
        if process.returncode is None or process.returncode < 0:
            docker("kill", f"--signal={signal.Signals(number).name}", name)


def bridge_address() -> str | None:
    """Return the address at which containers reach this machine; None if the engine has no bridge.

    On Docker Desktop this machine does not have that address, and containers reach the loopback.
    """
    inspected = docker("network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}")
    for network in json.loads(inspected.stdout or "null") or ():
        subnet = ipaddress.ip_network(network["Subnet"])
        if isinstance(subnet, ipaddress.IPv4Network):
            return str(network.get("Gateway") or subnet[1])
    return None
