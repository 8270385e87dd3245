"""`python -m tui.engine serve`: the engine in the foreground."""

from __future__ import annotations

import argparse
import sys

from tui.domain.errors import ExitCode


def main() -> int:
    """Run the command line; errors are one sentence with the next step."""
    parser = argparse.ArgumentParser(prog="python -m tui.engine")
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="serve until SIGTERM")
    serving.add_argument("--host", default="127.0.0.1")
    serving.add_argument("--port", type=int, default=None)
    options = parser.parse_args()
    from tui.engine.serve import serve
    from tui.storage.faults import explained

    try:
        serve(options.host, options.port)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except Exception as error:
        found = explained(error)
        sys.stderr.write(f"papertune: {found}\n")
        return found.exit_code
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())
