"""Protection of a task of an ECS service from being stopped by a deployment, or where fewer are wanted."""

import json
import urllib.request
from typing import Final

_PATH: Final = "/task-protection/v1/state"
_TIMEOUT_SECONDS: Final = 5
MINUTES: Final = 60
"""How long a protection lasts, unless it is renewed."""


class TaskProtection:
    """The protection of the task in which this process is, by the agent of ECS at *agent_uri*.

    Source: Amazon ECS Developer Guide, "Amazon ECS task scale-in protection endpoint".
    """

    def __init__(self, agent_uri: str) -> None:
        self._agent_uri = agent_uri

    def begin(self) -> None:
        """Protect the task for MINUTES from now. Raises OSError."""
        self._put({"ProtectionEnabled": True, "ExpiresInMinutes": MINUTES})

    def end(self) -> None:
        """Protect it no longer. Raises OSError."""
        self._put({"ProtectionEnabled": False})

    def _put(self, state: dict[str, object]) -> None:
        if not self._agent_uri.startswith("http://"):
            return
        request = urllib.request.Request(  # noqa: S310 -- its scheme is known
            self._agent_uri + _PATH,
            json.dumps(state).encode(),
            {"Content-Type": "application/json"},
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS):  # noqa: S310 -- the same
            pass
