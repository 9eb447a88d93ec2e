import torch

from models.transformer.dit import DiTBlock, EmotionControl


def test_untrained_module_is_the_identity_bit_for_bit():
    module = EmotionControl(16, 2, 4, blocks=2, num_labels=8)
    hidden = torch.randn(3, 7, 16)
    weights = torch.softmax(torch.randn(3, 1, 9), dim=-1)
    assert torch.equal(module(hidden, torch.randn(3, 16), weights), hidden)


def test_parameter_count():
    assert sum(p.numel() for p in DiTBlock(64, 4, 4).parameters()) == 18 * 64**2 + 15 * 64


def test_condition_moves_the_output_once_modulations_are_set():
    torch.manual_seed(0)
    module = EmotionControl(16, 2, 4, blocks=2, num_labels=2)
    for block in module.blocks:
        torch.nn.init.normal_(block.modulation[1].weight)
    hidden, time = torch.randn(1, 7, 16), torch.randn(1, 16)
    happy, null = torch.tensor([[[1.0, 0, 0]]]), torch.tensor([[[0, 0, 1.0]]])
    assert not torch.allclose(module(hidden, time, happy), module(hidden, time, null))
    per_frame = happy.expand(1, 7, 3)
    torch.testing.assert_close(module(hidden, time, per_frame), module(hidden, time, happy))


def test_gradients_against_differences_in_float64():
    torch.manual_seed(0)
    block = DiTBlock(8, 2, 2).double()
    torch.nn.init.normal_(block.modulation[1].weight)
    x, condition = torch.randn(1, 4, 8, dtype=torch.float64), torch.randn(1, 1, 8, dtype=torch.float64)
    assert torch.autograd.gradcheck(block, (x.requires_grad_(), condition.requires_grad_()))


def test_a_mix_of_emotions_is_the_mix_of_their_conditions():
    torch.manual_seed(0)
    module = EmotionControl(16, 2, 4, blocks=1, num_labels=2)
    torch.nn.init.normal_(module.blocks[0].modulation[1].weight)
    hidden, time = torch.randn(1, 7, 16), torch.randn(1, 16)
    mixed = module(hidden, time, torch.tensor([[[0.7, 0.2, 0.1]]]))
    condition = 0.7 * module.labels[0] + 0.2 * module.labels[1] + 0.1 * module.labels[2]
    torch.testing.assert_close(mixed, module.blocks[0](hidden, (condition + time)[:, None]))
