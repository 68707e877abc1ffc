import torch

from fedmed.config.build import experiment_from
from fedmed.strategies.fedbn import FedBN
from tests.toys import TOYS, federate

NORM = {f"features.norm.{n}" for n in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")}


def test_normalisation_differs_between_clients_and_never_travels() -> None:
    ended = federate(TOYS["multiclass"], FedBN(), rounds=2)
    own = [ended.memory(client)["@local"] for client in range(3)]
    assert all(entries.keys() == NORM for entries in own)
    for name in NORM - {"features.norm.num_batches_tracked"}:
        assert not torch.equal(own[0][name], own[1][name])
    assert own[0]["features.norm.num_batches_tracked"] == 6
    assert not {name for _, _, tensors in ended.grid.recorded for name in tensors} & NORM
    assert "features.conv.weight" in ended.shared


def test_a_client_goes_on_from_its_own_normalisation() -> None:
    one = federate(TOYS["multiclass"], FedBN(), rounds=1)
    statistics = one.memory(0)["@local"]["features.norm.running_mean"].clone()
    two = federate(TOYS["multiclass"], FedBN(), rounds=2, shared=one.shared, grid=one.grid, progress=one.progress)
    after = two.memory(0)["@local"]["features.norm.running_mean"]
    from_zero = federate(TOYS["multiclass"], FedBN(), rounds=1, shared=one.shared).memory(0)["@local"]
    assert not torch.equal(after, statistics)
    # three steps of momentum 0.1 keep 0.9^3 of where they started from
    torch.testing.assert_close(after - from_zero["features.norm.running_mean"], 0.9**3 * statistics, atol=0.02, rtol=0)


def test_what_we_recommend_under_domain_shift_is_fedbn() -> None:
    members = experiment_from(["strategy=domain_shift", "model.norm=batch"]).methods.members
    assert members == {"fedbn": FedBN()}
