"""Memory of a batch goes to the next one, and never while anything still reads it."""

from __future__ import annotations

import numpy as np
import torch

from training.engine.memory import ReusedMemory


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def test_what_nobody_holds_is_lent_again():
    memory = ReusedMemory()
    first = memory.empty((3, 4), np.float16)
    place = address(first)
    assert first.shape == (3, 4) and first.dtype == np.float16
    del first
    assert address(memory.empty((3, 4), np.float16)) == place


def test_a_part_of_it_keeps_the_whole():
    memory = ReusedMemory()
    for part_of in (lambda whole: whole[1:], lambda whole: whole[1:].view()[:, :2], lambda whole: whole.T.reshape(-1),
                    lambda whole: torch.from_numpy(whole)[1:].numpy()):
        whole = memory.empty((3, 4), np.float32)
        whole[...] = 7
        part = part_of(whole)
        del whole
        memory.empty((3, 4), np.float32)[...] = 1
        assert (part == 7).all()


def test_another_shape_forgets_what_was_there():
    memory = ReusedMemory()
    old = memory.empty((2, 2), np.float32)
    new = memory.empty((2, 3), np.float32)
    del old
    assert memory.empty((2, 3), np.float32).shape == (2, 3) and new.shape == (2, 3)
