"""The engine's settings are typed, and what is wrong with them is said with file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.domain.errors import UsageError
from tui.engine.settings import EngineSettings, engine_settings
from tui.settings import load_settings, save_settings


def _written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path


def test_without_a_file_or_table_everything_has_its_default(tmp_path: Path) -> None:
    assert engine_settings(tmp_path / "none.toml") == EngineSettings()
    assert engine_settings(_written(tmp_path, 'theme = "x"\n')) == EngineSettings()


def test_a_whole_table_is_read(tmp_path: Path) -> None:
    found = engine_settings(
        _written(
            tmp_path,
            """
            [engine]
            launcher = "slurm"
            python = "/opt/torch/bin/python"
            [engine.slurm]
            partition = "gpu"
            account = "physics"
            gpus = "a100:2"
            time = "12:00:00"
            nodes = 2
            directives = ["--qos=long"]
            setup = ["module load cuda"]
            [engine.slurm.chat]
            gpus = 1
            idle_minutes = 5
            [engine.price]
            device_hour = 2.5
            currency = "eur"
            [engine.quota]
            disk = "1.5GB"
            [engine.upstream."big/model"]
            url = "https://vllm.example/v1/"
            key_env = "VLLM_KEY"
            """,
        )
    )
    assert (found.launcher, found.slurm.partition, found.slurm.nodes) == ("slurm", "gpu", 2)
    assert found.slurm.gpus_per_node == 2
    assert (found.slurm.chat.gpus, found.slurm.chat.idle_minutes) == ("1", 5)
    assert (found.price.device_hour, found.price.currency) == (2.5, "eur")
    assert found.quota.disk == 1_500_000_000
    assert found.upstream["big/model"].url == "https://vllm.example"


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ('[engine]\nlauncer = "slurm"', "engine.launcer", "'launcher'"),
        ('[engine]\nlauncher = "pbs"', "engine.launcher", "process, slurm"),
        ('[engine]\npython = "python3"', "engine.python", "absolute"),
        ("[engine]\nslurm = 1", "engine.slurm", "table"),
        ('[engine.slurm]\npartitoin = "gpu"', "engine.slurm.partitoin", "'partition'"),
        ('[engine.slurm]\npartition = "a b; rm"', "engine.slurm.partition", "name"),
        ('[engine.slurm]\ntime = "soon"', "engine.slurm.time", "12:00:00"),
        ('[engine.slurm]\nsetup = ["a\\nb"]', "engine.slurm.setup", "one line"),
        ('[engine.slurm]\ndirectives = ["rm"]', "engine.slurm.directives", "sbatch"),
        ("[engine.slurm]\nnodes = 0", "engine.slurm.nodes", "from 1"),
        ("[engine.slurm]\nnodes = true", "engine.slurm.nodes", "from 1"),
        ('[engine.slurm]\ngpus = "many"', "engine.slurm.gpus", "GPUs"),
        ("[engine.price]\ndevice_hour = nan", "engine.price.device_hour", "number"),
        ('[engine.quota]\ndisk = "lots"', "engine.quota.disk", "20GB"),
        ('[engine.upstream.m]\nurl = "ftp://x"', "engine.upstream.m.url", "http"),
        ('[engine.upstream.m]\nurl = "http://a:b@x"', "engine.upstream.m.url", "password"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, key: str, says: str) -> None:
    path = _written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        engine_settings(path)
    assert str(path) in str(caught.value)
    assert f"'{key}'" in str(caught.value)
    assert says in str(caught.value)


def test_the_apps_settings_leave_the_table_to_the_engine(tmp_path: Path) -> None:
    path = _written(tmp_path, '[engine]\nlauncher = "slurm"\n')
    save_settings(load_settings(path), path)
    assert engine_settings(path).launcher == "slurm"
