"""``python -m leapstudy.cli`` is the command ``leapstudy``."""

from leapstudy.cli import main

main()
