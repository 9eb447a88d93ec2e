"""Toy speech networks with seeded, untrained weights: the path of Wav2Vec2 and HuBERT without their weights.

The convolutions keep their published kernels and strides, so that states come at the same times; all widths are toy.
"""

from __future__ import annotations

import torch

TOY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
       "conv_dim": (16,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}


def untrained_network(kind: str, seed: int = 0) -> torch.nn.Module:
    """`wav2vec2` or `hubert` at toy width; the same seed gives the same weights."""
    import transformers

    config, network = {"wav2vec2": (transformers.Wav2Vec2Config, transformers.Wav2Vec2Model),
                       "hubert": (transformers.HubertConfig, transformers.HubertModel)}[kind]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network(config(**TOY)).eval().requires_grad_(False)
