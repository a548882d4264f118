"""`python -m sandbox` as a newcomer starts it: the page is worth a look as soon as its address is printed."""

from __future__ import annotations

import asyncio
import re
import signal
import sys

import aiohttp

from tests.end_to_end.bot_process import REPOSITORY


async def test_the_address_comes_with_the_cards() -> None:
    """First a line about what starts, then the address; the page behind it shows the cards of the channel."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox", "--port", "0"), cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(90):
            assert (await process.stdout.readline()).startswith(b"Starting ")
            opened = re.match(r"Open (\S+) ", (await process.stdout.readline()).decode())
        assert opened is not None
        async with aiohttp.ClientSession() as http, http.get(opened[1]) as response:
            page = await response.text()
        log = page[page.index('id="log"') :]
        assert [name for name in ("exome", "wgs", "rna") if f"{name}-" not in log] == []
        assert "slower than usual: rna-" in log
    finally:
        process.send_signal(signal.SIGTERM)
        code = await process.wait()
    assert code == 0
