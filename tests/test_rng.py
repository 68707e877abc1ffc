import torch

from fedmed import rng


def test_a_seed_depends_on_every_part_of_its_key() -> None:
    keys = [(0,), (1,), (0, "a"), (0, "b"), (0, "a", 1), (0, "a", 2), (0, 1, "a"), (0, "a1"), (0, "1"), (0, 1)]
    assert len({rng.seed_of(*key) for key in keys}) == len(keys)


def test_seeds_are_the_same_in_every_process_and_fit_63_bits() -> None:
    assert rng.seed_of(0, "batches", 1, 2) == 7117115908189439814
    assert all(0 <= rng.seed_of(seed, "x") < 2**63 for seed in range(100))


def test_generators_repeat_for_a_key_and_differ_between_keys() -> None:
    draws = [torch.rand(3, generator=rng.generator(0, "a", i)).tolist() for i in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    rows = [rng.numpy_generator(0, "a", i).random(3).tolist() for i in (1, 1, 2)]
    assert rows[0] == rows[1] != rows[2]


def test_generators_leave_the_global_one_alone() -> None:
    before = torch.get_rng_state()
    torch.rand(3, generator=rng.generator(0, "a"))
    rng.numpy_generator(0, "a").random()
    assert torch.equal(torch.get_rng_state(), before)


def test_seeded_blocks_repeat_and_restore_the_global_generator() -> None:
    before = torch.get_rng_state()
    draws = []
    for key in ("a", "a", "b"):
        with rng.seeded(0, key):
            draws.append(torch.rand(3).tolist())
    assert draws[0] == draws[1] != draws[2]
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_depends_on_its_key_only() -> None:
    draws = []
    with torch.random.fork_rng(devices=[]):
        for key in ((0, 1, 2), (0, 1, 2), (0, 1, 3)):
            rng.seed_dropout(*key)
            draws.append(torch.rand(3).tolist())
    assert draws[0] == draws[1] != draws[2]
