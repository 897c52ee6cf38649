"""``python -m leapstudy`` is the command ``leapstudy``."""

import sys


def main() -> None:
    """Import the commands and run one; Ctrl-C ends in words while they are still being imported, too."""
    try:
        from leapstudy.cli import main as run
    except KeyboardInterrupt:
        print("Interrupted before anything was done.", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
