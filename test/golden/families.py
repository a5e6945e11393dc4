"""Numbers of small models of other families, by transformers in float64 on the CPU.

python3 test/golden/families.py FAMILY TOKENIZER OUT writes the folder OUT: a checkpoint with random weights of awkward sizes as
save_pretrained writes it, the files of the folder TOKENIZER, and
  expected.json          ids of a prompt (-200 where visual tokens of the clip go), labels, greedy ids, loss
  expected.safetensors   frames, features of the tower, visual tokens, logits of the prompt, gradients of the loss

FAMILY is one of FAMILIES. Norms and rotations are in float32 there, as in every version of transformers.
"""
import json
import os
import shutil
import sys

import torch
from safetensors.torch import save_file

IMAGE_ID = 448  # above every id of the tokenizer
PLACEHOLDER = -200


def smolvlm():
    from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration

    config = SmolVLMConfig(
        image_token_id=IMAGE_ID,
        scale_factor=2,
        tie_word_embeddings=False,
        vision_config=dict(
            hidden_size=18,
            intermediate_size=29,
            num_hidden_layers=2,
            num_attention_heads=3,
            image_size=25,
            patch_size=6,
            hidden_act="gelu_pytorch_tanh",
        ),
        text_config=dict(
            model_type="llama",
            hidden_size=30,
            intermediate_size=37,
            num_hidden_layers=2,
            num_attention_heads=3,
            num_key_value_heads=1,
            head_dim=10,
            vocab_size=449,
            rms_norm_eps=1e-5,
            max_position_embeddings=4096,
            eos_token_id=397,
            bos_token_id=397,
            pad_token_id=2,
            rope_parameters=dict(rope_type="default", rope_theta=1e5),
        ),
    )
    return SmolVLMForConditionalGeneration, config, 25, 4


FAMILIES = {"smolvlm": smolvlm}


def main(family, tokenizer, out):
    torch.manual_seed(7)
    kind, config, side, tokens_of_frame = FAMILIES[family]()
    config._attn_implementation = "eager"
    model = kind(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape)
            if weight.ndim > 1:
                scale = 0.5 if "embed" in name and "patch" not in name else (weight.numel() / weight.shape[0]) ** -0.5
                weight.copy_(scale * noise)
            elif name.endswith("weight"):
                weight.copy_(1 + 0.1 * noise)
            else:
                weight.copy_(0.05 * noise)
    model.save_pretrained(out)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(os.path.join(tokenizer, name), out)
    model = model.double()

    frames = torch.randn(2, 3, side, side).clamp(-1, 1).float().double()
    words = torch.randint(0, 397, (40,)).tolist()
    prompt = [*words[:5], PLACEHOLDER, *words[5:8], PLACEHOLDER, *words[8:14]]
    answer = [*words[14:24], 397]
    ids = [*prompt, *answer]
    labels = [-100] * len(prompt) + answer

    def expanded(of, fill):
        return [x for i, x in zip(ids, of) for x in ([fill] * tokens_of_frame if i == PLACEHOLDER else [x])]

    def run(tokens):
        return model(input_ids=torch.tensor([tokens]), pixel_values=frames[None], use_cache=False).logits[0]

    tower = model.model.vision_model(pixel_values=frames).last_hidden_state
    visual = model.model.connector(tower)
    given = expanded(ids, IMAGE_ID)
    wanted = torch.tensor(expanded(labels, -100))
    start = sum(tokens_of_frame if i == PLACEHOLDER else 1 for i in prompt)
    logits = run(given)
    loss = torch.nn.functional.cross_entropy(logits[:-1], wanted[1:], ignore_index=-100)
    loss.backward()
    greedy = given[:start]
    with torch.no_grad():
        for _ in range(12):
            greedy.append(int(run(greedy)[-1].argmax()))
    tensors = {
        "frames": frames,
        "vision.features": tower.reshape(-1, tower.shape[-1]),
        "connector.out": visual.reshape(-1, visual.shape[-1]),
        "prompt.logits": logits[:start],
    }
    for name, weight in model.named_parameters():
        if weight.grad is not None:
            tensors["sft.grad." + name] = weight.grad
    tensors = {name: tensor.detach().float().contiguous() for name, tensor in tensors.items()}
    save_file(tensors, os.path.join(out, "expected.safetensors"))
    expected = {"prompt": prompt, "ids": ids, "labels": labels, "loss": float(loss), "greedy": greedy[start:]}
    with open(os.path.join(out, "expected.json"), "w") as file:
        json.dump(expected, file)
    import transformers

    print(family, "transformers", transformers.__version__, "loss", float(loss), sorted(os.listdir(out)))


main(*sys.argv[1:])
