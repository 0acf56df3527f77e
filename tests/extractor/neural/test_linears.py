"""Linear layers of prediction."""

import pytest
import torch
from torch import nn

from kgmill.extractor.neural.linears import Int8Linear, OneDnnLinear, replace_linears

needs_onednn = pytest.mark.skipif(not OneDnnLinear.is_available(), reason="this torch has no oneDNN")
KINDS = [Int8Linear, pytest.param(OneDnnLinear, marks=needs_onednn)]


def error(linear, x):
    """The relative error of the int8 layer, in the Frobenius norm."""
    with torch.inference_mode():
        expected = linear(x)
        return ((Int8Linear(linear)(x) - expected).norm() / expected.norm()).item()


def test_int8_is_near():
    """Rows of very different sizes are all near what fp32 gives, as each has its own scale."""
    torch.manual_seed(0)
    x = torch.randn(4, 16, 64) * torch.logspace(-3, 3, 16)[:, None]

    assert 0 < error(nn.Linear(64, 48), x) < 0.02


def test_weights_of_very_different_rows():
    """Output channels of very different sizes are each near too."""
    linear = nn.Linear(64, 48, bias=False)
    with torch.no_grad():
        linear.weight.mul_(torch.logspace(-3, 3, 48)[:, None])
    x = torch.randn(8, 64)

    with torch.inference_mode():
        expected, found = linear(x), Int8Linear(linear)(x)

    assert ((found - expected).norm(dim=0) / expected.norm(dim=0)).max().item() < 0.05


def test_grid_points_are_exact():
    """What lies on the grid of 255 levels is computed without error."""
    linear = nn.Linear(3, 2)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[127.0, -3.0, 5.0], [1.0, 127.0, 0.0]]))
        linear.bias.copy_(torch.tensor([0.5, -0.5]))
    x = torch.tensor([[127.0, 2.0, -4.0], [0.0, 0.0, 0.0]])

    with torch.inference_mode():
        found = Int8Linear(linear)(x)

    assert found.flatten().tolist() == pytest.approx(linear(x).flatten().tolist())


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_does_not_depend_on_others(kind):
    """A huge neighbour changes no bit of a row."""
    torch.manual_seed(0)
    layer, x = kind(nn.Linear(64, 32)), torch.randn(16, 64)
    other = x.clone()
    other[8:] *= 1e6

    with torch.inference_mode():
        assert torch.equal(layer(x)[:8], layer(other)[:8])


@needs_onednn
@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("shape", [(7, 64), (2, 5, 64), (0, 64)])
def test_onednn_is_fp32(shape, has_bias):
    """Nothing differs but the last bits, whatever the input's shape."""
    torch.manual_seed(0)
    linear, x = nn.Linear(64, 48, bias=has_bias), torch.randn(shape)

    with torch.inference_mode():
        expected, found = linear(x), OneDnnLinear(linear)(x)

    assert found.shape == expected.shape
    assert torch.allclose(found, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_all_linear_layers_inside(kind):
    """Every linear layer is replaced, at any depth, and nothing else."""
    model = nn.Sequential(nn.Linear(8, 8), nn.ModuleDict({"a": nn.Sequential(nn.Tanh(), nn.Linear(8, 4))}))

    replace_linears(model, kind)

    kinds = [type(module) for module in model.modules() if not list(module.children())]
    assert kinds == [kind, nn.Tanh, kind]
