"""Matrix products in bfloat16, forced on or off whatever the processor offers.

Two switches decide how precise products are. Training asks torch for "medium" precision, which
rounds the inputs of float32 products to bfloat16 on processors with AMX alone. The autoregressive
model asks whether the processor has bfloat16 instructions, and makes its weights bfloat16 if so.
"""

from __future__ import annotations

import warnings

import torch


def force(choice: str) -> None:
    """Force bfloat16 products "on" or "off"; an empty string leaves them to the processor."""
    if choice == "on":
        _offer_bfloat16(True)
        _round_inputs_of_products()
    elif choice == "off":
        _offer_bfloat16(False)
        # Without oneDNN, float32 products are exact to float32 whatever precision is asked for.
        torch._C._set_mkldnn_enabled(False)
    elif choice:
        raise ValueError(f"TABGAN_BFLOAT16 must be on, off or unset, got {choice!r}.")


def _offer_bfloat16(offered: bool) -> None:
    torch.cpu._is_avx512_bf16_supported = lambda: offered


_LIBRARY = torch.library.Library("aten", "IMPL")


def _round_inputs_of_products() -> None:
    """Replace the float32 products of torch by what AMX computes at "medium" precision."""
    aten = torch.ops.aten

    def rounded(x):
        if x.dtype is torch.float32 and torch.get_float32_matmul_precision() == "medium":
            return x.bfloat16().float()
        return x

    def mm(x, y):
        return aten.mm.out(rounded(x), rounded(y), out=x.new_empty(0))

    def bmm(x, y):
        return aten.bmm.out(rounded(x), rounded(y), out=x.new_empty(0))

    def addmm(bias, x, y, *, beta=1, alpha=1):
        out = x.new_empty(0)
        return aten.addmm.out(bias, rounded(x), rounded(y), beta=beta, alpha=alpha, out=out)

    def baddbmm(bias, x, y, *, beta=1, alpha=1):
        out = x.new_empty(0)
        return aten.baddbmm.out(bias, rounded(x), rounded(y), beta=beta, alpha=alpha, out=out)

    with warnings.catch_warnings():
        # torch warns of a kernel that is replaced, which is what this is for.
        warnings.simplefilter("ignore", UserWarning)
        for product in (mm, bmm, addmm, baddbmm):
            _LIBRARY.impl(product.__name__, product, "CPU")
