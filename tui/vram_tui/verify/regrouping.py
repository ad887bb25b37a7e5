"""What the CUDA backend asks of the allocator for the kernels it fuses: routed experts, and shared ones beside them.

A fused kernel reads its inputs until its last output is written, so they must not share memory with what comes
between; and a shared expert's products are computed right behind the routed ones. Source: ggml/src/ggml-cuda,
`graph_optimize`; the order of shared experts as the recorded allocations of build b11549 show it.
"""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from vram_tui.verify.records import POINTER, SOURCES, Tensor, fields

F32 = 0
MOST_USED = 15
"""Experts per token that the fused sum takes."""
ROUTED_COUNTS = frozenset((1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 288, 576))
"""Numbers of experts that the fused router takes."""
FAR = 200
"""Nodes between a routed product and the shared one that follows it."""
_SHARED = (b"_gate_shexp.weight", b"_up_shexp.weight")
_ADD_DEPENDENCY = ctypes.CFUNCTYPE(None, POINTER, POINTER, POINTER)


class Graph(ctypes.Structure):
    """`ggml_cgraph` up to its nodes."""

    _fields_ = fields(
        size=ctypes.c_int32, n_nodes=ctypes.c_int32, n_leafs=ctypes.c_int32, nodes=ctypes.POINTER(POINTER)
    )


class Hints(ctypes.Structure):
    """`ggml_backend_graph_optimize_params`."""

    _fields_ = fields(add_alloc_dep=POINTER, user_data=POINTER)


class Regrouping:
    """Gives a graph's hints to the allocator. `op_of` names a tensor's operation."""

    def __init__(self, library: Any, op_of: Callable[[Tensor], str]) -> None:
        self._lib = library
        self._op_of = op_of
        fuse = library.ggml_can_fuse_subgraph_ext
        ints = ctypes.POINTER(ctypes.c_int)
        fuse.restype, fuse.argtypes = ctypes.c_bool, [POINTER, ints, ctypes.c_int, ints, ints, ctypes.c_int]

    def __call__(self, graph_address: int, hints_address: int) -> None:
        graph, hints = Graph.from_address(graph_address), Hints.from_address(hints_address)
        add = ctypes.cast(hints.add_alloc_dep, _ADD_DEPENDENCY)
        nodes = [graph.nodes[index] or 0 for index in range(graph.n_nodes)]
        view = _View(nodes, self._op_of, lambda tensor, until: add(hints.user_data, tensor, until))
        index = 0
        while index < len(nodes):
            index += self._reduction(view, index, graph_address)
            if index < len(nodes) and view.op(index) in ("UNARY", "SOFT_MAX"):
                index += self._router(view, index, graph_address)
            index += 1
        for place, address in enumerate(view.with_shared_moved()):
            graph.nodes[place] = address

    def _fuses(self, view: "_View", graph: int, first: int, count: int, outputs: Sequence[int]) -> bool:
        places = (ctypes.c_int * count)(*range(first, first + count))
        ops = (ctypes.c_int * count)(*(view.tensor(index).op for index in range(first, first + count)))
        ends = (ctypes.c_int * len(outputs))(*outputs)
        return bool(self._lib.ggml_can_fuse_subgraph_ext(graph, places, count, ops, ends, len(outputs)))

    def _reduction(self, view: "_View", index: int, graph: int) -> int:
        """The weighted sum over a token's experts; returns how many nodes it has beyond the first."""
        found = view.weighted(index)
        if found is None:
            return 0
        products, inputs, used = found
        count = 2 * used + products - 1
        ops = [view.op(place) for place in range(index + products, min(index + count, len(view)))]
        if index + count > len(view) or not 2 <= used <= MOST_USED:
            return 0
        if ops.count("VIEW") != used or ops.count("ADD") != used - 1:
            return 0
        if not self._fuses(view, graph, index, count, [index + count - 1]):
            return 0
        for address in inputs:
            view.keep(address, view.address(index + count - 1))
        return count - 1

    def _router(self, view: "_View", index: int, graph: int) -> int:
        """The choice of experts: probabilities, sorting, weights; returns how many nodes it has beyond the first."""
        start = view.tensor(index)
        logits = start.source(0)
        scoring = ["UNARY", "SQRT"] if view.ops(index, 2) == ["UNARY", "SQRT"] else [view.op(index)]
        place = index + len(scoring)
        for name in ("RESHAPE", "ADD", "ARGSORT", "VIEW", "GET_ROWS"):
            if view.ops(place, 1) == [name]:
                place += 1
            elif name != "ADD":
                return 0
        chosen = place - 2
        for tail in (["RESHAPE", "SUM_ROWS", "CLAMP", "DIV", "RESHAPE"], ["SCALE"]):
            if view.ops(place, len(tail)) == tail and view.follows(place):
                place += len(tail)
        count = place - index
        sorted_ids = view.tensor(chosen)
        experts = sorted_ids.nb[1] // sorted_ids.nb[0]
        if logits is None or experts not in ROUTED_COUNTS or place >= len(view):
            return 0
        if start.src[1] or start.src[2] or not self._fuses(view, graph, index, count, [chosen, place - 1]):
            return 0
        for node in range(index, place):
            tensor = view.tensor(node)
            for address in (view.address(node), *(tensor.src[one] for one in range(SOURCES))):
                if address:
                    view.keep(address, view.address(place))
        return count - 1


