from dataclasses import replace

import pytest
import torch

from solverproof.auditing.reference import Reference
from solverproof.evaluation.references import from_arrays, to_arrays
from solverproof.files import read_arrays, write_arrays

FLOW = Reference(
    state=torch.tensor([[[1.0, 1 / 3]], [[0.0, torch.nan]]], dtype=torch.float64),
    outputs=torch.tensor([[2.0], [torch.nan]], dtype=torch.float64),
    distance=torch.tensor([1e-12, torch.inf], dtype=torch.float64),
    resolved=torch.tensor([True, False]),
    nfe=1234,
    sure=torch.tensor([False, True]),
)
LOST = replace(FLOW, sure=None, status="unresolved", reason="Dopri 5 at 1.2·10⁻⁶ gave up")


@pytest.mark.parametrize("flows", [{0: FLOW, 7: LOST, 11: FLOW}, {3: LOST}, {}])
def test_references_are_read_as_they_were_written(flows, tmp_path):
    write_arrays(tmp_path / "a.safetensors", to_arrays(flows))
    found = from_arrays(read_arrays(tmp_path / "a.safetensors"))
    assert list(found) == list(flows)
    for seed, flow in flows.items():
        for name, value in vars(flow).items():
            other = getattr(found[seed], name)
            if isinstance(value, torch.Tensor):
                assert other.dtype == value.dtype
                assert torch.equal(other.nan_to_num(9), value.nan_to_num(9))
            else:
                assert other == value
