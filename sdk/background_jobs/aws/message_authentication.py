"""KMS: codes (MACs) under a key that never leaves it, so that each process of the API knows them."""

from typing import Any, Final

from background_jobs.aws.clients import client_without_types, reaching_aws

_ALGORITHM: Final = "HMAC_SHA_256"


class KmsKey:
    """An HMAC key of KMS."""

    def __init__(self, arn: str) -> None:
        self._arn = arn

    @reaching_aws
    def sign(self, payload: bytes) -> bytes:
        """Return the MAC of *payload*."""
        mac: bytes = self._client().generate_mac(KeyId=self._arn, MacAlgorithm=_ALGORITHM, Message=payload)[
            "Mac"
        ]
        return mac

    @reaching_aws
    def verify(self, payload: bytes, mac: bytes) -> bool:
        """Tell whether *mac* is that of *payload*."""
        client = self._client()
        try:
            client.verify_mac(KeyId=self._arn, MacAlgorithm=_ALGORITHM, Message=payload, Mac=mac)
        except client.exceptions.KMSInvalidMacException:
            return False
        return True

    @staticmethod
    def _client() -> Any:  # noqa: ANN401 -- its types are not installed
        return client_without_types("kms")
