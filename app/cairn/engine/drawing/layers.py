"""Layers of a drawing: the layer of each node, and the edges that go back."""

from collections.abc import Sequence


def going_back(count: int, edges: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return the edges that close a cycle, by depth-first search from nodes without sources."""
    leads: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        leads[source].append(target)
    reached = {target for _, target in edges}
    back: set[tuple[int, int]] = set()
    done: set[int] = set()
    for root in sorted(range(count), key=lambda node: node in reached):
        ahead = [] if root in done else [(root, iter(leads[root]))]
        path = {root}
        while ahead:
            node, targets = ahead[-1]
            for target in targets:
                if target in path:
                    back.add((node, target))
                elif target not in done:
                    path.add(target)
                    ahead.append((target, iter(leads[target])))
                    break
            else:
                ahead.pop()
                path.discard(node)
                done.add(node)
    return back


def layers_of(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Return the layer of each node: one below the lowest node that leads to the node.

    A node without sources is one above the highest of its targets. The edges have no cycle.
    """
    leads: list[list[int]] = [[] for _ in range(count)]
    missing = [0] * count
    for source, target in edges:
        leads[source].append(target)
        missing[target] += 1
    layers = [0] * count
    sources = [node for node in range(count) if not missing[node]]
    ready = list(sources)
    for node in ready:
        for target in leads[node]:
            layers[target] = max(layers[target], layers[node] + 1)
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)
    for node in sources:
        layers[node] = min((layers[target] for target in leads[node]), default=1) - 1
    return layers
