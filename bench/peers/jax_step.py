"""jax_step.py - the bench's training steps by JAX: the whole step is one compiled function with donated buffers.

One step is what bench/training.c takes: forward, mean cross-entropy, backward, clip of the global norm at 1, Adam, in
float32. The number of threads is set by bench/peers/run.py.
"""

import argparse
from functools import partial

import jax
import jax.numpy as jnp

from serving import positions, read_start, serve


def linear(p, name, x):
    return x @ p[name + ".weight"].T + p[name + ".bias"]


def norm(p, name, x):
    mean = x.mean(-1, keepdims=True)
    variance = jnp.square(x - mean).mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * p[name + ".weight"] + p[name + ".bias"]


def attend(p, name, heads, x, memory, causal):
    weight, bias = p[name + ".in_proj_weight"], p[name + ".in_proj_bias"]
    width = x.shape[2]
    if memory is None:
        parts = jnp.split(x @ weight.T + bias, 3, axis=2)
    else:
        query = x @ weight[:width].T + bias[:width]
        parts = [query, *jnp.split(memory @ weight[width:].T + bias[width:], 2, axis=2)]
    q, k, v = (part.reshape(*part.shape[:2], heads, -1) for part in parts)
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) * q.shape[3] ** -0.5
    if causal:
        scores = jnp.where(jnp.tril(jnp.ones(scores.shape[2:], bool)), scores, -jnp.inf)
    y = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores), v)
    return linear(p, name + ".out_proj", y.reshape(x.shape))


def stack(p, name, start, x, memory, causal, activation):
    for i in range(start.layers):
        layer = f"{name}.layers.{i}"
        x = x + attend(p, layer + ".self_attn", start.heads, norm(p, layer + ".norm1", x), None, causal)
        last = ".norm2"
        if memory is not None:
            x = x + attend(p, layer + ".multihead_attn", start.heads, norm(p, layer + ".norm2", x), memory, False)
            last = ".norm3"
        y = activation(linear(p, layer + ".linear1", norm(p, layer + last, x)))
        x = x + linear(p, layer + ".linear2", y)
    return norm(p, name + ".norm", x)


def embed(p, side, tokens):
    table, length = p[side + "_embedding.weight"], tokens.shape[1]
    width, learned = table.shape[1], p.get(side + "_positions.weight")
    return table[tokens] * width**0.5 + (positions(length, width) if learned is None else learned[:length])


def mean_loss(p, start):
    memory, activation = None, partial(jax.nn.gelu, approximate=False)
    if start.source is not None:
        activation = jax.nn.relu
        x = embed(p, "src", start.source)
        memory = stack(p, "encoder", start, x, None, False, activation)
    x = embed(p, "tgt", start.target)
    y = stack(p, "decoder", start, x, memory, True, activation)
    logits = linear(p, "output", y) if "output.weight" in p else y @ p["tgt_embedding.weight"].T
    right = jnp.take_along_axis(logits, start.next[..., None], axis=2)[..., 0]
    return (jax.nn.logsumexp(logits, axis=2) - right).mean()


def adam(p, grad, first, second, time):
    """Adam with PyTorch's constants; Kingma and Ba 2015."""
    first = 0.9 * first + 0.1 * grad
    second = 0.999 * second + 0.001 * grad * grad
    denominator = jnp.sqrt(second) / jnp.sqrt(1 - 0.999**time) + 1e-8
    return p - 1e-3 / (1 - 0.9**time) * first / denominator, first, second


def make_step(start):
    """A function that takes a step and returns its loss."""

    @partial(jax.jit, donate_argnums=0)
    def compiled(state):
        parameters, first, second, time = state
        time = time + 1
        loss, grads = jax.value_and_grad(mean_loss)(parameters, start)
        squares = sum(jnp.sum(jnp.square(grad)) for grad in grads.values())
        scale = jnp.minimum(1, 1 / (jnp.sqrt(squares) + 1e-6))
        new = {n: adam(parameters[n], scale * grads[n], first[n], second[n], time) for n in parameters}
        parameters, first, second = ({n: part[i] for n, part in new.items()} for i in range(3))
        return loss, (parameters, first, second, time)

    parameters = {name: jnp.array(array) for name, array in start.parameters.items()}
    zeros = [{name: jnp.zeros_like(array) for name, array in parameters.items()} for _ in range(2)]
    state = (parameters, *zeros, jnp.float32(0))

    def step():
        nonlocal state
        loss, state = compiled(state)
        jax.block_until_ready(state)
        return float(loss)

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("start", help="the file that bench --serve wrote")
    start = read_start(parser.parse_args().start)
    serve("jax", jax.__version__, sum(array.size for array in start.parameters.values()), make_step(start))


if __name__ == "__main__":
    main()
