"""How the bot runs: command line, logging, checks, composition root, health.

May import everything below; nothing imports this package.
"""
