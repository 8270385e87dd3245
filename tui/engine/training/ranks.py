"""The processes that train one job together: one per GPU, or one per node without GPUs.

Started by torchrun, which tells each its rank. Alone, nothing here communicates.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among `size`; the first one alone writes files that others read."""

    rank: int = 0
    size: int = 1

    @staticmethod
    def of_environment() -> Ranks:
        """As torchrun has set it."""
        return Ranks(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))

    @property
    def first(self) -> bool:
        """Whether this process speaks for all."""
        return self.rank == 0

    def join(self) -> None:
        """Meet the others: through NCCL between GPUs, through gloo without."""
        import torch

        if self.size > 1 and not torch.distributed.is_initialized():
            on_gpu = torch.cuda.is_available()
            if on_gpu:
                torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
            torch.distributed.init_process_group("nccl" if on_gpu else "gloo")

    def share(self, rows: Sequence[_T]) -> Sequence[_T]:
        """This process's part of rows that all have."""
        return rows[self.rank :: self.size] if self.size > 1 else rows

    def sums(self, *values: float) -> list[float]:
        """Each value summed over all processes, the same to the last bit in every one."""
        if self.size == 1:
            return list(values)
        import torch

        device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
        tensor = torch.tensor(values, dtype=torch.float64, device=device)
        torch.distributed.all_reduce(tensor)
        return [float(value) for value in tensor]

    def any(self, *flags: bool) -> list[bool]:
        """For each flag, whether it is raised in any process: they must all do the same."""
        return [value > 0 for value in self.sums(*map(float, flags))]

    def wait(self) -> None:
        """Go on when all have come here."""
        self.sums(0.0)

    def same(self, value: Any) -> Any:
        """The first process's value, in all of them."""
        if self.size == 1:
            return value
        import torch

        held = [value]
        torch.distributed.broadcast_object_list(held, src=0)
        return held[0]
