"""A tiny BERT made on the spot: no weights are downloaded. Argument: `cpu` or `cuda`."""

import sys

import torch
import transformers

device = sys.argv[1]
torch.manual_seed(7)
config = transformers.BertConfig(
    vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64
)
model = transformers.BertModel(config).eval().to(device)
tokens = torch.arange(24, device=device).reshape(2, 12)
with torch.inference_mode():
    first = model(input_ids=tokens).last_hidden_state
    again = model(input_ids=tokens).last_hidden_state
assert first.shape == (2, 12, 32), first.shape
assert torch.isfinite(first).all(), "the result is not finite"
assert torch.allclose(first, again), "the result differs from run to run"
print(f"transformers {transformers.__version__}, torch {torch.__version__}, on {device}")
