"""``python -m leapstudy`` is the command ``leapstudy``."""

from leapstudy.cli import main

main()
