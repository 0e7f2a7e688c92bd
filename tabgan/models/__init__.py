"""The models of the library; each file holds one generative system."""

from tabgan.models.aae import AAESynthesizer
from tabgan.models.arae import ARAESynthesizer
from tabgan.models.autoregressive import AutoregressiveSynthesizer
from tabgan.models.bigan import BiGANSynthesizer
from tabgan.models.cgan import CGANSynthesizer
from tabgan.models.clusterer import AAEClusterer
from tabgan.models.cramer import CramerGANSynthesizer
from tabgan.models.cyclegan import CycleGANTranslator
from tabgan.models.dagan import DAGANAugmenter
from tabgan.models.denoising import DenoisingFeaturizer
from tabgan.models.dp import DPSynthesizer
from tabgan.models.gain import GAINImputer
from tabgan.models.gan import GANSynthesizer
from tabgan.models.genclass import GenClassClassifier
from tabgan.models.infogan import InfoGANFeaturizer
from tabgan.models.lsgan import LSGANSynthesizer
from tabgan.models.rcgan import RCGANSynthesizer
from tabgan.models.seqgan import SeqGANSynthesizer
from tabgan.models.sequence_arae import SequenceARAESynthesizer
from tabgan.models.teaching import TeachingSynthesizer
from tabgan.models.wgan import WGANSynthesizer

__all__ = [
    "AAEClusterer",
    "AAESynthesizer",
    "ARAESynthesizer",
    "AutoregressiveSynthesizer",
    "BiGANSynthesizer",
    "CGANSynthesizer",
    "CramerGANSynthesizer",
    "CycleGANTranslator",
    "DAGANAugmenter",
    "DPSynthesizer",
    "DenoisingFeaturizer",
    "GAINImputer",
    "GANSynthesizer",
    "GenClassClassifier",
    "InfoGANFeaturizer",
    "LSGANSynthesizer",
    "RCGANSynthesizer",
    "SeqGANSynthesizer",
    "SequenceARAESynthesizer",
    "TeachingSynthesizer",
    "WGANSynthesizer",
]
