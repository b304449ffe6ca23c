from . import augment, inference, losses, metrics, protocols, sharing, streams
from .clips.batches import Clips
from .clips.splits import split_rows
from .clips.store import Clip, ClipStore, Manifest, open_store
from .clips.writer import StoreWriter
from .config import Config
from .encoders import (
    DSTE,
    ENCODERS,
    STGCN,
    STTR,
    Canonical,
    ClipShape,
    DenseEncoder,
    Disentangled,
    Encoder,
    Features,
    JointTransformer,
    MapEncoder,
    MaskedEncoder,
    PatchEncoder,
    RotaryTransformer,
    View,
)
from .errors import KinemeError
from .generate import generate_store
from .layouts import Layout, get_layout
from .loading import load
from .methods import MAMP, METHODS, MPCT, USDRL, AimCLR, Method, SCDNet, SLiM, Tandem
from .metrics import METRICS
from .model import Model
from .preparing import prepare
from .preprocessing import (
    AGCN,
    CTRGCN,
    PREPROCESSINGS,
    CrossCLR,
    Plain,
    Preprocessing,
    parse_preprocessing,
)
from .pretraining import pretrain
from .settings import load_config
from .showing import show
from .sources import SOURCES, Source
from .sources.poses.arrays import Detections, Poses
from .sources.poses.formats import FORMATS, Format

__version__: str

__all__ = [
    "AGCN",
    "CTRGCN",
    "DSTE",
    "ENCODERS",
    "FORMATS",
    "MAMP",
    "METHODS",
    "METRICS",
    "MPCT",
    "PREPROCESSINGS",
    "SOURCES",
    "STGCN",
    "STTR",
    "USDRL",
    "AimCLR",
    "Canonical",
    "Clip",
    "ClipShape",
    "ClipStore",
    "Clips",
    "Config",
    "CrossCLR",
    "DenseEncoder",
    "Detections",
    "Disentangled",
    "Encoder",
    "Features",
    "Format",
    "JointTransformer",
    "KinemeError",
    "Layout",
    "Manifest",
    "MapEncoder",
    "MaskedEncoder",
    "Method",
    "Model",
    "PatchEncoder",
    "Plain",
    "Poses",
    "Preprocessing",
    "RotaryTransformer",
    "SCDNet",
    "SLiM",
    "Source",
    "StoreWriter",
    "Tandem",
    "View",
    "__version__",
    "augment",
    "generate_store",
    "get_layout",
    "inference",
    "load",
    "load_config",
    "losses",
    "metrics",
    "open_store",
    "parse_preprocessing",
    "prepare",
    "pretrain",
    "protocols",
    "sharing",
    "show",
    "split_rows",
    "streams",
]
