"""Hadamard matrices, which balance half-samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def hadamard(least: int) -> Numbers:
    """The smallest Hadamard matrix known here of at least `least` rows, its first row and column all 1.

    Made by doubling (Sylvester 1867) and from quadratic residues (Paley 1933, J Math Phys 12:311).

    Raises
    ------
    ValueError
        If none is known below twice the next power of two, which cannot happen.
    """
    for order in range(max(least, 1), 4 * max(least, 1) + 1):
        matrix = _of_order(order)
        if matrix is not None:
            return _normal(matrix)
    raise ValueError(f"no Hadamard matrix of {least} rows is known")


def is_hadamard(matrix: Numbers) -> bool:
    """Whether all entries are 1 or -1 and all rows are orthogonal."""
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isin(matrix, (-1.0, 1.0)).all():
        return False
    return bool((matrix @ matrix.T == len(matrix) * np.eye(len(matrix))).all())


def _of_order(order: int) -> Numbers | None:
    if order in (1, 2):
        return np.array([[1.0, 1.0], [1.0, -1.0]])[:order, :order]
    if order % 4:
        return None
    if _is_prime(order - 1) and (order - 1) % 4 == 3:
        skew = _bordered(order - 1, -1.0)
        return skew + np.eye(order)
    if _is_prime(order // 2 - 1) and (order // 2 - 1) % 4 == 1:
        conference = _bordered(order // 2 - 1, 1.0)
        ones = np.array([[1.0, 1.0], [1.0, -1.0]])
        turned = np.array([[1.0, -1.0], [-1.0, -1.0]])
        return np.kron(conference, ones) + np.kron(np.eye(order // 2), turned)
    half = _of_order(order // 2)
    return None if half is None else np.kron(np.array([[1.0, 1.0], [1.0, -1.0]]), half)


def _bordered(prime: int, sign: float) -> Numbers:
    """Paley's matrix of quadratic residues of a prime, bordered by ones; symmetric or skew by the sign."""
    residues = {place * place % prime for place in range(1, prime)}
    character = np.array([0.0] + [1.0 if place in residues else -1.0 for place in range(1, prime)])
    core = character[(np.arange(prime)[:, None] - np.arange(prime)[None, :]) % prime]
    matrix = np.zeros((prime + 1, prime + 1))
    matrix[0, 1:], matrix[1:, 0], matrix[1:, 1:] = 1.0, sign, core
    return matrix


def _normal(matrix: Numbers) -> Numbers:
    """The same with rows and columns turned so that the first of each is all 1."""
    turned = matrix * matrix[0]
    return np.asarray(turned * turned[:, :1])


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


__all__ = ["hadamard", "is_hadamard"]
