"""`python -m tui` is `papertune`."""

from tui.cli import main

if __name__ == "__main__":
    main()
