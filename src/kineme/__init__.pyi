from kineme import augment, losses, metrics, protocols, streams
from kineme.clips.batches import Clips
from kineme.clips.splits import split_rows
from kineme.clips.store import Clip, ClipStore, Manifest, open_store
from kineme.clips.writer import StoreWriter
from kineme.config import Config, load_config
from kineme.encoders import (
    DSTE,
    ENCODERS,
    STGCN,
    STTR,
    ClipShape,
    DenseEncoder,
    Disentangled,
    Encoder,
    Features,
    MapEncoder,
    View,
)
from kineme.errors import KinemeError
from kineme.generate import generate_store
from kineme.layouts import Layout, get_layout
from kineme.methods import METHODS, USDRL, AimCLR, Method, SCDNet
from kineme.metrics import METRICS
from kineme.model import Model, load
from kineme.preparing import prepare
from kineme.preprocessing import (
    AGCN,
    PREPROCESSINGS,
    CrossCLR,
    Plain,
    Preprocessing,
    parse_preprocessing,
)
from kineme.pretraining import pretrain
from kineme.sources import SOURCES, Source

__version__: str

__all__ = [
    "AGCN",
    "DSTE",
    "ENCODERS",
    "METHODS",
    "METRICS",
    "PREPROCESSINGS",
    "SOURCES",
    "STGCN",
    "STTR",
    "USDRL",
    "AimCLR",
    "Clip",
    "ClipShape",
    "ClipStore",
    "Clips",
    "Config",
    "CrossCLR",
    "DenseEncoder",
    "Disentangled",
    "Encoder",
    "Features",
    "KinemeError",
    "Layout",
    "Manifest",
    "MapEncoder",
    "Method",
    "Model",
    "Plain",
    "Preprocessing",
    "SCDNet",
    "Source",
    "StoreWriter",
    "View",
    "__version__",
    "augment",
    "generate_store",
    "get_layout",
    "load",
    "load_config",
    "losses",
    "metrics",
    "open_store",
    "parse_preprocessing",
    "prepare",
    "pretrain",
    "protocols",
    "split_rows",
    "streams",
]
