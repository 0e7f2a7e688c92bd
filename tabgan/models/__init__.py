"""One file per system."""

from tabgan.models.aae import AAESynthesizer
from tabgan.models.cgan import CGANSynthesizer
from tabgan.models.gan import GANSynthesizer
from tabgan.models.infogan import InfoGANFeaturizer
from tabgan.models.wgan import WGANSynthesizer

__all__ = [
    "AAESynthesizer",
    "CGANSynthesizer",
    "GANSynthesizer",
    "InfoGANFeaturizer",
    "WGANSynthesizer",
]
