"""Checkpoints are whole, belong to their identity, and never execute code."""

import pickle

import pytest
import torch

from uncanny.runtime import checkpoints

IDENTITY = {"network": {"kind": "unet", "width": 16}, "training": {"lr": 0.001}}


def state(**changes):
    weights = {"a": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(3)}
    base = {
        "identity": IDENTITY,
        "seed": 0,
        "epoch": 1,
        "status": "ok",
        "average": weights,
        "history": [{"loss": 0.5}],
    }
    return base | changes


def test_round_trip(tmp_path):
    path = tmp_path / "epoch-1.pt"
    checkpoints.save(path, state())
    result = checkpoints.load(path, identity=IDENTITY, seed=0)
    assert torch.equal(result["average"]["a"], state()["average"]["a"])
    assert result["history"] == [{"loss": 0.5}]


def test_the_same_state_gives_the_same_bytes(tmp_path):
    checkpoints.save(tmp_path / "a.pt", state())
    checkpoints.save(tmp_path / "b.pt", state())
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_truncated(tmp_path, share):
    path = tmp_path / "epoch-1.pt"
    checkpoints.save(path, state())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"epoch-1\.pt: not a whole checkpoint"):
        checkpoints.load(path)


def test_a_flipped_bit_in_a_weight_is_noticed(tmp_path):
    path = tmp_path / "epoch-1.pt"
    checkpoints.save(path, state())
    content = bytearray(path.read_bytes())
    at = content.find(torch.arange(6.0).numpy().tobytes())
    assert at > 0
    content[at + 9] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a whole checkpoint"):
        checkpoints.load(path)


def test_other_parameters_are_named(tmp_path):
    path = tmp_path / "epoch-1.pt"
    checkpoints.save(path, state())
    other = {"network": {"kind": "unet", "width": 32}, "training": {"lr": 0.001}}
    with pytest.raises(
        ValueError,
        match=r"made with other parameters: identity has network.width = 16; expected .* 32",
    ):
        checkpoints.load(path, identity=other)
    with pytest.raises(ValueError, match="seed has 0; expected 1"):
        checkpoints.load(path, seed=1)


def test_missing(tmp_path):
    with pytest.raises(ValueError, match="no such checkpoint"):
        checkpoints.load(tmp_path / "none.pt")


class Hostile:
    def __reduce__(self):
        return (print, ("executed",))


def test_code_in_a_file_is_not_executed(tmp_path, capsys):
    path = tmp_path / "hostile.pt"
    path.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(ValueError, match="not a whole checkpoint"):
        checkpoints.load(path)
    torch.save({"x": Hostile()}, path)
    with pytest.raises(ValueError, match="not a whole checkpoint"):
        checkpoints.load(path)
    assert "executed" not in capsys.readouterr().out
