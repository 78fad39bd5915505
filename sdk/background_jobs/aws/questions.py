"""Questions to AWS whose refusal is an answer, too: what may not be asked, and what is not there."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeVar

from background_jobs.aws.clients import reaching_aws
from background_jobs.core.errors import ServiceUnreachable

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_T = TypeVar("_T")
_DENIED: Final = ("403", "Forbidden", "NotAuthorized", "UnauthorizedOperation")
_DENIED_BEGINS: Final = ("AccessDenied", "AuthorizationError")
_ABSENT: Final = ("404", "NotFound", "DoesNotExist", "NoSuch", "NonExistent")
_CREDENTIALS: Final = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)


class Refusal(NamedTuple):
    """Why there is no answer."""

    kind: Literal["denied", "absent", "unreachable", "credentials", "other"]
    message: str


def ask(question: Callable[[], _T]) -> _T | Refusal:
    """Return the answer to *question*, a call of AWS, or why there is none."""
    # Importing botocore takes as long as boto3 does.
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        return reaching_aws(question)()
    except ServiceUnreachable as unreachable:
        if isinstance(unreachable.__cause__, ClientError):
            return _refusal(unreachable.__cause__)
        return Refusal("unreachable", str(unreachable))
    except ClientError as refused:
        return _refusal(refused)
    # What botocore says of a region that is empty, and what json says of a manifest that is none.
    except (BotoCoreError, ValueError) as failed:
        return Refusal("other", str(failed))


def _refusal(refused: "ClientError") -> Refusal:
    error = refused.response.get("Error", {})
    code = str(error.get("Code", ""))
    return Refusal(_kind(code), f"{code}: {error.get('Message', '')}")


def _kind(code: str) -> Literal["denied", "absent", "credentials", "other"]:
    if code in _CREDENTIALS:
        return "credentials"
    if code in _DENIED or code.startswith(_DENIED_BEGINS):
        return "denied"
    return "absent" if any(part in code for part in _ABSENT) else "other"
