"""The bounds of what the service takes, and the portions in which it calls AWS; each number once.

This module imports nothing, so that the command line can show the bounds without a wait. `core.bounds` has
the types that hold values to them.
"""

from typing import Final

DAY_SECONDS: Final = 86_400

# What a caller may ask for

JOB_NAME_CHARACTERS: Final = 80
SERVICE_NAME_CHARACTERS: Final = 40
KEY_CHARACTERS: Final = 256
CUSTOMER_BYTES: Final = 1_024
"""The bytes of the tag `customer`; the keys of DynamoDB's indexes have no more than 2,048."""
TAG_CHARACTERS: Final = 4_096
"""The characters of all tags of an orchestration, names and values together."""
CHANNELS: Final = 10
"""The channels that hear of one orchestration."""
CHANNEL_NAME_CHARACTERS: Final = 40
PARALLELISM: Final = 10_000
"""The containers of one orchestration: a Map Run of Step Functions has no more children at once."""
DEFAULT_PARALLELISM: Final = 100
"""The most containers of one orchestration where the environment does not say otherwise."""
CONCURRENCY: Final = 1_000
"""The instances that run at once in one container."""
TIMEOUT_DAYS: Final = 7
TIMEOUT_SECONDS: Final = TIMEOUT_DAYS * DAY_SECONDS
"""The longest timeout, of an attempt, a stage or an orchestration; a container works no longer either."""
STAGES_BYTES: Final = 64 * 1024
"""The stages that follow an orchestration, as JSON; they are part of its first event."""
STAGES: Final = 100
"""The stages that follow an orchestration, one after the other."""
RETRY_BYTES: Final = 16 * 1024
"""The retry of a kick-off, as JSON; the names of its exceptions are a part of the first event."""
ACTOR_CHARACTERS: Final = 256
"""The name of who did something; more is cut off."""
REASON_CHARACTERS: Final = 1_000
"""The reason of a cancellation; more is cut off."""
TRACEPARENT_CHARACTERS: Final = 512
"""Of later versions of the W3C's Trace Context, too; that of today has 55."""
INSTANCES: Final = 10_000_000
"""The instances of one orchestration; ten times what has been run."""
INSTANCE_PARAMS_BYTES: Final = 1024 * 1024
"""The params of one job instance, as a line of JSON."""
RESULT_BYTES: Final = 64 * 1024 * 1024
"""The result of one job instance, as JSON."""
JSON_DEPTH: Final = 100
"""How deep objects and arrays may be nested in params and in a result; readers of events stop at 200."""
SCHEDULE_PARAMS_BYTES: Final = 256 * 1024 * 1024
"""All params of a schedule; a function reads and writes them at every occurrence."""
RETRY_ATTEMPTS: Final = 100
PROGRESS_CHARACTERS: Final = 80
"""A progress message; more is cut off. A thousand of them fit into one feed item."""
ERROR_TYPE_CHARACTERS: Final = 500
ERROR_MESSAGE_CHARACTERS: Final = 2_000
TRACEBACK_CHARACTERS: Final = 8_000
"""What is kept of an error; the middle of what is longer is cut out."""
NOTE_CHARACTERS: Final = 500
"""What is kept of the reason of an event, such as AWS's words when it refuses a launch."""
PLACE_CHARACTERS: Final = 4_096
"""The place of a log: as long as the path of a file may be."""
LOG_LINE_CHARACTERS: Final = 16_384
"""What is shown of one line of a log; longer ones that jobs print are cut into pieces of as many."""
LOG_PAGE: Final = 500
LONGEST_LOG_PAGE: Final = 2_000
"""How many lines of a log a page has: by default, and at most."""
LOG_CONTAINERS: Final = 100
"""The containers whose logs are read at once: CloudWatch Logs filters no more streams in one call."""
LAST_LINES: Final = 20
"""How many lines the error of a container that died has of its log."""
STALL_REASONS: Final = 20
"""How many reasons a warning names why instances wait."""
BACKFILL_OCCURRENCES: Final = 1_000
"""The occurrences that one backfill may run."""
RERUN_SAMPLES: Final = 3
"""Of how many instances the preview of a rerun has the params."""
PREVIEW_CHECKED: Final = 5_000
"""How many params of a kick-off its preview holds to the schema of the job, at most."""
OCCURRENCES_SHOWN: Final = 250
"""How many occurrences of one schedule a calendar has at most."""
PAGE: Final = 100
LONGEST_PAGE: Final = 1_000
"""How many entries a page of a list has: by default, and at most."""

# How often, and in what portions, the service talks to AWS: delays and costs follow from these.

TRANSACTION_ITEMS: Final = 100
"""Events in one transaction, at most; DynamoDB takes no more."""

UPLOAD_PART_BYTES: Final = 8 * 1024 * 1024
"""A file with more is uploaded in parts of this size, each by a request of its own."""

APPEND_SECONDS: Final = 0.2
"""How long an event may wait for others to share its transaction."""

LOOK_SECONDS: Final = 2.0
"""How often a container looks whether its orchestration was cancelled."""

CLAIM_INSTANCE_SECONDS: Final = 0.05
"""How long instances take at least that move between containers: four fill the time in which starts gather.

Of shorter ones so many begin unseen meanwhile that some would run twice, and looking for them costs more.
"""

CLAIM_SECONDS: Final = 0.1
"""What the instances of a claim take at least: about as long as claiming them does, with some four calls."""

CLAIM_SHARE_SECONDS: Final = 1.0
"""Beyond this a container looks for work also where its own instances were short: others may be long."""

CLAIM_LOOKS: Final = 100
"""In how many shares a container looks for what it may claim, with a query each; beyond it, a sample."""

HEDGE_INSTANCES: Final = 10
"""How many instances must have ended before another one counts as slow: the first say nothing."""

HEDGE_RATIO: Final = 2.0
"""How often the time of nearly all others (their 95th percentile) a slow instance takes, at least."""

HEDGE_SECONDS: Final = 1.0
"""The shortest time after which an instance is run twice: a copy costs some calls."""

HEDGE_WAITERS: Final = 2
"""How many containers wait for each instance that still runs, lest it become slow; the others end."""

CONTAINER_SECONDS: Final = TIMEOUT_SECONDS
"""How long a container may work; its task is stopped then."""

STOP_SECONDS: Final = 120
"""From SIGTERM to the end of a container by force: Spot gives notice of so much, and ECS allows no more."""

EXECUTION_DAYS: Final = 364
"""How long an orchestration may take: Step Functions ends every execution after a year."""

RELAUNCHES: Final = 4
"""How often a share is launched again whose container was lost, or worked for that long."""

STREAM_BATCH: Final = 1_000
"""Records that the aggregator is handed at once, at most."""

STREAM_WINDOW_SECONDS: Final = 1
"""How long the stream gathers records for the aggregator: each batch is a version of the read model."""
