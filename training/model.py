"""The network: summed feature rows, a projection, four dilated residual convolutions, one output a label."""

from __future__ import annotations

import torch
from torch import nn

from phigate.analyzers.names.features import EDGES, GRAMS, LISTS, OUTPUTS, ROWS, WORD

EMBEDDING = 64
HIDDEN = 128
DILATIONS = (1, 2, 4, 1)
# How often a kind of feature is hidden from a token in training: the network must not lean on spelling or lists alone.
DROPPED = {WORD: 0.4, EDGES: 0.1, GRAMS: 0.1, LISTS: 0.4}


class Tagger(nn.Module):
    """Takes rows and groups of words, and gap rows; gives a score a label a token."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Embedding(ROWS, EMBEDDING, padding_idx=0)
        nn.init.normal_(self.rows.weight, std=0.1)
        with torch.no_grad():
            self.rows.weight[0].zero_()
        self.project = nn.Linear(EMBEDDING, HIDDEN)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(HIDDEN, HIDDEN, 3, dilation=dilation, padding=dilation) for dilation in DILATIONS
        )
        self.output = nn.Linear(HIDDEN, OUTPUTS)
        self.dropout = nn.Dropout(0.15)

    def forward(self, rows: torch.Tensor, groups: torch.Tensor, gaps: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Shapes: rows, groups (batch, time, width); gaps, mask (batch, time)."""
        if self.training:
            rows = self._drop(rows, groups)
        summed = nn.functional.embedding_bag(
            rows.reshape(-1, rows.shape[-1]), self.rows.weight, mode="sum", padding_idx=0
        ).view(*rows.shape[:2], EMBEDDING)
        state = torch.relu(self.project(summed + self.rows(gaps)))
        state = (self.dropout(state) * mask.unsqueeze(-1)).transpose(1, 2)
        edge = mask.unsqueeze(1)
        for convolution in self.convolutions:
            state = (state + torch.relu(convolution(state))) * edge
        return self.output(self.dropout(state.transpose(1, 2)))

    def _drop(self, rows: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
        keep = torch.ones_like(rows, dtype=torch.bool)
        for group, share in DROPPED.items():
            hidden = torch.rand(rows.shape[:2]) < share
            keep &= ~((groups == group) & hidden.unsqueeze(-1))
        return rows * keep
