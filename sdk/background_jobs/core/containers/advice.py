"""What users can do about a container that failed, by what AWS says of it."""

from typing import Final, NamedTuple


class Quota(NamedTuple):
    """A quota of an account, by the name and the code that Service Quotas has for it."""

    name: str
    code: str

    def __str__(self) -> str:
        return f'"{self.name}" ({self.code})'


VCPU_QUOTAS: Final = {
    False: Quota("Fargate On-Demand vCPU resource count", "L-3032A538"),
    True: Quota("Fargate Spot vCPU resource count", "L-36FBB829"),
}
"""The quotas of the vCPUs that run at once, by whether they are of Fargate Spot."""
_VCPUS: Final = {
    False: f"the quota {VCPU_QUOTAS[False]}",
    True: f"the quota {VCPU_QUOTAS[True]}",
    None: 'the quota "Fargate On-Demand vCPU resource count" (L-3032A538; that of Spot is L-36FBB829)',
}
_ADDRESSES: Final = "Give the environment more subnets, or larger ones."
_HOSTS: Final = "Let the Auto Scaling group of the capacity provider start hosts of this cluster."
_ADVICE: Final = {
    "OutOfMemoryError": "Give the service more memory_mib, or each instance less to do.",
    "CannotPullContainer": "Check that the image exists, and that the service's network and its execution "
    "role reach the registry.",
    "ResourceInitializationError": "Check that the service's network and its execution role reach its "
    "secrets and its log.",
    "exec format error": "The image is built for another architecture than the service's arm64 says.",
    "SpotInterruption": "AWS took its spare capacity back; without spot it does not.",
    "AccessDenied": "The state machine's role may not do this; deploy the stack again.",
    "Rate exceeded": "Use less parallelism, or have the account's quota raised.",
    "limit on the number of vCPUs": "Use less parallelism, or have {vcpus} raised in Service Quotas.",
    "above your limit": "Use a smaller size, or have {vcpus} raised in Service Quotas.",
    "NetworkInterfaceLimitExceeded": 'Have the quota "Network interfaces per Region" (L-DF5E4CA3) raised in '
    "Service Quotas.",
    "RESOURCE:ENI": _ADDRESSES,
    "InsufficientFreeAddresses": _ADDRESSES,
    "free addresses": _ADDRESSES,
    "RESOURCE:": "Use a smaller size; on a capacity provider of your own, let it have more hosts, or "
    "larger ones.",
    "EMPTY CAPACITY": _HOSTS,
    "NO ACTIVE INSTANCES": _HOSTS,
    "Capacity is unavailable": "Use more subnets, or another size.",
}
"""By a part of AWS's message."""


def advise(message: str, *, spot: bool | None = None) -> str:
    """Return what to do about *message*; empty where nothing is known.

    *spot* says whether the container was to run on Fargate Spot; None if it is not known.

    >>> advise("CannotPullContainerError: not found").split(",")[0]
    'Check that the image exists'
    """
    advice = next((advice for part, advice in _ADVICE.items() if part in message), "")
    return advice.format(vcpus=_VCPUS[spot])
