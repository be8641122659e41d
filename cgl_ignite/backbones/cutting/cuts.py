"""Where a graph can be cut, and which cuts make layers of about equal cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import accumulate, pairwise

from torch import fx, nn

from cgl_ignite.backbones.cutting.measure import Measured
from cgl_ignite.backbones.cutting.names import common_depth, describe, is_within
from cgl_ignite.errors import InputError, nearest

__all__ = ["Cuts"]

TOLERATED = 1.5
"""How much larger the largest layer may be for the sake of cuts between larger modules."""


class Cuts:
    """The places of a graph between two operations; place p is before operation p.

    Attributes:
        nodes: the operations in order.
        allowed: places that one tensor crosses, and no parameter or buffer is used on both sides.
    """

    def __init__(self, network: nn.Module, graph: fx.Graph, measured: Measured) -> None:
        self.network = network
        self.nodes = [node for node in graph.nodes if node.op.startswith("call_")]
        self.measured = measured
        self.crossing = _crossing(graph, self.nodes)
        tied = _tied(network, self.nodes)
        self.sums = [0, *accumulate(measured.multiply_adds[node] for node in self.nodes)]
        self.allowed = [
            place
            for place in range(1, len(self.nodes))
            if len(self.crossing[place]) == 1 and place not in tied and self.crossing[place][0] in measured.shapes
        ]

    def before(self, module: str) -> int:
        """Return the last good place before a module, which is the classifier.

        Raises:
            InputError: there is none.
        """
        holds = [node.op == "call_module" and f"{module}.".startswith(f"{node.target}.") for node in self.nodes]
        first = holds.index(True)
        reached = [place for place in self.allowed if place <= first]
        if not reached:
            fault = "the network cannot be cut anywhere: " + self._reason(first or 1)
            raise InputError(fault, key="backbone.layers")
        return self._representative([p for p in reached if self._work(p, first) == self._work(reached[-1], first)])

    def named(self, patterns: Sequence[str], end: int) -> list[int]:
        """Return the places before modules that are given by name; ``"features.*"`` names all of its children.

        Raises:
            InputError: a name that no module has, or more than one tensor across the cut.
        """
        places: set[int] = set()
        for pattern in patterns:
            known = [name for name, _ in self.network.named_modules() if name]
            found = [name for name in known if fnmatchcase(name, pattern) and name.count(".") == pattern.count(".")]
            if not found:
                fault = f"the network has no module {pattern!r}{nearest(pattern, known)}"
                raise InputError(fault, key="backbone.layers")
            found = [name for name in found if any(is_within(node, name) for node in self.nodes)]
            places |= {place for place in map(self._place_of, found) if 0 < place < end}
        for place in sorted(places):
            if place not in self.allowed:
                raise InputError(self._reason(place), key="backbone.layers")
        return sorted(places)

    def equal(self, layers: int | None, end: int, default: int) -> list[int]:
        """Return places that divide what is before ``end`` into layers of about equal cost.

        Places between larger modules are preferred, as long as the largest layer grows only moderately.

        Raises:
            InputError: more layers than cuts allow.
        """
        candidates = self._candidates(end)
        most = len(candidates) + 1
        layers = min(default, most) if layers is None else layers
        if layers > most:
            fault = f"{layers} layers are asked for, but the network can be cut into only {most}"
            raise InputError(f"{fault}: {self._choice(candidates, end)}", key="backbone.layers")
        smallest = max(_capacity(self._costs(candidates, end), layers), 1)
        for depth in sorted({self._depth(place) for place in candidates}):
            outer = [place for place in candidates if self._depth(place) <= depth]
            if len(outer) >= layers - 1 and _capacity(self._costs(outer, end), layers) <= TOLERATED * smallest:
                return _chosen(outer, self._costs(outer, end), layers)
        return []

    def _choice(self, candidates: Sequence[int], end: int) -> str:
        """Name the cuts there are, or say why there is none."""
        if candidates:
            return f"before {', '.join(describe(self.nodes[place]) for place in candidates)}"
        inner = [place for place in range(1, end) if self._work(0, place) and self._work(place, end)]
        return self._reason(inner[len(inner) // 2]) if inner else "only one operation multiplies"

    def _candidates(self, end: int) -> list[int]:
        """Of places with no work between them keep one; what is before the first and after the last one does work."""
        groups: dict[int, list[int]] = defaultdict(list)
        for place in self.allowed:
            if place < end and self._work(0, place) and self._work(place, end):
                groups[self._work(0, place)].append(place)
        return [self._representative(group) for group in groups.values()]

    def _representative(self, group: Sequence[int]) -> int:
        return min(reversed(group), key=self._depth)

    def _depth(self, place: int) -> int:
        return common_depth(self.nodes[place - 1], self.nodes[place])

    def _work(self, start: int, end: int) -> int:
        return self.sums[end] - self.sums[start]

    def _costs(self, places: Sequence[int], end: int) -> list[int]:
        return [self._work(*both) for both in pairwise([0, *places, end])]

    def _place_of(self, module: str) -> int:
        return next((place for place, node in enumerate(self.nodes) if is_within(node, module)), len(self.nodes))

    def _reason(self, place: int) -> str:
        crossing = self.crossing[place]
        here = f"before {describe(self.nodes[place])}"
        if len(crossing) != 1:
            return f"{len(crossing)} values cross the cut {here}: {', '.join(map(describe, crossing))}"
        if crossing[0] not in self.measured.shapes:
            return f"what crosses the cut {here} is not one tensor with the rows of the input: {describe(crossing[0])}"
        return f"the modules on both sides of the cut {here} share a parameter or a buffer"


def _crossing(graph: fx.Graph, nodes: Sequence[fx.Node]) -> list[list[fx.Node]]:
    """List for every place the values that are made before it and read after it."""
    position = {node: number for number, node in enumerate(nodes)}
    crossing: list[list[fx.Node]] = [[] for _ in nodes]
    values = [node for node in graph.nodes if node.op == "placeholder"] + list(nodes)
    for node in values:
        last = max((position.get(user, len(nodes) - 1) for user in node.users), default=-1)
        for place in range(position.get(node, -1) + 1, last + 1):
            crossing[place].append(node)
    return crossing


def _tied(network: nn.Module, nodes: Sequence[fx.Node]) -> set[int]:
    """Find the places between two uses of one parameter or buffer."""
    state = dict(network.named_parameters(remove_duplicate=False))
    state.update(network.named_buffers(remove_duplicate=False))  # type: ignore[arg-type]
    used: dict[int, list[int]] = defaultdict(list)
    for number, node in enumerate(nodes):
        read = [str(each.target) for each in node.all_input_nodes if each.op == "get_attr"]
        if node.op == "call_module":
            read += [name for name in state if name.startswith(f"{node.target}.")]
        for name in read:
            if name in state:
                used[id(state[name])].append(number)
    return {place for places in used.values() for place in range(min(places) + 1, max(places) + 1)}


def _capacity(costs: Sequence[int], count: int) -> int:
    """Return the smallest cost of the largest of ``count`` groups of neighbours."""
    low, high = max(costs), sum(costs)
    while low < high:
        middle = (low + high) // 2
        groups, filled = 1, 0
        for cost in costs:
            groups, filled = (groups, filled + cost) if filled + cost <= middle else (groups + 1, cost)
        low, high = (low, middle) if groups <= count else (middle + 1, high)
    return low


def _chosen(places: Sequence[int], costs: Sequence[int], count: int) -> list[int]:
    """Choose cuts so that the largest layer is as small as it can be, and then the sum of squares."""
    sums = [sum(costs[:number]) for number in range(len(costs) + 1)]
    best: list[tuple[int, int, tuple[int, ...]]] = [(total, total**2, ()) for total in sums]
    for made in range(2, count + 1):
        best = [
            min(
                (max(best[j][0], sums[n] - sums[j]), best[j][1] + (sums[n] - sums[j]) ** 2, (*best[j][2], j))
                for j in range(made - 1, n)
            )
            if n >= made
            else best[n]
            for n in range(len(sums))
        ]
    return [places[number - 1] for number in best[-1][2]]
