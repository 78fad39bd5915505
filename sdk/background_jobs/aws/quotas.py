"""The quotas of the account, in Service Quotas."""

from typing import Any, Final

_FARGATE: Final = "fargate"


class Quotas:
    """The quotas of one account and region."""

    def __init__(self, service_quotas: Any) -> None:  # noqa: ANN401 -- its types are not installed
        self._service_quotas = service_quotas

    def of_fargate(self, code: str) -> float:
        """Return the value of a quota of Fargate: the account's, or AWS's default where it has none."""
        quota = {"ServiceCode": _FARGATE, "QuotaCode": code}
        try:
            answer = self._service_quotas.get_service_quota(**quota)
        except self._service_quotas.exceptions.NoSuchResourceException:
            answer = self._service_quotas.get_aws_default_service_quota(**quota)
        return float(answer["Quota"]["Value"])
