"""The precision of products: faster number formats where the device has instructions for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from tabgan.locks import Lock

_lock = Lock()
_entered, _before = 0, "highest"


@contextmanager
def fast_matmul() -> Iterator[None]:
    """Let matrix products round their inputs within the block, where this is faster.

    Products run in bfloat16 on CPUs that have instructions for bfloat16, and in TensorFloat-32 on
    GPUs that have instructions for TensorFloat-32. The setting is one of the whole process. Where
    blocks of several threads overlap, the previous setting returns after the last of them.
    """
    global _entered, _before
    with _lock.held():
        if not _entered:
            _before = torch.get_float32_matmul_precision()
            torch.set_float32_matmul_precision("medium")
        _entered += 1
    try:
        yield
    finally:
        with _lock.held():
            _entered -= 1
            if not _entered:
                torch.set_float32_matmul_precision(_before)


def quick_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 where a device has instructions for bfloat16, else float32.

    Parameters
    ----------
    device : torch.device

    Returns
    -------
    torch.dtype
    """
    if device.type == "cuda":
        has_bfloat16 = torch.cuda.is_bf16_supported()
    else:
        has_bfloat16 = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    return torch.bfloat16 if has_bfloat16 else torch.float32


@contextmanager
def quick_products(device: torch.device) -> Iterator[None]:
    """Compute products, and what follows them, in the format of `quick_dtype` within the block.

    Unlike in `fast_matmul`, the results of products are rounded too, which halves the memory that
    the next operations read. It suits networks without gradients.

    Parameters
    ----------
    device : torch.device
    """
    dtype = quick_dtype(device)
    with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        yield
