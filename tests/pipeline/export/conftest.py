"""One small network, exported once for all tests of a worker."""

import os

import pytest
import torch
from torch import nn

from pipeline.export.onnx_export import export_onnx
from schemas.exported_model import ExportCard

os.environ.setdefault("OMP_NUM_THREADS", "1")


class SmallNetwork(nn.Module):
    """A convolution, a batch norm that does something, attention-free: exports in a second."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(12, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.dense = nn.Linear(8 * 121 + 48, 16)
        self.policy = nn.Linear(16, 4)
        self.value = nn.Linear(16, 1)
        self.dropout = nn.Dropout(0.5)
        nn.init.uniform_(self.norm.running_mean, -1, 1)
        nn.init.uniform_(self.norm.running_var, 0.5, 2)

    def forward(self, board_state, snake_features, game_context):
        seen = torch.relu(self.norm(self.stem(board_state))).flatten(1)
        joined = torch.cat([seen, snake_features, game_context], 1)
        told = torch.relu(self.dropout(self.dense(joined)))
        return 5 * self.policy(told), torch.tanh(self.value(told))


def small_network(seed=3):
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    return SmallNetwork()


@pytest.fixture(scope="session")
def network():
    return small_network()


@pytest.fixture(scope="session")
def card():
    return ExportCard(
        model_id="small-1", version="1", win_rate=0.5, win_rate_low=0.4, win_rate_high=0.6, games=100, opponent="strong"
    )


@pytest.fixture(scope="session")
def exported(tmp_path_factory, network, card):
    path = tmp_path_factory.mktemp("exported") / "champion.onnx"
    export_onnx(network, path, card=card)
    return path
