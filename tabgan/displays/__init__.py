"""Pictures of tables, training and latent space, in the manner of scikit-learn's displays."""

from tabgan.displays.latent import LatentSpaceDisplay, LatentWalkDisplay, RowGridDisplay
from tabgan.displays.tables import MarginalsDisplay, PairTrendDisplay
from tabgan.displays.training import LossDisplay, TrajectoryDisplay

__all__ = [
    "LatentSpaceDisplay",
    "LatentWalkDisplay",
    "LossDisplay",
    "MarginalsDisplay",
    "PairTrendDisplay",
    "RowGridDisplay",
    "TrajectoryDisplay",
]
