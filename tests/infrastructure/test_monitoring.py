"""Alarms, whom they notify, and their sections of the runbook."""

import json
import re
from typing import Any, Final

import pytest

from background_jobs.cdk.environment_loading import load_environment
from background_jobs.cdk.node import use_bundled_node
from background_jobs.cdk.synthesis import add_stack
from background_jobs.core.containers.warm import WarmWorkers
from background_jobs.core.metrics import FEED_LAG_FIELD, METRIC_SERVICE, Metric, metric_namespace
from tests.checkout import REPOSITORY
from tests.infrastructure.conftest import Synthesize, Template, of_type, resolved, text_of
from tests.infrastructure.policies import Request, lets, listed

RUNBOOK: Final = (REPOSITORY / "docs" / "runbook.md").read_text()


OF_WARM_WORKERS: Final = {
    Metric.WARM_WORKERS,
    Metric.WARM_WORKERS_BUSY,
    Metric.SHARES_OFFERED,
    Metric.OFFERS_NOT_TAKEN,
}


@pytest.fixture
def warm_template(synthesized: Synthesize) -> Template:
    environment = load_environment("prod")
    services = tuple(
        service.model_copy(update={"warm": WarmWorkers(count=2)}) for service in environment.services
    )
    return synthesized(environment.model_copy(update={"services": services}))


def alarms(template: Template) -> list[dict[str, Any]]:
    return of_type(template, "AWS::CloudWatch::Alarm")


def anchors(document: str) -> set[str]:
    headings = re.findall(r"^## (.+)$", document, flags=re.MULTILINE)
    return {re.sub(r"[^a-z0-9-]", "", heading.lower().replace(" ", "-")) for heading in headings}


def test_every_alarm_leads_to_its_answer_in_the_runbook(warm_template: Template) -> None:
    led = [
        re.search(r"docs/runbook\.md#([\w-]+)$", alarm["AlarmDescription"]) for alarm in alarms(warm_template)
    ]
    assert all(led)
    assert {found[1] for found in led if found} == anchors(RUNBOOK)


def test_missing_data_raises_no_alarm(template: Template) -> None:
    assert {alarm["TreatMissingData"] for alarm in alarms(template)} == {"notBreaching"}


def test_alarms_use_our_metrics_under_the_names_that_are_emitted(template: Template) -> None:
    (function,) = [
        f["Environment"]["Variables"]
        for f in of_type(template, "AWS::Lambda::Function")
        if f["Handler"] == "aggregate_jobs.handler.handler"
    ]
    assert function["POWERTOOLS_METRICS_NAMESPACE"] == metric_namespace("prod")
    assert function["POWERTOOLS_SERVICE_NAME"] == METRIC_SERVICE
    (stalled,) = [a for a in alarms(template) if a.get("MetricName") == Metric.ORCHESTRATIONS_STALLED]
    assert stalled["Namespace"] == metric_namespace("prod")
    assert stalled["Dimensions"] == [{"Name": "service", "Value": METRIC_SERVICE}]


def test_what_is_counted_from_logs_has_its_filter(template: Template) -> None:
    from background_jobs.cdk.metrics import COUNTED_FROM_LOGS

    filters = of_type(template, "AWS::Logs::MetricFilter")
    counted = {f["MetricTransformations"][0]["MetricName"]: f for f in filters}
    assert counted.keys() == COUNTED_FROM_LOGS - OF_WARM_WORKERS
    lag = counted[Metric.FEED_LAG]
    assert lag["MetricTransformations"][0]["MetricValue"] == f"$.{FEED_LAG_FIELD}"
    assert text_of(lag["LogGroupName"]).startswith("FunctionsProgressApiLog")
    assert text_of(counted[Metric.LAUNCHES_REFUSED]["LogGroupName"]).startswith("ControlPlaneFanOut")


def test_the_dashboard_shows_every_metric_of_ours(template: Template) -> None:
    (dashboard,) = of_type(template, "AWS::CloudWatch::Dashboard")
    body = text_of(dashboard["DashboardBody"])
    shown = {
        part for widget in json.loads(body)["widgets"] for part in re.findall(r"\w+", json.dumps(widget))
    }
    assert set(Metric) - OF_WARM_WORKERS <= shown
    assert not OF_WARM_WORKERS & shown


def test_warm_workers_that_take_nothing_are_heard_of(template: Template, warm_template: Template) -> None:
    # given that shares wait for ten seconds in vain where workers do not take them
    (alarm,) = [one for one in alarms(warm_template) if "offers-not-taken" in one["AlarmDescription"]]
    (offered,) = [
        metric["MetricStat"]["Metric"]
        for metric in alarm["Metrics"]
        if metric.get("MetricStat", {}).get("Metric", {}).get("MetricName") == Metric.SHARES_OFFERED
    ]
    assert offered["Namespace"] == metric_namespace("prod")
    assert (alarm["Threshold"], alarm["EvaluationPeriods"]) == (0.5, 1)
    # then what is counted is what Step Functions logs of them
    filters = of_type(warm_template, "AWS::Logs::MetricFilter")
    (counted,) = [
        one for one in filters if one["MetricTransformations"][0]["MetricName"] == Metric.OFFERS_NOT_TAKEN
    ]
    assert "States.HeartbeatTimeout" in counted["FilterPattern"]
    assert text_of(counted["LogGroupName"]).startswith("ControlPlaneFanOut")
    # and the dashboard shows them; without such workers there is nothing of it
    (dashboard,) = of_type(warm_template, "AWS::CloudWatch::Dashboard")
    assert set(Metric) <= set(re.findall(r"\w+", text_of(dashboard["DashboardBody"])))
    assert not [one for one in alarms(template) if "offers-not-taken" in one["AlarmDescription"]]


