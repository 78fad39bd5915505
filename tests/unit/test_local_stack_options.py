"""What the offline stack refuses before it starts anything."""

from typing import Any

import pytest

from background_jobs.local_stack import InvalidLocalStack, LocalStack


@pytest.mark.parametrize("value", [-1, 1.5, "2", True, 1_001])
@pytest.mark.parametrize("option", ["warm", "containers"])
def test_what_is_no_number_of_containers_is_refused_in_a_sentence(option: str, value: Any) -> None:
    with pytest.raises(InvalidLocalStack, match=f"^{option}={value!r} is no number of containers: write one"):
        LocalStack(jobs=__file__, **{option: value})


@pytest.mark.parametrize("options", [{"warm": None}, {"containers": 0}])
def test_nothing_is_no_number_of_containers(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidLocalStack, match="is no number of containers"):
        LocalStack(jobs=__file__, **options)
