"""``python -m asynctask.cli.manual [DIRECTORY]``: write the files below a directory, by default ``docs``."""

import sys
from pathlib import Path

from asynctask.cli.manual.files import write

if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
