"""Which floats networks compute in: quicker ones where the device has instructions for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def fast_matmul() -> Iterator[None]:
    """Let matrix products round their inputs, where that is faster, within the block.

    On CPUs with bfloat16 instructions they run in bfloat16, on GPUs in TensorFloat-32.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def quick_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 where a device has instructions for it, else float32."""
    if device.type == "cuda":
        has_bfloat16 = torch.cuda.is_bf16_supported()
    else:
        has_bfloat16 = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    return torch.bfloat16 if has_bfloat16 else torch.float32
