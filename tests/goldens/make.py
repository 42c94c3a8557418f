"""Makes the goldens of a family again, from its config.json: what PyTorch and transformers compute with its weights.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 transformers==5.23.0 safetensors
    venv/bin/python make.py FOLDER [--weights SEED] [--train] [--qat]

FOLDER holds config.json and, unless --weights makes new random ones in f32, the weights. Prompts are those of its
golden.json, or new ones. --train writes gradients, --qat those with int4 fake-quantised experts. README.md says what is
in the files.
"""
import argparse, inspect, json, math, re, shutil, tempfile
from pathlib import Path
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, DeepseekV3Config

EXPERT = re.compile(r"(.*mlp\.experts)\.(gate_up_proj|down_proj)$")


def configuration(folder):
    """transformers knows Kimi K2 as DeepSeek-V3, whose code it uses."""
    raw = json.loads((folder / "config.json").read_text())
    raw.pop("quantization_config", None)
    if raw["model_type"] == "kimi_k2":
        config = DeepseekV3Config.from_dict({**raw, "model_type": "deepseek_v3"})
    else:
        config = AutoConfig.for_model(**raw)
    config._experts_implementation = "eager"
    return config


def stored(folder):
    """All tensors in f32. int4 in groups of 32: code i of a row is 4 bits of word i // 8, plus 8; weight = code * scale, unrounded."""
    tensors = {}
    for file in sorted(folder.glob("model*.safetensors")):
        tensors.update(load_file(file))
    dense = {}
    for name, value in tensors.items():
        if name.endswith("_packed"):
            stem = name.removesuffix("_packed")
            rows, columns = tensors[stem + "_shape"].tolist()
            codes = (value[:, :, None] >> torch.arange(0, 32, 4)) & 15
            codes = codes.reshape(rows, -1)[:, :columns] - 8
            dense[stem] = codes.float() * tensors[stem + "_scale"].float().repeat_interleave(32, 1)[:, :columns]
        elif not name.endswith(("_scale", "_shape")):
            dense[name] = value.float()
    return dense


def load(folder):
    config = configuration(folder)
    with tempfile.TemporaryDirectory() as plain:
        config.save_pretrained(plain)
        save_file({n: t.contiguous() for n, t in stored(folder).items()}, f"{plain}/model.safetensors", metadata={"format": "pt"})
        return AutoModelForCausalLM.from_pretrained(plain, config=config, dtype=torch.float32, attn_implementation="eager").eval()


def new_weights(folder, seed):
    """Gains near 1, biases and selection biases away from 0, matrices of deviation 1 / sqrt(fan in), embeddings 4 times that."""
    model = AutoModelForCausalLM.from_config(configuration(folder), dtype=torch.float32)
    random = torch.Generator().manual_seed(seed)
    selection = [(n, b) for n, b in model.named_buffers() if "e_score_correction_bias" in n]
    with torch.no_grad():
        for name, value in [*model.named_parameters(), *selection]:
            noise = torch.randn(value.shape, generator=random)
            if value.dim() == 1:
                value.copy_(0.1 * noise + (1 if "norm" in name and "bias" not in name else 0))
            else:
                value.copy_(noise * (4 if "embed" in name else 1) / math.sqrt(value.shape[-1]))
    with tempfile.TemporaryDirectory() as saved:
        model.save_pretrained(saved)
        shutil.copy(f"{saved}/model.safetensors", folder / "model.safetensors")


@torch.no_grad()
def forward(model, ids, hidden=False):
    return model(input_ids=ids[None], use_cache=False, output_hidden_states=hidden)


def chosen_experts(model, ids):
    """Per module that routes: int32 [tokens, active], ascending."""
    found, hooks = {}, []
    for name, module in model.named_modules():
        if type(module).__name__.endswith("Router"):
            def keep(_, __, out, name=name):
                picks = next(t for t in out if t.dtype in (torch.int64, torch.int32))
                found[f"router.{name}"] = picks.reshape(len(ids), -1).sort(-1).values.int().contiguous()
            hooks.append(module.register_forward_hook(keep))
    forward(model, ids)
    for hook in hooks:
        hook.remove()
    return found


def greedy(model, prompt, count=24):
    """The likeliest token, the whole sequence computed again for each; and the smallest gap to the second, relative to the largest logit."""
    ids, margin = prompt, math.inf
    for _ in range(count):
        logits = forward(model, ids).logits[0, -1].double()
        first, second = logits.topk(2).values.tolist()
        margin = min(margin, (first - second) / logits.abs().max().item())
        ids = torch.cat([ids, logits.argmax()[None]])
    return dict(prompt=1, tokens=ids[len(prompt):].tolist(), min_margin=margin)


def noise(model, prompts, reference):
    """How far a relative change of 1e-6 in every weight moves the logits, relative to the largest."""
    random, kept = torch.Generator().manual_seed(1), [p.clone() for p in model.parameters()]
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(1 + 1e-6 * torch.randn(p.shape, generator=random))
        moved = max(((forward(model, p).logits[0] - r).abs().max() / r.abs().max()).item() for p, r in zip(prompts, reference))
        for p, old in zip(model.parameters(), kept):
            p.copy_(old)
    return moved


