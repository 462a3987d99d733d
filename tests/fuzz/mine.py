"""Code of a user, for cases that name some."""

import torch
from torch import nn


class Field(nn.Module):
    def __init__(self, shape=(1, 2), **options):
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.shape, self.options = shape, options

    def forward(self, z):
        return self.linear(z)


class Model:
    def __init__(self):
        self.field, self.head = nn.Linear(2, 2), nn.Linear(2, 3)

    def encode(self, x):
        return torch.as_tensor(x)[:, :2].float()


def head(z):
    return z


def nothing():
    return None


def failing():
    raise RuntimeError("line one\nline two")


number = 3
