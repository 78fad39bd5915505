"""The topics that alarms and notifications are published to, in SNS."""

import json
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

    def publish(self, topic: str, *, subject: str, text: str, chat: str) -> None:
        """Publish *text* for mailboxes and queues, and *chat* for what subscribes by HTTPS, as chats do."""
        self._sns.publish(
            TopicArn=topic,
            Subject=subject,
            Message=json.dumps({"default": text, "https": chat}),
            MessageStructure="json",
        )
