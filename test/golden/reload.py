"""Checkpoints that flow saved, read by transformers.

python3 test/golden/reload.py FIRST SAVED [FIRST SAVED ...] loads the folder that a training started from and the one that it saved with a
learning rate of 0, both in float32, and ends with 1 unless every name is there, none is left over, and the logits of the prompt
in FIRST/expected.json, without its clip, are equal.
"""
import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
import torch
from transformers import AutoModelForImageTextToText


def logits(folder, ids):
    model, info = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    wrong = {what: sorted(names) for what, names in info.items() if names}
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits, wrong


bad = 0
for first, saved in zip(sys.argv[1::2], sys.argv[2::2]):
    with open(os.path.join(first, "expected.json")) as file:
        ids = [token for token in json.load(file)["prompt"] if token >= 0]
    before, _ = logits(first, ids)
    after, wrong = logits(saved, ids)
    difference = (before - after).abs().max().item()
    print(f"{saved}: names {'as they are wanted' if not wrong else wrong}, largest difference of logits {difference:.1e}")
    bad += bool(wrong) or difference > 0
sys.exit(bad > 0)
