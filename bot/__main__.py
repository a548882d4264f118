"""`python -m bot` is `execution-bot`."""

import os
import signal
import sys

has_terminal = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # it is ignored behind nohup
if has_terminal:  # Ctrl-C during the imports, which take a second, would show a traceback
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
if os.getpid() == 1:  # of a container: the kernel drops signals for which it has no handler
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
from bot.app.cli import main  # noqa: E402

if has_terminal:
    signal.signal(signal.SIGINT, signal.default_int_handler)
main()
