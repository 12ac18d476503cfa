"""Packing of token sequences into rows that hold a shared prefix once, apart from its last token. Pure.

The answers to one prompt share a prefix: the prompt and the equal beginning of the answers. A causal model computes the
same values for equal prefixes, so one computation is enough. The sequences are arranged as trees of prefixes, and the
trees are packed into rows. A place is one position of a row. The attention mask lets each place attend to itself and
its ancestors in the tree. A place that several sequences share is computed once. A padded batch computes each token of
each sequence, and the padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Packed:
    """R sequences in B packed rows of L places.

    ids_BL: the token of each place; 0 in padding. positions_BL: the position of the token in its sequence; 0 in
    padding. A segment is a stretch of a tree without a fork. segments_BL: the number of the segment that holds the
    place, counted within each row; -1 in padding. ancestors: one array for each row. Its element [a, b] is true if
    segment b is segment a or an ancestor of segment a. places: one array for each sequence. For a sequence of n tokens
    it holds the n - 1 flat places (row x L + column) that predict the tokens 2, 3, ..., n.
    """

    ids_BL: Ints
    positions_BL: Ints
    segments_BL: Ints
    ancestors: list[NDArray[np.bool_]]
    places: list[Ints]

    def mask_BLL(self) -> NDArray[np.bool_]:
        """Return the attention mask: element [b, i, j] is true if place i of row b attends to place j of that row.

        A place attends to itself and its ancestors, and a place of padding to itself.
        """
        rows, length = self.ids_BL.shape
        mask_BLL = np.zeros((rows, length, length), dtype=np.bool_)
        causal_LL = np.tri(length, dtype=np.bool_)
        for row, (segments_L, related) in enumerate(zip(self.segments_BL, self.ancestors, strict=True)):
            used = int((segments_L >= 0).sum())
            own = segments_L[:used]
            mask_BLL[row, :used, :used] = related[own][:, own] & causal_LL[:used, :used]
        diagonal = np.arange(length)
        mask_BLL[:, diagonal, diagonal] = True
        return mask_BLL


@dataclass
class _Tree:
    """One tree of prefixes. Its places are numbered from 0.

    ids, depths, segments: the token of each place, its position in its sequences, and its segment, as arrays that are
    joined later. parents: the parent segment of each segment; -1 for the root. places: for each sequence of the tree,
    its places, as arrays that are joined later. size: the number of places.
    """

    ids: list[Ints] = field(default_factory=list)
    depths: list[Ints] = field(default_factory=list)
    segments: list[Ints] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    places: dict[int, list[Ints]] = field(default_factory=dict)
    size: int = 0


def pack(sequences: Sequence[Sequence[int]]) -> Packed:
    """Arrange `sequences` as trees of prefixes, and pack the trees into rows that are as long as the largest tree.

    Each tree goes into the first row with enough free places, the largest trees first. The last common token before a
    fork is repeated in each branch that goes on after it, so that each place predicts one token. The last token of a
    sequence predicts nothing and has no place. Raises ValueError when there are no sequences, or when one has fewer
    than two tokens.
    """
    if not sequences or min(map(len, sequences)) < 2:
        raise ValueError("pack needs at least one sequence, and at least two tokens in each sequence")
    trees = _trees(sequences)
    length = max(tree.size for tree in trees)
    rows: list[list[_Tree]] = []
    free: list[int] = []
    for tree in sorted(trees, key=lambda tree: -tree.size):
        at = next((at for at, left in enumerate(free) if left >= tree.size), len(rows))
        if at == len(rows):
            rows.append([])
            free.append(length)
        rows[at].append(tree)
        free[at] -= tree.size
    return _lay_out(rows, length, len(sequences))


def _trees(sequences: Sequence[Sequence[int]]) -> list[_Tree]:
    order = sorted(range(len(sequences)), key=lambda at: list(sequences[at]))
    arrays = [np.asarray(sequences[at], dtype=np.int64) for at in order]
    shared = [0, *(_common(one, other) for one, other in pairwise(arrays))]
    starts = [at for at, common in enumerate(shared) if common == 0]
    trees = []
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        tree = _Tree(places={order[at]: [] for at in range(start, end)})
        _grow(tree, arrays, shared, order, start, end)
        trees.append(tree)
    return trees


def _grow(tree: _Tree, arrays: list[Ints], shared: list[int], order: list[int], start: int, end: int) -> None:
    """Add the sorted sequences from `start` up to `end` - 1, which share their first token, to the tree.

    A loop replaces recursion, since many nested forks could exceed Python's recursion limit.
    """
    pending = [(start, end, 0, -1)]
    while pending:
        low, high, depth, parent = pending.pop()
        inner = range(low + 1, high)
        fork = min((shared[at] for at in inner), default=len(arrays[low]))
        until = fork - 1  # the last token before a fork is in each branch; a sequence's last token has no place
        segment = len(tree.parents)
        tree.parents.append(parent)
        if until > depth:
            places = np.arange(tree.size, tree.size + until - depth)
            tree.ids.append(arrays[low][depth:until])
            tree.depths.append(np.arange(depth, until))
            tree.segments.append(np.full(until - depth, segment))
            tree.size += until - depth
            for at in range(low, high):
                tree.places[order[at]].append(places)
        if high - low > 1:
            cuts = [low, *(at for at in inner if shared[at] == fork), high]
            pending += [(one, other, until, segment) for one, other in pairwise(cuts)][::-1]


def _common(one: Ints, other: Ints) -> int:
    """Return the length of the common prefix of two sequences."""
    least = min(len(one), len(other))
    differ = np.flatnonzero(one[:least] != other[:least])
    return int(differ[0]) if len(differ) else least


def _lay_out(rows: list[list[_Tree]], length: int, count: int) -> Packed:
    shape = (len(rows), length)
    ids, positions = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    segments, ancestors = np.full(shape, -1, np.int64), []
    places: list[Ints] = [np.zeros(0, np.int64)] * count
    for row, trees in enumerate(rows):
        column, parents = 0, list[int]()
        for tree in trees:
            here = slice(column, column + tree.size)
            ids[row, here], positions[row, here] = np.concatenate(tree.ids), np.concatenate(tree.depths)
            segments[row, here] = np.concatenate(tree.segments) + len(parents)
            for sequence, parts in tree.places.items():
                places[sequence] = np.concatenate(parts) + row * length + column
            parents += [parent + len(parents) * (parent >= 0) for parent in tree.parents]
            column += tree.size
        ancestors.append(_ancestors(parents))
    return Packed(ids, positions, segments, ancestors, places)


def _ancestors(parents: list[int]) -> NDArray[np.bool_]:
    """Return an array whose element [a, b] is true if segment b is segment a or an ancestor of segment a.

    parents: the parent of each segment, or -1. A parent has a lower number than its children.
    """
    related = np.eye(len(parents), dtype=np.bool_)
    for segment, parent in enumerate(parents):
        if parent >= 0:
            related[segment] |= related[parent]
    return related
