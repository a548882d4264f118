"""The population of simulations: its list is no kinder than its answers about single executions."""

from __future__ import annotations

from itertools import cycle

import httpx

from sandbox.gcs.population import Lives, Population
from sandbox.story import Life


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


async def test_what_replaces_an_execution_is_of_its_kind() -> None:
    """The list of all phases begins with it; what has ended stays in that list, and in no other."""
    now, kinds = 0.0, [Life(name="chain", frames=(), workflow=f"flow-{number}") for number in range(2)]
    async with (
        Population(2, page=10, clock=lambda: now, lives=Lives(steps=4, at_once=2), kinds=kinds) as population,
        httpx.AsyncClient() as http,
    ):
        born: list[str] = []
        population.born = born.append
        while not born:
            now += 60.0
            population.advance(now)
        whole = (await http.get(f"{population.url}/v1/executions?offset=0&limit=10")).json()["executions"]
        running = (await http.get(f"{population.url}/v1/executions?status=Running&offset=0&limit=10")).json()
        workflows = [item["execution"]["workflow_name"] for item in whole]
        ended = next(item["execution"] for item in whole if item["execution"]["status"] == "Succeeded")
        assert (whole[0]["execution"]["guid"], workflows[0]) == (born[0], ended["workflow_name"])
        assert sorted(workflows[1:]) == ["flow-0", "flow-1"]
        assert running["total_num"] == 2
