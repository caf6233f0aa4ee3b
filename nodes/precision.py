"""Which number format a device computes fastest in, where a node leaves it to us."""

import torch


def native(device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes in it, float32 where it would only be imitated."""
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        fast = device.type == "cpu" and getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
    return torch.bfloat16 if fast else torch.float32
