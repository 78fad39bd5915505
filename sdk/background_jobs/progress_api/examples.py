"""Examples of request bodies, by operation: in the OpenAPI document, and on its page."""

from typing import Any, Final

_RERUNS: Final = {
    "the failures": {"value": {"only": "failed"}},
    "some instances, with other params": {
        "value": {"indices": "0-99,250", "params_patch": {"dry_run": False}}
    },
}
BODIES: Final[dict[str, dict[str, Any]]] = {
    "kick_off_job": {
        "two instances": {
            "value": {
                "job_name": "process_batch",
                "params": [{"batch": "a"}, {"batch": "b"}],
                "key": "nightly-2026-11-23",
                "tags": {"customer": "acme"},
            }
        },
        "a pipeline": {
            "value": {
                "job_name": "process_batch",
                "params": [{"batch": "a"}],
                "parallelism": 100,
                "then": {"job_name": "report", "params": "results"},
            }
        },
    },
    "cancel_orchestration": {"with a reason": {"value": {"reason": "wrong month"}}},
    "cancel_pipeline": {"with a reason": {"value": {"reason": "wrong month"}}},
    "rerun_orchestration": _RERUNS,
    "preview_rerun": _RERUNS,
    "define_schedule": {
        "every night": {
            "value": {
                "job_name": "process_batch",
                "params": [{"batch": "all"}],
                "cron": "0 3 * * *",
                "timezone": "Europe/Berlin",
            }
        }
    },
    "preview_kick_off": {"two instances": {"value": {"params": [{"batch": "a"}, {"batch": "b"}]}}},
    "run_schedule_now": {"beside a run in progress": {"value": {"force": True}}},
    "backfill_schedule": {
        "a week": {"value": {"from": "2026-11-16T00:00:00Z", "to": "2026-11-23T00:00:00Z"}},
    },
}
