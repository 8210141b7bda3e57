"""Manual pages, and the other files about the command line that a package brings along.

``python -m asynctask.cli.manual`` writes them into ``docs/``; they are made of what ``--help`` is made of.
"""
