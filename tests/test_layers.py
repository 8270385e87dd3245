from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("textual", "rich", "torch", "transformers", "mistralai", "httpx2", "pypdfium2", "numpy")
SERVICES = (
    "tui.domain.paper",
    "tui.storage.workspace",
    "tui.settings",
    "tui.corpus",
    "tui.datasets",
    "tui.jobs",
    "tui.chat",
    "tui.evaluation",
    "tui.quickstart",
    "tui.services",
)


def loaded(code: str) -> set[str]:
    """The top-level modules that are loaded after running `code` in a fresh interpreter."""
    script = f"{code}\nimport sys\nprint('\\n'.join({{n.split('.')[0] for n in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "arguments", [["--help"], ["corpus", "--help"], ["dataset", "--help"], ["eval", "--help"]]
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys, contextlib, io\n"
        f"sys.argv = ['papertune', *{arguments!r}]\n"
        "from tui.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    main()"
    )
    assert not loaded(code) & set(HEAVY)


@pytest.mark.parametrize("module", SERVICES)
def test_services_load_no_pictures_and_no_torch(module: str) -> None:
    assert not loaded(f"import {module}") & {"textual", "rich", "torch", "transformers", "screens"}


def test_the_app_loads_no_engine_and_no_torch() -> None:
    script = "import tui.app, sys; print([n for n in sys.modules if n.startswith('tui.engine')])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert not loaded("import tui.app") & {"torch", "transformers", "mistralai", "pypdfium2"}
