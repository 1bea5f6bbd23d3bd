"""What a vLLM server says it computed: its own counters, read before and after."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

_HISTOGRAM = "vllm:request_prefill_kv_computed_tokens"


@dataclass(frozen=True, slots=True)
class Counters:
    """Prompt tokens computed (not read from the prefix cache) since the server started; 0 where the server has no
    such metrics.
    """

    computed_tokens: int = 0


def read(client: httpx.Client) -> Counters:
    """Read the counters from ``/metrics``."""
    try:
        answer = client.get("/metrics")
    except httpx.HTTPError:
        return Counters()
    if answer.status_code != 200:
        return Counters()
    computed = sum(
        sample.value
        for family in text_string_to_metric_families(answer.text)
        if family.name == _HISTOGRAM
        for sample in family.samples
        if sample.name.endswith("_sum")
    )
    return Counters(int(computed))
