"""One causal attention, forward and backward, in PyTorch on the CPU: pytorch_attention.py CONFIG THREADS STEPS.
Prints the median tokens/s. Heads are expanded for grouped queries, as PyTorch's own Llama does."""
import math, sys, time, torch, torch.nn.functional as F

HEADS, KV, SIZE, LENGTH, ROWS = {"nano": (8, 4, 32, 256, 16), "smol": (9, 3, 64, 512, 2)}[sys.argv[1]]
torch.set_num_threads(int(sys.argv[2]))
torch.manual_seed(0)
mask = torch.full((LENGTH, LENGTH), float("-inf")).triu(1)
q = torch.randn(ROWS, HEADS, LENGTH, SIZE, requires_grad=True)
k = torch.randn(ROWS, KV, LENGTH, SIZE, requires_grad=True)
v = torch.randn(ROWS, KV, LENGTH, SIZE, requires_grad=True)
gradient = torch.randn(ROWS, HEADS, LENGTH, SIZE)
times = []
for _ in range(int(sys.argv[3])):
    start = time.perf_counter()
    keys, values = k.repeat_interleave(HEADS // KV, 1), v.repeat_interleave(HEADS // KV, 1)
    if hasattr(F, "scaled_dot_product_attention"):
        out = F.scaled_dot_product_attention(q, keys, values, is_causal=True)
    else:
        out = torch.softmax((q @ keys.transpose(-1, -2)) / math.sqrt(SIZE) + mask, -1) @ values
    out.backward(gradient)
    q.grad = k.grad = v.grad = None
    times.append(time.perf_counter() - start)
times = sorted(times[1:])
print(f"tokens/s={ROWS * LENGTH / times[len(times) // 2]:.0f}")
