"""Estimated training memory by part, from a decoder's sizes and the method, before anything is loaded.

Activations are those that autograd keeps of a transformers decoder (two norms computed in float32, fused attention
without a matrix of scores, a gated MLP), counted as in Korthikanti et al. (arXiv 2205.05198). Every trained parameter
is held in float32 with its gradient and Adam's two moments. One row is processed at a time, short ones on a CPU two.
"""

from __future__ import annotations

from pydantic import Field

from medctx.model.sizes import DecoderSize
from medctx.schemas.records import Record

GIB = 2**30
STATE_BYTES = 16
"""Bytes per trained parameter: the parameter, its gradient and two moments, in float32."""
NF4_BYTES = 0.52
"""Bytes per parameter in 4 bits with doubly quantised scales (Dettmers et al., arXiv 2305.14314)."""
LOGIT_BYTES = 16
"""Bytes per logit: the logit, its copy in float32, its logarithm, and the gradients of both."""
PROCESS_BYTES = 13 * GIB // 20
"""Host memory of Python, torch and the training libraries."""
HOST_SLACK, GPU_SLACK = 1.0, 0.1
"""Freed memory that the allocator still holds, as a fraction of activations and logits."""
SHORT_ROW = 512
"""Longest row in tokens whose attention weights are kept on a CPU, and that shares the CPU with another row."""
_HALF, _FLOAT = 2, 4


class Trained(Record):
    """What is trained.

    Attributes:
        parameters: Number of trained parameters.
        modules: Number of linear layers whose weights or adapters are trained.
        inputs: Sum of their input widths.
        outputs: Sum of their output widths.
        matrices: Number of weights in their matrices.
    """

    parameters: int = Field(ge=0)
    modules: int = Field(ge=0)
    inputs: int = Field(ge=0)
    outputs: int = Field(ge=0)
    matrices: int = Field(ge=0)


class Training(Record):
    """What is trained, and how.

    Attributes:
        trained: The trained parameters.
        rank: Rank of the adapters; 0: all parameters are trained.
        stored_bytes: Bytes of a frozen parameter.
        quantised: Whether frozen matrices are quantised to 4 bits.
        dora: Whether the adapters are DoRA.
        dropout: Whether the adapters have dropout.
        autocast: Whether products are computed in bfloat16 whatever the type of the weights.
        recomputed: Whether activations within a layer are recomputed instead of kept.
        masked: Whether attention gets an explicit mask of the row, as PyTorch's needs one.
        row_tokens: Longest row in tokens.
        loss_tokens: Most tokens of a row that carry loss.
        loss_chunk: Loss tokens whose logits are computed at a time.
        fused: Whether an adapted layer is one operation, which keeps no copy of its input.
        weights_kept: Whether attention keeps its weights, as that of short rows on a CPU does.
        rows: Rows that are processed at a time.
    """

    trained: Trained
    rank: int = Field(16, ge=0)
    stored_bytes: int = Field(2, ge=1)
    quantised: bool = False
    dora: bool = False
    dropout: bool = False
    autocast: bool = True
    recomputed: bool = False
    masked: bool = True
    row_tokens: int = Field(512, ge=1)
    loss_tokens: int = Field(512, ge=1)
    loss_chunk: int = Field(1024, ge=1)
    fused: bool = False
    weights_kept: bool = False
    rows: int = Field(1, ge=1)


class Memory(Record):
    """Peak memory of one process in bytes.

    Attributes:
        weights: Frozen weights.
        trained: Trained parameters with gradients and optimizer state.
        activations: Activations of a row.
        logits: Logits of a chunk of loss tokens.
        slack: Freed memory that the allocator holds.
        process: The process itself.
    """

    weights: int
    trained: int
    activations: int
    logits: int
    slack: int
    process: int

    @property
    def total(self) -> int:
        """Sum of all parts."""
        return self.weights + self.trained + self.activations + self.logits + self.slack + self.process


