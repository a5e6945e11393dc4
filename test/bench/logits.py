"""Logits of the language model of a checkpoint folder by transformers in float32.

python3 test/bench/logits.py FOLDER PROMPT_TOKENS NEW_TOKENS OUT writes NEW_TOKENS greedy tokens after a prompt of
made-up ids, then OUT: for each of them the logits that it was chosen from, float32 (NEW_TOKENS, vocabulary). Prints
one JSON object: the prompt's ids and the tokens.
"""
import glob
import json
import os
import sys

import torch
from safetensors import safe_open
from transformers import Qwen2Config, Qwen2ForCausalLM

PREFIX = "language_model."


def load(folder):
    with open(os.path.join(folder, "config.json")) as file:
        sizes = json.load(file)["text_config"]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    with torch.device(device):
        model = Qwen2ForCausalLM(Qwen2Config.from_dict(sizes)).float().eval()
    theta = getattr(model.config, "rope_theta", None) or model.config.rope_parameters["rope_theta"]
    if theta != sizes["rope_theta"]:
        raise SystemExit(f"rope_theta: must be {sizes['rope_theta']}, transformers took {theta}")
    weights = {}
    for path in glob.glob(os.path.join(folder, "*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():
                if name.startswith(PREFIX):
                    weights[name[len(PREFIX):]] = file.get_tensor(name).float()
    missing, unexpected = model.load_state_dict(weights, strict=False)
    missing = [name for name in missing if name != "lm_head.weight"]
    if missing or unexpected:
        raise SystemExit(f"weights do not fit: missing {missing[:3]}, unexpected {unexpected[:3]}")
    model.tie_weights()
    return model, device


@torch.no_grad()
def main(folder, prompt, new, out):
    model, device = load(folder)
    vocabulary = model.config.vocab_size
    ids = [(7919 * i + 13) % vocabulary for i in range(prompt)]
    tokens, rows = [], []
    past, given = None, torch.tensor([ids], device=device)
    for _ in range(new):
        step = model(given, past_key_values=past, use_cache=True, logits_to_keep=1)
        past, row = step.past_key_values, step.logits[0, -1]
        rows.append(row.float().cpu())
        tokens.append(int(row.argmax()))
        given = torch.tensor([tokens[-1:]], device=device)
    torch.stack(rows).numpy().tofile(out)
    print(json.dumps({"ids": ids, "tokens": tokens}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
