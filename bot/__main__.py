"""`python -m bot` is `execution-bot`."""

from bot.app.cli import main

main()
