"""Chance that is drawn before a step is the chance that nodes draw in it."""

import pytest
import torch
from torch import Tensor

from t2iflow.nodes.core.ambient import Random
from t2iflow.nodes.core.chance import Chance
from tests.captured import Captured

CPU = torch.device("cpu")
CALLS = (("cuts", 0), ("cuts", 1), ("canvas", 0), ("silent", 0))


def drawn(random: Random) -> list[Tensor]:
    """Something of everything."""
    return [
        random.uniform(3, low=-1, high=2),
        random.normal(2, 5, mean=0.8, std=0.3),
        random.integers(7, below=1000),
        random.noise_like(torch.empty(1, 3, 5, 5)).mul_(2),
        random.chance(3, 1, of=0.4),
        random.noise_like(torch.empty(4, dtype=torch.bfloat16)),
        random.normal(40, 2),
    ]


def fresh(step: int) -> dict[tuple[str, int], Random]:
    return {(name, part): Random(5, name, step, part) for name, part in CALLS}


def test_the_numbers_are_those_of_each_step() -> None:
    chance = Chance(CPU)
    for step in range(4):
        chance.renew(fresh(step))
        for call, random in fresh(step).items():
            if call[0] != "silent":
                ours, theirs = drawn(chance[call]), drawn(random)
                assert all(torch.equal(one, two) for one, two in zip(ours, theirs, strict=True))


def test_they_lie_where_they_lay() -> None:
    chance, places = Chance(CPU), []
    for step in range(3):
        chance.renew(fresh(step))
        places.append([chance[call].integers(7, below=9).data_ptr() for call in CALLS])
    assert places[1] == places[2] != places[0]
    assert len(set(places[1])) == len(CALLS)


def test_from_the_second_step_on_nothing_is_drawn_in_it() -> None:
    chance = Chance(CPU)
    for step in range(2):
        chance.renew(fresh(step))
        if step == 0:
            drawn(chance["cuts", 0])
    with Captured(CPU):
        drawn(chance["cuts", 0])


@pytest.mark.parametrize("count", [1, 3])
def test_a_node_that_draws_other_numbers_than_in_the_first_step_is_refused(count: int) -> None:
    chance = Chance(CPU)
    chance.renew(fresh(0))
    chance["cuts", 0].uniform(2)
    chance.renew(fresh(1))
    with pytest.raises(ValueError, match="other random numbers"):
        chance["cuts", 0].uniform(count)


def test_a_node_that_draws_more_is_refused() -> None:
    chance = Chance(CPU)
    for step in range(2):
        chance.renew(fresh(step))
        chance["cuts", 0].uniform(2)
    with pytest.raises(ValueError, match="other random numbers"):
        chance["cuts", 0].uniform(2)