class _View:
    """The nodes of one graph, with what is asked of them."""

    def __init__(self, nodes: list[int], op_of: Callable[[Tensor], str], keep: Callable[[int, int], None]) -> None:
        self._nodes = nodes
        self._tensors = [Tensor.from_address(address) for address in nodes]
        self._ops = [op_of(tensor) for tensor in self._tensors]
        self.keep = keep

    def __len__(self) -> int:
        return len(self._nodes)

    def op(self, index: int) -> str:
        return self._ops[index]

    def ops(self, index: int, count: int) -> list[str]:
        return self._ops[index : index + count]

    def tensor(self, index: int) -> Tensor:
        return self._tensors[index]

    def address(self, index: int) -> int:
        return self._nodes[index]

    def follows(self, index: int) -> bool:
        """Whether a node reads the one before it."""
        return bool(self._tensors[index].src[0] == self._nodes[index - 1])

    def weighted(self, index: int) -> tuple[int, tuple[int, ...], int] | None:
        """Products of experts by weights that start here: how many, what they read, experts per token."""
        first = self._split(index)
        if first is None:
            return None
        if index + 1 < len(self):
            second = self._split(index + 1)
            if second is not None and second[0] == self._nodes[index]:
                return 2, (first[0], first[1], second[1]), self._tensors[index + 1].ne[1]
        return 1, first, self._tensors[index].ne[1]

    def _split(self, index: int) -> tuple[int, int] | None:
        """A product's full side and its one weight for each expert and token."""
        node = self._tensors[index]
        if self._ops[index] != "MUL" or node.type != F32:
            return None
        for full, narrow in ((0, 1), (1, 0)):
            whole, weights = node.source(full), node.source(narrow)
            if whole is None or weights is None or whole.type != F32 or weights.type != F32:
                continue
            if list(whole.ne) == list(node.ne) and list(weights.ne) == [1, *node.ne[1:]]:
                return node.src[full], node.src[narrow]
        return None

    def with_shared_moved(self) -> list[int]:
        """The order with each shared expert's two products right behind the routed ones."""
        order = list(range(len(self)))
        place = 0
        while place < len(order):
            routed = self._routed_before(order, place)
            if routed is not None:
                moved = order[place : place + 2]
                del order[place : place + 2]
                order[routed + 1 : routed + 1] = moved
            place += 1
        return [self._nodes[index] for index in order]

    def _routed_before(self, order: list[int], place: int) -> int | None:
        """Where the routed product stands that the shared pair at `place` moves behind; None: it stays."""
        if place + 1 >= len(order) or self._ops[order[place]] != "MUL_MAT":
            return None
        if not (self._reads(order[place], _SHARED) and self._reads(order[place + 1], _SHARED)):
            return None
        routed = next(self._back(order, place), None)
        if routed is None or self._tensors[order[routed]].ne[1] < 2:
            return None
        before = (at for at in range(routed - 1, max(routed - 12, -1), -1) if self._ops[order[at]] == "MUL_MAT_ID")
        up = next(before, None)
        if up is None or self._tensors[order[up]].ne[0] != self._tensors[order[place]].ne[0]:
            return None
        gates = [at for at in range(max(routed - 5, 0), routed) if self._ops[order[at]] == "GLU"]
        shared = [at for at in range(place, min(place + 6, len(order))) if self._ops[order[at]] == "GLU"]
        if gates and shared:
            for at in (gates[-1], shared[0]):
                self.keep(self._nodes[order[at]], self._nodes[order[routed]])
        return routed

    def _back(self, order: list[int], place: int) -> Iterator[int]:
        """The routed product before `place`, unless another shared one comes first."""
        for at in range(place - 1, max(place - FAR, -1), -1):
            index = order[at]
            if self._ops[index] == "MUL_MAT_ID" and self._reads(index, (b"ffn_down_exps",)):
                yield at
            if self._reads(index, _SHARED):
                return

    def _reads(self, index: int, words: Sequence[bytes]) -> bool:
        """Whether a node reads a weight with one of these words in its name."""
        sources = (self._tensors[index].source(one) for one in range(2))
        names = [source.name for source in sources if source is not None]
        return any(word in name and b"#" not in name for name in names for word in words)
