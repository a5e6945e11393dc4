"""PyTorch and transformers on the work that `npm run bench` times: random weights of the released shape, float16.

python3 test/bench/baseline.py [gemm encode prefill decode update step] prints one JSON object a line: name, milliseconds
(median), spread (half the middle 80 % over the median), rounds.
"""
import json
import statistics
import sys
import time

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM, SiglipVisionConfig, SiglipVisionModel, StaticCache

HALF = torch.float16
ROUNDS = 20


def timed(name, run, rounds=ROUNDS, repeats=1):
    for _ in range(3):
        run()
    torch.cuda.synchronize()
    milliseconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(repeats):
            run()
        torch.cuda.synchronize()
        milliseconds.append((time.perf_counter() - started) * 1000 / repeats)
    milliseconds.sort()
    last = len(milliseconds) - 1
    median = statistics.median(milliseconds)
    spread = (milliseconds[round(0.9 * last)] - milliseconds[round(0.1 * last)]) / 2 / median
    print(json.dumps({"name": name, "milliseconds": median, "spread": spread, "rounds": rounds}), flush=True)
    return median


def language_model(attention="sdpa"):
    config = Qwen2Config(
        hidden_size=2048, intermediate_size=11008, num_hidden_layers=36, num_attention_heads=16,
        num_key_value_heads=2, vocab_size=151936, rope_theta=1e6, max_position_embeddings=32768,
        tie_word_embeddings=True, attn_implementation=attention,
    )
    with torch.device("cuda"):
        torch.set_default_dtype(HALF)
        model = Qwen2ForCausalLM(config).eval()
        torch.set_default_dtype(torch.float32)
    return model


def gemm():
    a = torch.randn(8192, 2048, device="cuda", dtype=HALF)
    b = torch.randn(11008, 2048, device="cuda", dtype=HALF)
    timed("gemm 8192x11008x2048", lambda: a @ b.T, repeats=20)


@torch.no_grad()
def encode():
    config = SiglipVisionConfig(
        hidden_size=1152, intermediate_size=4304, num_hidden_layers=27, num_attention_heads=16, image_size=384,
        patch_size=14, attn_implementation="sdpa",
    )
    model = SiglipVisionModel(config).to("cuda", HALF).eval()
    pixels = torch.randn(16, 3, 384, 384, device="cuda", dtype=HALF)
    return timed("encode 16 frames", lambda: model(pixels, output_hidden_states=True).hidden_states[-2])


@torch.no_grad()
def prefill():
    model = language_model()
    embeddings = torch.randn(1, 700, 2048, device="cuda", dtype=HALF)
    return timed("prefill 700", lambda: model(inputs_embeds=embeddings, use_cache=True, logits_to_keep=1))


@torch.no_grad()
def decode():
    model = language_model()
    prompt, new = 600, 24
    for count in (1, 8):
        ids = torch.randint(0, 150000, (count, prompt), device="cuda")

        def generated(tokens):
            model.generate(ids, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=True, top_k=50, pad_token_id=0)
            torch.cuda.synchronize()

        generated(2)
        steps = []
        for _ in range(3):
            started = time.perf_counter()
            generated(1)
            first = time.perf_counter()
            generated(1 + new)
            steps.append((time.perf_counter() - first - (first - started)) * 1000 / new)
        print(json.dumps({"name": f"generate step {count}", "milliseconds": statistics.median(steps), "rounds": 3}), flush=True)
    for count in (1, 8, 64):
        captured_step(model, count, prompt)


def captured_step(model, count, prompt):
    """One token of each sequence with a static cache, sampling included, as a CUDA graph."""
    cache = StaticCache(config=model.config, max_cache_len=prompt + 360)
    ids = torch.randint(0, 150000, (count, prompt), device="cuda")
    model(ids, past_key_values=cache, cache_position=torch.arange(prompt, device="cuda"), logits_to_keep=1)
    token = torch.zeros(count, 1, dtype=torch.long, device="cuda")
    position = torch.tensor([prompt + 100], device="cuda")

    def step():
        logits = model(
            token, past_key_values=cache, cache_position=position, position_ids=position.expand(count, 1)
        ).logits[:, -1]
        best, which = logits.float().topk(50)
        drawn = torch.multinomial(best.softmax(-1), 1)
        token.copy_(which.gather(1, drawn))

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return timed(f"captured step {count}", graph.replay, repeats=10)


def update():
    """One GRPO update of 8 x 956 tokens, 356 of them supervised: reference, policy with checkpointing, AdamW."""
    reference = language_model()
    policy = language_model().train()
    policy.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-6, fused=True)
    ids = torch.randint(0, 150000, (8, 956), device="cuda")

    def log_probabilities(model):
        logits = model(ids, logits_to_keep=357, use_cache=False).logits[:, :-1]
        found = [torch.log_softmax(row.float(), -1).gather(1, want[:, None])[:, 0] for row, want in zip(logits, ids[:, -356:])]
        return torch.stack(found)

    def run():
        with torch.no_grad():
            before = log_probabilities(reference)
        after = log_probabilities(policy)
        gap = before - after
        loss = (-(after - after.detach()).exp() + 0.01 * (gap.exp() - gap - 1)).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return timed("update 8x956", run, rounds=10)


def step():
    """A whole step of one prompt, put together: 16 frames, a prefill, 360 captured steps of 8 sequences, an update."""
    parts = [encode(), prefill()]
    torch.cuda.empty_cache()
    with torch.no_grad():
        parts.append(360 * captured_step(language_model(), 8, 600))
    torch.cuda.empty_cache()
    parts.append(update())
    print(json.dumps({"name": "whole step", "milliseconds": sum(parts), "rounds": 1}), flush=True)


if __name__ == "__main__":
    works = {f.__name__: f for f in (gemm, encode, prefill, decode, update, step)}
    print(json.dumps({"gpu": torch.cuda.get_device_name(), "torch": torch.__version__}), flush=True)
    for wanted in sys.argv[1:] or [name for name in works if name != "step"]:
        try:
            works[wanted]()
        except Exception as error:  # a library of another version must not hide the other numbers
            print(json.dumps({"name": wanted, "error": f"{type(error).__name__}: {error}"[:400]}), flush=True)
        torch.cuda.empty_cache()
