"""What memory training takes, part by part, from a decoder's sizes and the method: said before anything is loaded.

Activations are those that autograd keeps of a transformers decoder (two norms computed in float32, fused attention that
writes no matrix of scores down, a gated MLP), counted in the manner of Korthikanti et al. (arXiv 2205.05198). Every
trained number is held in float32 with its gradient and Adam's two moments. One row is in the works at a time.
"""

from __future__ import annotations

from pydantic import Field

from medctx.model.sizes import Size
from medctx.schemas.records import Record

GIB = 2**30
STATE_BYTES = 16
"""Of a trained number: itself, its gradient and two moments, in float32."""
NF4_BYTES = 0.52
"""Of a number in 4 bits with doubly quantised scales (Dettmers et al., arXiv 2305.14314)."""
LOGIT_BYTES = 16
"""Of a logit: as it is made and in float32, its logarithm, and the gradients of both."""
PROCESS_BYTES = 13 * GIB // 20
"""Python, torch and the libraries of training, in the memory of the host."""
HOST_SLACK, GPU_SLACK = 1.0, 0.1
"""What an allocator holds of pieces that were freed, as a share of activations and logits: the heap of a host as much
again, torch's own on a GPU little.
"""
_HALF, _FLOAT = 2, 4


class Trained(Record):
    """What is trained: so many ``parameters``. Of the ``modules`` (linear layers, over all layers of the model) whose
    weights or adapters are: the widths they read (``inputs``) and write (``outputs``), summed, and the numbers in their
    ``matrices``.
    """

    parameters: int = Field(ge=0)
    modules: int = Field(ge=0)
    inputs: int = Field(ge=0)
    outputs: int = Field(ge=0)
    matrices: int = Field(ge=0)


class Training(Record):
    """What is ``trained`` and how. ``rank`` 0: every parameter is. ``stored_bytes``: of a frozen number, unless the
    matrices are ``quantised`` to 4 bits; ``autocast``: products are computed in bfloat16 whatever the weights are;
    ``recomputed``: activations within a layer are computed again instead of kept; ``masked``: attention is given a mask
    of the row by itself, as PyTorch's is. Rows have at most ``row_tokens`` tokens, of which at most ``loss_tokens``
    carry loss; their logits are made ``loss_chunk`` at a time.
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


class Memory(Record):
    """Bytes of one process at its fullest: frozen ``weights``; ``trained`` numbers with all that goes with them;
    ``activations`` of a row; ``logits`` of a chunk of its loss tokens; the allocator's ``slack``; the ``process``
    itself.
    """

    weights: int
    trained: int
    activations: int
    logits: int
    slack: int
    process: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.trained + self.activations + self.logits + self.slack + self.process


def linear_layers(size: Size, rank: int, *, every: bool = True) -> Trained:
    """What is trained by adapters of a rank on all linear layers of a decoder (``every``), or on queries and keys
    alone; with rank 0 all linear layers themselves, and everything else.
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
    """Bytes of a number that a product of matrices writes."""
    return _HALF if training.autocast or training.quantised else training.stored_bytes if training.rank else _FLOAT


def _kept(size: Size, training: Training) -> float:
    """Bytes that all layers keep of one token for the backward pass."""
    full, trained = not training.rank, training.trained
    base = _product(training)
    copies = _HALF if training.autocast else _FLOAT
    norms = 2 * _FLOAT * size.hidden * (2 if full else 1)
    attention = 4 * base * size.queries  # queries, keys and values as wide as they, and what comes out
    gates = 3 * base * size.intermediate
    kept = size.layers * (norms + attention + gates)
    written = size.layers * _FLOAT * (2 * size.hidden + size.intermediate)  # by norms and gates, in one precision
    if full:
        # Autocast makes a copy for each product; otherwise what norms and gates wrote is kept once.
        read = trained.inputs - size.layers * size.queries if training.autocast else 0
        return kept + (_HALF * read or written)
    # Each adapter reads a copy of its own, unless all is in one precision, and keeps what its first half wrote.
    read = copies * trained.inputs
    if base == copies == _FLOAT:
        read = min(read, written)
    kept += read + copies * training.rank * trained.modules
    kept += _FLOAT * trained.inputs if training.dropout else 0
    return kept + (2 * base * trained.outputs if training.dora else 0)


def activation_bytes(size: Size, training: Training) -> int:
    """Bytes that autograd keeps of one row, copies of weights that autocast and DoRA make with them included."""
    full, trained = not training.rank, training.trained
    stream = _FLOAT if full else training.stored_bytes
    product = _product(training)
    token = _kept(size, training)
    layers = size.layers
    if training.recomputed:
        # Every layer keeps what it read; one at a time is computed again.
        token = size.layers * stream * size.hidden + token / size.layers
        layers = 1
    ends = _FLOAT * size.hidden * (2 if full else 1)
    # PyTorch makes numbers of the mask's bits, for every layer anew.
    masks = product * training.row_tokens**2 * layers if training.masked else 0
    copied = (_HALF * trained.parameters if training.autocast else 0) + (_HALF * trained.matrices * training.dora)
    return round(training.row_tokens * (token + ends) + masks + copied * layers / size.layers)


def training_memory(size: Size, training: Training, *, gpu: bool = False) -> Memory:
    """Memory of a process that trains, one row at a time: of the host, or of the GPU it trains on."""
    weights = 0.0
    if training.rank and training.quantised:
        # What is not a matrix of a layer is held in float32.
        matrices = linear_layers(size, 0).matrices
        weights = NF4_BYTES * matrices + _FLOAT * max(0, size.parameters - matrices)
    elif training.rank:
        weights = float(training.stored_bytes * size.parameters)
    activations = activation_bytes(size, training)
    logits = LOGIT_BYTES * min(training.loss_tokens, training.loss_chunk) * size.vocabulary
    return Memory(
        weights=round(weights),
        trained=STATE_BYTES * training.trained.parameters,
        activations=activations,
        logits=logits,
        slack=round((GPU_SLACK if gpu else HOST_SLACK) * (activations + logits)),
        process=0 if gpu else PROCESS_BYTES,
    )
