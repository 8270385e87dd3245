from __future__ import annotations

import errno

import pytest

from tui.domain.errors import PapertuneError, UsageError
from tui.engine.training.faults import not_finite, sentence


def _caused(outer: Exception, cause: Exception) -> Exception:
    outer.__cause__ = cause
    return outer


@pytest.mark.parametrize(
    ("error", "said", "remedy"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full", "Free some space"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "quota", "last checkpoint"),
        (
            RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"),
            "disk is full",
            "Free some space",
        ),
        (
            _caused(RuntimeError("saving"), OSError(errno.ENOSPC, "No space")),
            "disk is full",
            "Free some space",
        ),
        (MemoryError(), "not enough memory", "smaller batch size"),
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"
            ),
            "not enough memory",
            "seq_len",
        ),
        (
            RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
            "not enough memory",
            "seq_len",
        ),
        (RuntimeError("CUDA error: unspecified launch failure"), "GPU", "nvidia-smi"),
        (not_finite("loss", 7, 0.5), "step 7", "lower learning rate (it was 0.5)"),
        (UsageError("The file is odd.", "Mend it."), "The file is odd.", "Mend it."),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), "torch", "papertune[train]"),
        (ValueError("x\x1b[31m"), "ValueError: x", "log"),
    ],
)
def test_a_fault_becomes_a_sentence_to_act_on(error: Exception, said: str, remedy: str) -> None:
    text = sentence(error)
    assert said in text
    assert remedy in text
    assert "\x1b" not in text


def test_a_job_whose_gpu_is_gone_does_not_go_on_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from tui.engine.training import model

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1234")
    with pytest.raises(PapertuneError, match=r"GPU-1234.*nvidia-smi"):
        model.pick_device()
    for none in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", none)
        assert model.pick_device().type == "cpu"
