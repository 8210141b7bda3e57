"""``python -m asynctask``."""

from asynctask.cli import main

main()
