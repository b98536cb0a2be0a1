"""A network whose class travels with its package."""

from __future__ import annotations

from typing import Any

import torch


class Net(torch.nn.Module):
    """Two layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(3, width), torch.nn.ReLU(), torch.nn.Linear(width, 2))

    def forward(self, values: Any) -> Any:
        """The scores of each row."""
        return self.layers(values)