@pytest.mark.parametrize("notify", ["ops@example.com", "arn:aws:sns:eu-central-1:123456789012:ops"])
def test_alarms_notify_the_configured_address(synthesized: Synthesize, notify: str) -> None:
    template = synthesized(load_environment("prod").model_copy(update={"notify": notify}))
    actions = {text_of(action) for alarm in alarms(template) for action in alarm["AlarmActions"]}
    subscriptions = of_type(template, "AWS::SNS::Subscription")
    if notify.startswith("arn:"):
        assert (actions, subscriptions) == ({notify}, [])
    else:
        assert len(actions) == 1
        assert [(subscription["Protocol"], subscription["Endpoint"]) for subscription in subscriptions] == [
            ("email", notify)
        ]


def test_whoever_follows_the_stream_is_watched_for_falling_behind_and_for_failing(template: Template) -> None:
    # given functions that tell Lambda which records failed, so that none counts as an error of theirs
    mappings = of_type(template, "AWS::Lambda::EventSourceMapping")
    followers = {text_of(mapping["FunctionName"]) for mapping in mappings}
    assert {tuple(mapping["FunctionResponseTypes"]) for mapping in mappings} == {("ReportBatchItemFailures",)}

    # then an alarm rings for each that is given old records, and for records that any of them did not take
    old = [alarm for alarm in alarms(template) if alarm.get("MetricName") == "IteratorAge"]
    assert {text_of(alarm["Dimensions"][0]["Value"]) for alarm in old} == followers
    (failing,) = [alarm for alarm in alarms(template) if alarm.get("MetricName") == Metric.RECORDS_FAILED]
    assert failing["Namespace"] == metric_namespace("prod")

    # and within ten minutes
    for alarm in (*old, failing):
        assert alarm["Period"] * alarm["EvaluationPeriods"] <= 600


def test_a_launch_that_is_given_up_is_heard_of_within_minutes(template: Template) -> None:
    # given that what does not mend itself is given up long before launches were refused for half an hour
    (given_up,) = [
        alarm for alarm in alarms(template) if alarm.get("MetricName") == Metric.INSTANCES_NOT_LAUNCHED
    ]
    assert given_up["Dimensions"] == [{"Name": "service", "Value": METRIC_SERVICE}]
    assert (given_up["Statistic"], given_up["Threshold"]) == ("Sum", 1)
    assert given_up["Period"] * given_up["EvaluationPeriods"] <= 300


def policy_of_topic(template: Template, topic: str) -> list[dict[str, Any]]:
    """Return the statements that SNS holds publishers to, with the names of resources for their ARNs."""
    return [
        {
            **statement,
            "Resource": [text_of(resource) for resource in listed(statement["Resource"])],
            "Condition": resolved(statement),
        }
        for policy in of_type(template, "AWS::SNS::TopicPolicy")
        if topic in [text_of(name) for name in policy["Topics"]]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


@pytest.mark.parametrize("customer_key", [False, True])
def test_the_topic_of_an_alarm_lets_cloudwatch_of_this_account_publish_and_nobody_else(
    synthesized: Synthesize, *, customer_key: bool
) -> None:
    # given an environment that mails its alarms
    config = load_environment("prod").model_copy(
        update={"notify": "ops@example.com", "customer_key": customer_key}
    )
    template = synthesized(config)
    # when each alarm is followed to its topic, and the topic to its policy
    topics = {text_of(action) for alarm in alarms(template) for action in alarm["AlarmActions"]}
    (topic,) = topics
    policy = policy_of_topic(template, topic)
    here = {"aws:SourceAccount": ["AWS::AccountId"], "aws:SecureTransport": ["true"]}

    def may(principal: str, **context: list[str]) -> bool:
        return lets(policy, principal, Request("sns:Publish", topic, here | context))

    # then CloudWatch may publish, in a policy that replaces SNS's own
    assert may("cloudwatch.amazonaws.com")
    assert not may("s3.amazonaws.com")
    assert not may("cloudwatch.amazonaws.com", **{"aws:SourceAccount": ["210987654321"]})
    assert not may("cloudwatch.amazonaws.com", **{"aws:SecureTransport": ["false"]})
    # and no key stands in its way, for CloudWatch may not use those of AWS
    assert all("KmsMasterKeyId" not in made for made in of_type(template, "AWS::SNS::Topic"))


def test_what_the_policy_of_a_topic_that_is_handed_in_needs_is_said_while_synthesizing() -> None:
    use_bundled_node()
    from aws_cdk import App
    from aws_cdk.assertions import Annotations, Match

    topic = "arn:aws:sns:eu-central-1:123456789012:ops"
    config = load_environment("local").model_copy(update={"notify": topic, "monitored": True})
    stack = add_stack(App(analytics_reporting=False), config)
    said = Annotations.from_stack(stack).find_info("*", Match.any_value())
    (needs,) = [str(info.entry.data) for info in said if topic in str(info.entry.data)]
    assert "sns:Publish to cloudwatch.amazonaws.com" in needs


def test_monitoring_can_be_left_out(synthesized: Synthesize) -> None:
    template = synthesized(load_environment("local"))
    assert alarms(template) == of_type(template, "AWS::CloudWatch::Dashboard") == []


def test_requests_executions_and_functions_are_traced(template: Template) -> None:
    functions = of_type(template, "AWS::Lambda::Function")
    assert {function["TracingConfig"]["Mode"] for function in functions} == {"Active"}
    (machine,) = of_type(template, "AWS::StepFunctions::StateMachine")
    assert machine["TracingConfiguration"] == {"Enabled": True}
    (api,) = of_type(template, "AWS::ApiGateway::Stage")
    assert api["TracingEnabled"] is True
