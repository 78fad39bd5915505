"""Pages: every list that is read in parts has this shape, in the SDK, the API and the command line."""

from typing import Generic, TypeVar

from pydantic import BaseModel, Field

from background_jobs.core.errors import InvalidToken

_Item = TypeVar("_Item")
_TOKEN_DIGITS = 10
"""No list has more items than a number of as many digits."""


class Page(BaseModel, Generic[_Item]):
    """Some items of a list, in its order."""

    items: list[_Item]
    next_token: str | None = Field(
        default=None, description="Where the next page begins, to be sent back as it is; null at the end."
    )


def token_of(position: int | None) -> str | None:
    """Return the token of the page that begins at *position*; None if there is no next page.

    >>> token_of(500)
    '500'
    """
    return None if position is None else str(position)


def position_of(token: str | None) -> int:
    """Return where the page of *token* begins; 0 for the first page. Raises InvalidToken.

    >>> position_of("500"), position_of(None)
    (500, 0)
    """
    if token is None:
        return 0
    if not (token.isascii() and token.isdigit() and len(token) <= _TOKEN_DIGITS):
        raise InvalidToken(token)
    return int(token)
