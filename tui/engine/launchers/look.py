"""Run by the worker's Python, whichever it is: says which packages it has, as JSON."""

import importlib.metadata
import json
import platform
import sys


def main() -> None:
    """Every distribution with its version, and `python`, in one line."""
    found = {"python": platform.python_version()}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            found[name.lower().replace("_", "-")] = distribution.version
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
