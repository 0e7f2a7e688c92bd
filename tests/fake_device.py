"""A GPU that exists in name alone: the steps of a game run on tensors without values.

Tensors without values have a shape, a dtype and a device. An operation on tensors of two devices
raises an error, and so does every use of a value by Python: a value would have to come from the
device, and the step would wait for the device.
"""

from __future__ import annotations

import copy
from contextlib import ExitStack, contextmanager, nullcontext
from unittest.mock import patch

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

# Without a GPU, torch may end the process when autograd meets a CUDA tensor. The tensors then lie
# on the device "meta", which is as far from the CPU.
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "meta", 0)

FROM_HOST = (torch.tensor, torch.as_tensor, torch.from_numpy, torch.Tensor.new_tensor)
TO_HOST = (torch.Tensor.cpu, torch.Tensor.numpy, torch.Tensor.tolist, torch.Tensor.item)


class DeviceGenerator(torch.Generator):
    """A generator that calls itself one of the device; draws without values need no state."""

    @property
    def device(self):
        return DEVICE


class Transfer(AssertionError):
    """A step moves values between host and device, for which the step has to wait."""


class NoTransfers(TorchFunctionMode):
    """Refuses what moves values from the host to the device or back."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in FROM_HOST or func in TO_HOST:
            raise Transfer(f"{func.__name__} moves values between host and device")
        if func in (torch.Tensor.__getitem__, torch.Tensor.__setitem__):
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            if any(isinstance(part, list) or type(part).__module__ == "numpy" for part in index):
                raise Transfer("an index that is no tensor moves from the host to the device")
        if func is torch.Tensor.exponential_:
            # Torch knows no shape of this draw if it is given a generator.
            kwargs = {}
        return func(*args, **kwargs)


class OnDevice(TorchFunctionMode):
    """Puts each tensor that is copied on the device."""

    def __init__(self, convert):
        super().__init__()
        self.convert = convert

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.Tensor.__deepcopy__:
            return self.convert(*args)
        return func(*args, **(kwargs or {}))


@contextmanager
def on_fake_device(training, data):
    """Copy a training and its data to the device, and run the block without values.

    Of the training only what `Module.to` moves is moved: parameters and buffers. Other tensors stay
    on the CPU.

    Yields
    ------
    Training, data, torch.Generator
    """
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    memo = {}

    def convert(tensor, memo=memo):
        if id(tensor) not in memo:
            with mode:
                made = torch.empty(tensor.shape, dtype=tensor.dtype, device=DEVICE)
                if isinstance(tensor, torch.nn.Parameter):
                    made = torch.nn.Parameter(made, requires_grad=tensor.requires_grad)
            memo[id(tensor)] = made
        return memo[id(tensor)]

    for game in (training.game, training.averaged):
        for tensor in [*game.parameters(), *game.buffers()]:
            convert(tensor)
    for optimizer in training.update.optimizers.values():
        for state in optimizer.state.values():
            for tensor in state.values():
                convert(tensor)
    with OnDevice(convert):
        dealt = copy.deepcopy(data, memo)
        # What a game shares with its copies is learnt on the device before training.
        copy.deepcopy(training.game.shared(), memo)
    moved = copy.deepcopy(training, memo)
    with ExitStack() as stack:
        for change in _for_want_of_a_gpu():
            stack.enter_context(change)
        stack.enter_context(mode)
        stack.enter_context(NoTransfers())
        yield moved, dealt, DeviceGenerator()


def _for_want_of_a_gpu():
    """List what torch is told so that it takes the device for a recent GPU."""
    if DEVICE.type == "cuda":
        return [patch("torch.cuda.is_bf16_supported", lambda: True)]
    fused = "torch.optim.optimizer._get_fused_kernels_supported_devices"
    # Automatic casts do not exist on "meta", so that products there must not be in bfloat16.
    no_bfloat16 = patch("torch.cpu._is_avx512_bf16_supported", lambda: False, create=True)
    no_casts = patch("torch.autocast", lambda *_, **__: nullcontext())
    return [no_bfloat16, no_casts, patch(fused, lambda: ["meta"])]
