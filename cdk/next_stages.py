"""The next stage after a completed orchestration, as its kick-off or a rule of the stack asks for it."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from background_jobs.cdk.rule_targets import function_target
from background_jobs.core.completion import JobCompletedEvent, OrchestrationOutcome
from background_jobs.core.invocations import StartStage
from background_jobs.core.stages import Stage, refuse_endless


class NextStages(Construct):
    """Rules on the bus that start stages."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        bus: events.IEventBus,
        kick_off_job: lambda_.IFunction,
        failures: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self._bus = bus
        self._kick_off_job = kick_off_job
        self._failures = failures
        pattern = JobCompletedEvent.pattern() | {"detail": {"stages_left": [{"numeric": [">", 0]}]}}
        self._rule("NextStage", pattern, function_target(kick_off_job, failures))

    def on_job_completed(
        self,
        construct_id: str,
        target: events.IRuleTarget,
        *,
        job_name: str | None = None,
        outcome: OrchestrationOutcome | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> events.Rule:
        """Add a rule that tells *target* of completions: all, or those of a job, an outcome, or tags."""
        pattern = JobCompletedEvent.pattern(job_name=job_name, outcome=outcome, tags=tags)
        return self._rule(construct_id, pattern, target)

    def start_after(
        self,
        construct_id: str,
        *,
        job_name: str,
        stage: Stage,
        outcome: OrchestrationOutcome | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> events.Rule:
        """Add a rule that starts *stage* when an orchestration of *job_name* has completed.

        Raises ValueError if the stage is of the same job, for then it would follow itself for ever.
        """
        refuse_endless(construct_id, job_name, stage)
        invocation = StartStage(
            orchestration_id=events.EventField.from_path("$.detail.orchestration_id"),
            rule=construct_id,
            stage=stage,
        )
        target = function_target(
            self._kick_off_job,
            self._failures,
            event=events.RuleTargetInput.from_object(invocation.to_input()),
        )
        return self.on_job_completed(construct_id, target, job_name=job_name, outcome=outcome, tags=tags)

    def _rule(self, construct_id: str, pattern: Mapping[str, Any], target: events.IRuleTarget) -> events.Rule:
        return events.Rule(
            self,
            construct_id,
            event_bus=self._bus,
            event_pattern=events.EventPattern(
                source=pattern["source"], detail_type=pattern["detail-type"], detail=pattern.get("detail")
            ),
            targets=[target],
        )
