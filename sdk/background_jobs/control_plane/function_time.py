"""How much time a Lambda function has left, so that what waits gives up before it is ended."""

from typing import Final, Protocol

_RESERVE_SECONDS: Final = 15
"""For the call that is under way, and for the answer."""


class FunctionContext(Protocol):
    """What we use of the context that Lambda hands to a function."""

    def get_remaining_time_in_millis(self) -> int:
        """Return after how many milliseconds Lambda ends the call."""


def is_nearly_over(context: FunctionContext) -> bool:
    """Tell whether the function must end soon."""
    return context.get_remaining_time_in_millis() < 1000 * _RESERVE_SECONDS
