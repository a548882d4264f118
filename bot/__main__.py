"""`python -m bot` is `execution-bot`."""

from bot.cli import main

main()
