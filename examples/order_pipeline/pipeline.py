"""Kicks off three stages that chain by completion events; a rule hands the last completion to a function."""

import argparse
import json
import uuid

from other_service import Shipping

from background_jobs import JobCompletedEvent, OrchestrationService, Stage


def main() -> None:
    """Run the pipeline over as many days as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    options = parser.parse_args()
    customer = f"acme-{uuid.uuid4()}"
    pattern = JobCompletedEvent.pattern(job_name="invoice", outcome="Completed", tags={"customer": customer})
    with Shipping(pattern) as shipping:
        first = OrchestrationService().kick_off_job(
            "extract",
            [{"day": day} for day in range(options.days)],
            tags={"customer": customer},  # travel with every stage and event
            then=Stage("price", params="results", then=Stage("invoice", params="results")),
        )
        pipeline = first.pipeline()
        pipeline.wait(timeout=300)
        stages = [stage.orchestration for stage in pipeline.stages() if stage.orchestration]
        for number, stage in enumerate(stages, start=1):
            print(f"{number}. {stage.job_name}: {stage.summary().completed} completed")
        shipment = shipping.wait_for(stages[-1].id, timeout=60)
    print(f"shipped to {shipment['customer'][:4]}: {json.dumps(shipment['parcels'])} parcels")


if __name__ == "__main__":
    main()
