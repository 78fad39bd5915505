"""The topics that alarms publish to, in SNS."""

from typing import Any

from background_jobs.core.doctor.monitoring import SubscriptionFacts


class Topics:
    """The topics of one account and region."""

    def __init__(self, sns: Any) -> None:  # noqa: ANN401 -- its types are not installed
        self._sns = sns

    def subscriptions(self, topic: str) -> list[SubscriptionFacts]:
        """Return the subscriptions to *topic*, those among them that are not confirmed."""
        pages = self._sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        return [
            SubscriptionFacts(subscription["Endpoint"], subscription["SubscriptionArn"])
            for page in pages
            for subscription in page["Subscriptions"]
        ]
