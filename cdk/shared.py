"""What all parts of an environment share: configuration, key, logs, data, bus, and the SDK's settings."""

from aws_cdk import aws_events as events
from constructs import Construct

from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.encryption import CustomerKey
from background_jobs.cdk.log_groups import LogGroups
from background_jobs.cdk.physical_names import name_prefix
from background_jobs.cdk.storage import Storage
from background_jobs.settings import Settings


class SharedResources(Construct):
    """The resources that every part of the stack is given; none of them does anything by itself."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: EnvironmentConfig,
        bus: events.IEventBus | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.config = config
        self.name_prefix = name_prefix(scope)
        self.key = CustomerKey(self, "Key", keep_data=config.keep_data).key if config.customer_key else None
        self.logs = LogGroups(config.log_days, self.key)
        self.storage = Storage(self, "Storage", config=config, key=self.key)
        self.bus = bus or events.EventBus(self, "Bus", event_bus_name=config.event_bus)
        self.settings = Settings(
            environment=config.environment,
            event_log_table=self.storage.event_log.table.table_name,
            read_model_table=self.storage.read_model.table.table_name,
            payload_bucket=self.storage.payloads.bucket.bucket_name,
            event_bus=self.bus.event_bus_name if bus else config.event_bus,
            service=config.services[0].name,
            service_names=tuple(service.name for service in config.services),
            job_names=config.job_names,
            notify_channels=tuple(config.notifications),
            max_parallelism=config.max_parallelism,
            default_parallelism=config.default_parallelism,
            retention_days=config.retention_days,
            service_retention_days=dict(config.retention.by_service),
            service_memory_limits=config.memory_limits,
        )
