"""`python -m tui.engine serve`: the engine in the foreground."""

from __future__ import annotations

import argparse
import sys

from tui.domain.errors import ExitCode, PapertuneError


def main() -> int:
    """Run the command line; errors are one sentence with the next step."""
    parser = argparse.ArgumentParser(prog="python -m tui.engine")
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="serve until SIGTERM")
    serving.add_argument("--host", default="127.0.0.1")
    serving.add_argument("--port", type=int, default=None)
    options = parser.parse_args()
    from tui.engine.serve import serve

    try:
        serve(options.host, options.port)
    except PapertuneError as error:
        sys.stderr.write(f"papertune: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())
