"""What API Gateway answers by itself, in the shape of the API's own refusals: problem details (RFC 9457)."""

import json
import re
from typing import Final, NamedTuple

from aws_cdk import aws_apigateway as apigateway

_MEDIA_TYPE: Final = "application/problem+json"


class _Answer(NamedTuple):
    status: int
    error: str
    detail: str


_SIGN: Final = "Sign the request (SigV4), or send a token of the user pool, as openapi.json says."
_AGAIN: Final = "Send the request again; if it stays so, look into the log of the function of the API."
_ANSWERS: Final = {
    "UNAUTHORIZED": _Answer(401, "AuthenticationRequired", f"The token is missing or has expired. {_SIGN}"),
    "MISSING_AUTHENTICATION_TOKEN": _Answer(403, "AuthenticationRequired", _SIGN),
    "INVALID_SIGNATURE": _Answer(403, "AuthenticationRequired", f"The signature is not valid. {_SIGN}"),
    "EXPIRED_TOKEN": _Answer(403, "AuthenticationRequired", f"The credentials have expired. {_SIGN}"),
    "ACCESS_DENIED": _Answer(
        403, "AccessDenied", "The caller may not do this. Ask for the policy of callers, or for the scope."
    ),
    "WAF_FILTERED": _Answer(403, "AccessDenied", "A firewall refuses the request. Ask who runs it."),
    "REQUEST_TOO_LARGE": _Answer(
        413,
        "RequestTooLarge",
        "The body is too large. Kick off with the SDK, which takes more.",
    ),
    "UNSUPPORTED_MEDIA_TYPE": _Answer(415, "UnsupportedMediaType", "Send JSON, as application/json."),
    "THROTTLED": _Answer(429, "TooManyRequests", "There are too many requests. Send it again in a second."),
    "QUOTA_EXCEEDED": _Answer(429, "TooManyRequests", "The quota is used up. Send it again later."),
    "INTEGRATION_FAILURE": _Answer(504, "ApiUnreachable", f"The API did not answer. {_AGAIN}"),
    "INTEGRATION_TIMEOUT": _Answer(504, "ApiUnreachable", f"The API did not answer in time. {_AGAIN}"),
    # The statuses of what is left differ, and a template cannot name them: there is one for each of the two.
    "DEFAULT_4_XX": _Answer(400, "BadRequest", "API Gateway cannot read the request. See openapi.json."),
    "DEFAULT_5_XX": _Answer(500, "InternalServerError", f"API Gateway failed. {_AGAIN}"),
}


def answer_with_problems(api: apigateway.RestApi, *, to_other_sites: bool) -> None:
    """Let *api* answer with problems; *to_other_sites*, also pages of other sites can read them."""
    headers = {"Content-Type": f"'{_MEDIA_TYPE}'"}
    if to_other_sites:
        # It cannot name the one of several that asks; nothing but the problem can be read.
        headers["Access-Control-Allow-Origin"] = "'*'"
    for name, answer in _ANSWERS.items():
        api.add_gateway_response(
            f"{name.title().replace('_', '')}Problem",
            type=getattr(apigateway.ResponseType, name),
            status_code=str(answer.status),
            response_headers=headers,
            templates={"application/json": json.dumps(_problem(answer))},
        )


def _problem(answer: _Answer) -> dict[str, str | int]:
    return {
        "type": f"urn:background-jobs:problem:{answer.error}",
        "title": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", answer.error).capitalize(),
        "status": answer.status,
        "detail": answer.detail,
        "error": answer.error,
    }