def write_golden(folder):
    model, path = load(folder), folder / "golden.json"
    if path.exists():
        prompts = [torch.tensor(p) for p in json.loads(path.read_text())["prompts"]]
    else:
        random = torch.Generator().manual_seed(1)
        prompts = [torch.randint(2, model.config.vocab_size, (n,), generator=random) for n in (1, 7, 33, 96)]
    logits = [forward(model, p).logits[0].float().contiguous() for p in prompts]
    tensors = {f"logits.{i}": t for i, t in enumerate(logits)} | chosen_experts(model, prompts[2])
    tensors |= {f"hidden.{i}": h[0].contiguous() for i, h in enumerate(forward(model, prompts[2], hidden=True).hidden_states)}
    save_file(tensors, folder / "golden.safetensors")
    path.write_text(json.dumps(dict(
        family=folder.name, torch="2.13.0", transformers="5.23.0", prompts=[p.tolist() for p in prompts],
        greedy=greedy(model, prompts[1]), perturbation=noise(model, prompts, logits))))


def fake_quantised(weight):
    """int4 in groups of 32 along the last axis, scale = largest / 7 in bf16; the gradient passes unchanged."""
    groups = weight.view(weight.shape[0], -1, 32)
    scale = (groups.detach().abs().amax(-1, keepdim=True) / 7).clamp_min(1e-5).bfloat16().to(weight.dtype)
    rounded = ((groups.detach() / scale).round().clamp(-8, 7) * scale).view_as(weight)
    return weight + (rounded - weight).detach()


def checkpoint_leaves(model):
    """Leaves by checkpoint name, one matrix per expert, and how the model's own parameters are put together from them."""
    leaves, parts = {}, {}
    for name, value in model.named_parameters():
        experts = EXPERT.match(name)
        if not experts:
            leaves[name], parts[name] = value.detach().clone().requires_grad_(), name
            continue
        kinds = ("gate_proj", "up_proj") if experts[2] == "gate_up_proj" else ("down_proj",)
        parts[name] = [[f"{experts[1]}.{e}.{kind}.weight" for kind in kinds] for e in range(len(value))]
        for row, expert in zip(parts[name], value.detach()):
            leaves.update(zip(row, (m.clone().requires_grad_() for m in expert.chunk(len(kinds)))))
    return leaves, parts


def largest_scores(model, ids):
    """`max_logit.L` [heads]: the largest scaled score of every head of layer L, before its softmax."""
    found, modeling = {}, inspect.getmodule(type(model))
    attend = modeling.eager_attention_forward

    def keep(module, query, key, value, attention_mask, scaling, **rest):
        keys = key.repeat_interleave(query.shape[1] // key.shape[1], 1)
        scores = query @ keys.transpose(2, 3) * scaling
        future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        found[f"max_logit.{module.layer_idx}"] = scores.masked_fill(future, -math.inf).amax((0, 2, 3)).float().contiguous()
        return attend(module, query, key, value, attention_mask, scaling=scaling, **rest)

    modeling.eager_attention_forward = keep
    with torch.no_grad():
        model(input_ids=ids, use_cache=False)
    modeling.eager_attention_forward = attend
    return found


def write_gradients(folder, file, quantise):
    """Mean cross-entropy of batch 0 in f64; experts that no token chose have gradients of exactly 0."""
    model, path = load(folder).double(), folder / "train.safetensors"
    if path.exists():
        batches = {n: t for n, t in load_file(path).items() if n.startswith("batch.")}
    else:
        random = torch.Generator().manual_seed(7)
        batches = {f"batch.{i}": torch.randint(2, model.config.vocab_size, (2, 33), generator=random).int() for i in range(3)}
    leaves, parts = checkpoint_leaves(model)
    used = {n: fake_quantised(w) if quantise and ".mlp.experts." in n else w for n, w in leaves.items()}
    whole = {n: used[p] if isinstance(p, str) else torch.stack([torch.cat([used[x] for x in row]) for row in p]) for n, p in parts.items()}
    ids = batches["batch.0"].long()
    out = torch.func.functional_call(model, whole | dict(model.named_buffers()), (), dict(input_ids=ids[:, :-1], use_cache=False))
    loss = torch.nn.functional.cross_entropy(out.logits.flatten(0, 1), ids[:, 1:].flatten())
    loss.backward()
    gradients = {f"grad.{n}": (torch.zeros_like(w) if w.grad is None else w.grad).float().contiguous() for n, w in leaves.items()}
    save_file(gradients if quantise else batches | gradients | largest_scores(model, ids[:, :-1]), folder / f"{file}.safetensors")
    (folder / ("train-extras.json" if quantise else "train.json")).write_text(json.dumps(dict(loss=loss.item())))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--weights", type=int, metavar="SEED")
    arguments.add_argument("--train", action="store_true")
    arguments.add_argument("--qat", action="store_true")
    given = arguments.parse_args()
    if given.weights is not None:
        new_weights(given.folder, given.weights)
    write_golden(given.folder)
    if given.train:
        write_gradients(given.folder, "train", quantise=False)
    if given.qat:
        write_gradients(given.folder, "train-qat", quantise=True)
