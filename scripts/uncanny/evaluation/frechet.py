"""The Fréchet distance without each group of images, from sums of one pass."""

import numpy as np

from uncanny.evaluation import jackknife
from uncanny.evaluation.jackknife import Jackknife


def without_groups(x: np.ndarray, mu: np.ndarray, sigma: np.ndarray) -> Jackknife:
    """FID of x [n, d] against N(mu, sigma), of all rows and without each group, from one pass."""
    # Σ = L Lᵀ: the eigenvalues of S Σ are those of the symmetric Lᵀ S L, so that
    # tr (S Σ)^½ = Σ_i sqrt(λ_i(Lᵀ S L)) without the square root of a matrix
    eigenvalues, vectors = np.linalg.eigh(sigma)
    root = vectors * np.sqrt(eigenvalues.clip(0))
    # Sums about the mean: large means would cancel in the covariance. z = Lᵀ x: Cov z = Lᵀ S L
    centre = x.mean(axis=0)
    x = x - centre
    z, lengths = x @ root, np.einsum("nd,nd->n", x, x)
    squares = z.T @ z

    def distance(total: np.ndarray, length: float, squares: np.ndarray, n: int) -> float:
        """FID of n rows from Σ x, Σ ‖x‖², Σ z zᵀ."""
        mean = total / n
        trace = (length - n * mean @ mean) / (n - 1)  # tr S
        covariance = (squares - n * np.outer(mean @ root, mean @ root)) / (n - 1)
        cross = np.sqrt(np.linalg.eigvalsh(covariance).clip(0)).sum()
        shift = centre + mean - mu
        return float(shift @ shift + trace + np.trace(sigma) - 2 * cross)

    total, length, n = x.sum(axis=0), lengths.sum(), len(x)
    replicates = [
        # Sums over the rest: those of all less those of the group
        distance(
            total - x[rows].sum(axis=0),
            length - lengths[rows].sum(),
            squares - z[rows].T @ z[rows],
            n - len(rows),
        )
        for rows in jackknife.members(n)
    ]
    return jackknife.jackknife(distance(total, length, squares, n), replicates)