def linear_layers(size: DecoderSize, rank: int, *, every: bool = True) -> Trained:
    """Return what adapters of a rank on a decoder's linear layers train.

    Args:
        size: Sizes of the decoder.
        rank: Rank of the adapters; 0: all parameters of the model are trained.
        every: Whether adapters are on all linear layers, or on queries and keys alone.
    """
    hidden, queries, keys, inner = size.hidden, size.queries, size.keys, size.intermediate
    shapes = [(hidden, queries), (hidden, keys)]
    if every or not rank:
        shapes += [(hidden, keys), (queries, hidden), (hidden, inner), (hidden, inner), (inner, hidden)]
    pairs = sum(rank * (read + written) for read, written in shapes)
    return Trained(
        parameters=size.layers * pairs if rank else size.parameters,
        modules=size.layers * len(shapes),
        inputs=size.layers * sum(read for read, _ in shapes),
        outputs=size.layers * sum(written for _, written in shapes),
        matrices=size.layers * sum(read * written for read, written in shapes),
    )


def _product(training: Training) -> int:
    """Bytes of a number that a matrix product writes."""
    return _HALF if training.autocast or training.quantised else training.stored_bytes if training.rank else _FLOAT


def _kept(size: DecoderSize, training: Training) -> float:
    """Bytes that all layers keep per token for the backward pass."""
    full, trained = not training.rank, training.trained
    base = _product(training)
    copies = _HALF if training.autocast else _FLOAT
    norms = 2 * _FLOAT * size.hidden * (2 if full else 1)
    # Queries, keys, values and the result; PyTorch's kernel reads keys and values once per query head.
    read_per_head = size.keys if training.weights_kept else size.queries
    attention = 2 * base * (size.queries + read_per_head)
    gates = 3 * base * size.intermediate
    kept = size.layers * (norms + attention + gates)
    written = size.layers * _FLOAT * (2 * size.hidden + size.intermediate)  # by norms and gates, all in one precision
    if full:
        # Autocast copies the input of each product; otherwise the output of norms and gates is kept once.
        read = trained.inputs - size.layers * size.queries if training.autocast else 0
        return kept + (_HALF * read or written)
    # Each adapter reads a copy of its own unless everything has one precision, and keeps its first half's output.
    read = copies * trained.inputs
    if training.fused or base == copies == _FLOAT:
        read = min(read, written * copies // _FLOAT)
    kept += read + copies * training.rank * trained.modules
    kept += _FLOAT * trained.inputs if training.dropout else 0
    return kept + (2 * base * trained.outputs if training.dora else 0)


def activation_bytes(size: DecoderSize, training: Training) -> int:
    """Return the bytes that autograd keeps of the rows at a time, with the copies that autocast and DoRA make."""
    full, trained = not training.rank, training.trained
    stream = _FLOAT if full else training.stored_bytes
    product = _product(training)
    token = _kept(size, training)
    layers = size.layers
    if training.recomputed:
        # Every layer keeps its input; one layer at a time is recomputed.
        token = size.layers * stream * size.hidden + token / size.layers
        layers = 1
    ends = _FLOAT * size.hidden * (2 if full else 1)
    # PyTorch converts the boolean mask to numbers, again in every layer.
    matrices = size.heads if training.weights_kept else int(training.masked)
    masks = product * training.row_tokens**2 * layers * matrices
    copied = (_HALF * trained.parameters if training.autocast else 0) + (_HALF * trained.matrices * training.dora)
    row = training.row_tokens * (token + ends) + masks + copied * layers / size.layers
    return round(training.rows * row)


def training_memory(size: DecoderSize, training: Training, *, gpu: bool = False) -> Memory:
    """Return the memory of a process that trains: host memory, or with ``gpu`` that of its GPU."""
    weights = 0.0
    if training.rank and training.quantised:
        # Parameters outside of the layers' matrices are held in float32.
        matrices = linear_layers(size, 0).matrices
        weights = NF4_BYTES * matrices + _FLOAT * max(0, size.parameters - matrices)
    elif training.rank:
        weights = float(training.stored_bytes * size.parameters)
    activations = activation_bytes(size, training)
    logits = training.rows * LOGIT_BYTES * min(training.loss_tokens, training.loss_chunk) * size.vocabulary
    return Memory(
        weights=round(weights),
        # Each of several rows holds its gradients until they are added.
        trained=(STATE_BYTES + (_FLOAT * training.rows if training.rows > 1 else 0)) * training.trained.parameters,
        activations=activations,
        logits=logits,
        slack=round((GPU_SLACK if gpu else HOST_SLACK) * (activations + logits)),
        process=0 if gpu else PROCESS_BYTES,
    )
