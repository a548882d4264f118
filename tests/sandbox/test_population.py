"""The population of simulations: its list is no kinder than its answers about single executions."""

from __future__ import annotations

from itertools import cycle

import httpx

from sandbox.gcs.population import Population


async def test_lists_move_as_single_answers_do() -> None:
    """Times and versions of running executions move with each second, in lists as well."""
    moments = cycle([5000.0])
    async with Population(3, page=10, clock=lambda: next(moments)) as population, httpx.AsyncClient() as http:
        for moment in (5000.0, 5003.5, 9000.0):
            moments = cycle([moment])
            page = (await http.get(f"{population.url}/v1/executions?status=Running&offset=0&limit=10")).json()
            assert page["total_num"] == len(page["executions"]) == 3
            for item in page["executions"]:
                single = (await http.get(f"{population.url}/v1/executions/{item['execution']['guid']}")).json()
                assert item == single | {"status": None}
