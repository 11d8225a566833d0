"""Trains Llama models in plain PyTorch, in double precision, and writes what it computed.

Usage: pytorch_steps.py FOLDER...

Every FOLDER holds a model in Hugging Face form (config.json, model.safetensors) and steps.json:
  {"learning_rate", "beta1", "beta2", "epsilon", "weight_decay", "steps": [{"ids", "starts", "targets"}, ...]}
ids of packed documents, starts[i] the index of the first token of i's document, targets -1 where there is no loss.
Written beside them: results.json, {"losses": [mean loss of each step], "tensors": {name: {"offset", "count"}}}, and results.bin with
the tensors as little-endian doubles: "gradient NAME" of the first step, "weight NAME" after the first and "last NAME" after the last
update.
"""

import json
import math
import sys

import numpy as np
import torch

TYPES = {"F32": np.float32, "F64": np.float64}


def load_weights(path):
    data = open(path, "rb").read()
    start = 8 + int.from_bytes(data[:8], "little")
    weights = {}
    for name, entry in json.loads(data[8:start]).items():
        if name == "__metadata__":
            continue
        first, end = entry["data_offsets"]
        values = np.frombuffer(data[start + first:start + end], TYPES[entry["dtype"]]).reshape(entry["shape"])
        weights[name] = torch.tensor(values.astype(np.float64), requires_grad=True)
    return weights


def rotary_frequencies(config, head_size):
    frequencies = float(config["rope_theta"]) ** (-torch.arange(0, head_size, 2, dtype=torch.float64) / head_size)
    scaling = config.get("rope_scaling")
    if scaling is None:
        return frequencies
    if scaling["rope_type"] != "llama3":
        raise ValueError("rope scaling " + scaling["rope_type"])
    turns = scaling["original_max_position_embeddings"] * frequencies / (2 * math.pi)
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    kept = ((turns - low) / (high - low)).clamp(0, 1)
    return frequencies * (kept + (1 - kept) / scaling["factor"])


def normalize(x, gain, epsilon):
    return gain * x / (x.square().mean(-1, keepdim=True) + epsilon).sqrt()


def bound(x, cap, curve):
    if not cap:
        return x
    return cap * (x / cap).tanh() if curve == "tanh" else x / (1 + (x / cap).square()).sqrt()


def rotate(x, angles):
    first, second = x.chunk(2, -1)
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)


def attend(x, weights, layer, config, angles, mask):
    heads, kv_heads, size = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
    prefix = f"model.layers.{layer}.self_attn."
    q, k, v = ((x @ weights[f"{prefix}{part}_proj.weight"].T).view(len(x), -1, size) for part in "qkv")
    if config["model_type"] == "qwen3" or config.get("qk_norm"):
        q, k = (normalize(t, weights[f"{prefix}{part}_norm.weight"], config["rms_norm_eps"]) for part, t in (("q", q), ("k", k)))
    scale = 1 / size if config.get("maximal_update") else 1 / math.sqrt(size)
    if config.get("no_rope_layers", [1] * config["num_hidden_layers"])[layer]:
        q, k = rotate(q, angles), rotate(k, angles)
    mixed = []
    for head in range(heads):
        group = head // (heads // kv_heads)
        scores = bound(q[:, head] @ k[:, group].T * scale, config.get("attn_logit_softcapping"), "tanh").masked_fill(~mask, -math.inf)
        mixed.append(scores.softmax(-1) @ v[:, group])
    return torch.cat(mixed, -1) @ weights[prefix + "o_proj.weight"].T


def mean_loss(weights, config, step):
    ids, starts, targets = (torch.tensor(step[name]) for name in ("ids", "starts", "targets"))
    index = torch.arange(len(ids))
    angles = (index - starts)[:, None] * rotary_frequencies(config, config["head_dim"])
    mask = (index[None] <= index[:, None]) & (index[None] >= starts[:, None])
    epsilon = config["rms_norm_eps"]
    update = config.get("maximal_update") or {}
    branch = (update.get("base_num_hidden_layers") or config["num_hidden_layers"]) / config["num_hidden_layers"]
    h = weights["model.embed_tokens.weight"][ids] * update.get("embedding_multiplier", 1)
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        x = normalize(h, weights[prefix + "input_layernorm.weight"], epsilon)
        h = h + branch * attend(x, weights, layer, config, angles, mask)
        x = normalize(h, weights[prefix + "post_attention_layernorm.weight"], epsilon)
        gate, up = (x @ weights[f"{prefix}mlp.{part}_proj.weight"].T for part in ("gate", "up"))
        h = h + branch * (torch.nn.functional.silu(gate) * up) @ weights[prefix + "mlp.down_proj.weight"].T
    head = weights["model.embed_tokens.weight" if config["tie_word_embeddings"] else "lm_head.weight"]
    scale = update.get("logits_multiplier", 1) * update.get("base_hidden_size", config["hidden_size"]) / config["hidden_size"]
    logits = scale * normalize(h, weights["model.norm.weight"], epsilon) @ head.T
    logits = bound(logits, config.get("final_logit_softcapping"), config.get("final_logit_softcapping_curve"))
    return torch.nn.functional.cross_entropy(logits, targets, ignore_index=-1)


def train(folder):
    config, job = (json.load(open(f"{folder}/{name}.json")) for name in ("config", "steps"))
    weights = load_weights(f"{folder}/model.safetensors")
    decays = {name: weight.dim() > 1 and "embed_tokens" not in name for name, weight in weights.items()}
    groups = [
        {"params": [weight for name, weight in weights.items() if decays[name] == decay],
         "weight_decay": job["weight_decay"] if decay else 0.0}
        for decay in (False, True)
    ]
    optimizer = torch.optim.AdamW(
        groups, lr=job["learning_rate"], betas=(job["beta1"], job["beta2"]), eps=job["epsilon"])
    losses, tensors, offset = [], {}, 0
    with open(f"{folder}/results.bin", "wb") as data:
        def keep(kind, name, tensor):
            nonlocal offset
            tensors[f"{kind} {name}"] = {"offset": offset, "count": tensor.numel()}
            offset += data.write(tensor.detach().numpy().astype("<f8").tobytes())

        for i, step in enumerate(job["steps"]):
            optimizer.zero_grad()
            loss = mean_loss(weights, config, step)
            loss.backward()
            losses.append(loss.item())
            optimizer.step()
            for name, weight in weights.items():
                if i == 0:
                    keep("gradient", name, weight.grad)
                    keep("weight", name, weight)
                if i + 1 == len(job["steps"]):
                    keep("last", name, weight)
    with open(f"{folder}/results.json", "w") as results:
        json.dump({"losses": losses, "tensors": tensors}, results)


torch.set_num_threads(1)
for argument in sys.argv[1:]:
    train(argument)
