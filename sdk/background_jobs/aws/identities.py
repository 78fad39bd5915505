"""Whose the credentials are (STS), and what that identity may do (IAM's policy simulator)."""

from collections.abc import Sequence
from typing import Any

from background_jobs.core.doctor.consistency import Identity
from background_jobs.core.doctor.needs import Need


class Identities:
    """Answers about the caller."""

    def __init__(self, sts: Any, iam: Any) -> None:  # noqa: ANN401 -- their types are not installed
        self._sts = sts
        self._iam = iam

    def caller(self) -> Identity:
        """Return whose the credentials are; nobody needs a permission for this."""
        answer = self._sts.get_caller_identity()
        return Identity(answer["Arn"], answer["Account"], self._sts.meta.region_name)

    def principal(self, arn: str) -> str:
        """Return the ARN of the user or role behind *arn*, that of a session among them.

        A session's ARN leaves out the path of its role.
        """
        if ":assumed-role/" not in arn:
            return arn
        role: str = self._iam.get_role(RoleName=arn.split("/")[1])["Role"]["Arn"]
        return role

    def denied(self, principal: str, need: Need) -> Sequence[str]:
        """Return those actions of *need* that the policies of *principal* do not allow."""
        context = [
            {"ContextKeyName": key, "ContextKeyValues": list(values), "ContextKeyType": "stringList"}
            for key, values in need.context.items()
        ]
        answer = self._iam.simulate_principal_policy(
            PolicySourceArn=principal,
            ActionNames=list(need.actions),
            ResourceArns=[need.resource],
            ContextEntries=context,
        )
        results = answer["EvaluationResults"]
        return [result["EvalActionName"] for result in results if result["EvalDecision"] != "allowed"]
