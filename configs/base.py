"""The fields that every training task has; each task's config sets them and adds its own."""

import ml_collections
from ml_collections import config_dict


def get_base(task: str, combiner: str) -> ml_collections.ConfigDict:
    """Returns a config with sections data, model, optimizer, train and engine.

    Args:
      task: a key of models.MODELS.
      combiner: a name in COMBINERS, or my_module:MyCombiner.
    """
    config = ml_collections.ConfigDict()
    config.task = task
    config.seeds = (0, 1, 2, 3, 4)

    data = config.data = ml_collections.ConfigDict()
    data.name = ""  # a dataset of the project, or tfds:NAME; ignored where path is set
    data.path = ""  # your own file
    data.path_validation = ""  # cut from path where not given
    data.path_test = ""
    data.dir = ""  # where prepared datasets live; '' = the user's cache folder
    data.split_seed = 0  # of the splits that are cut, and of train_fraction
    data.train_fraction = (
        1.0  # of the training examples that are used; a smaller part lies within a larger one
    )
    data.max_resident_bytes = (
        2**31
    )  # a training split larger than that stays on disk and is trained in chunks

    model = config.model = ml_collections.ConfigDict()
    model.combiner = combiner
    model.combiner_options = ml_collections.ConfigDict()  # --config.model.combiner_options.features=32
    model.match = "width"  # what is held equal across combiners: width, embed or params
    model.dim = 64
    model.widths = ()  # with an embedding of its own for every slot: how the slots share dim
    model.hidden = ()
    model.embedding_scale = 0.03  # standard deviation at the start
    model.embedding_mean = config_dict.placeholder(float)  # None = as the combiner declares
    model.dropout = 0.0  # of the combined vector and of hidden units
    model.dtype = "float32"  # or bfloat16

    optimizer = config.optimizer = ml_collections.ConfigDict()
    optimizer.name = "adamw"
    optimizer.learning_rate = 1e-3
    optimizer.schedule = "constant"  # or linear, cosine
    optimizer.warmup_fraction = 0.0
    optimizer.weight_decay = 0.0  # times the learning rate per step; spares vectors
    optimizer.clip_norm = config_dict.placeholder(float)
    optimizer.sparse = (
        "auto"  # tables by row: exact, lazy (rows rest between look-ups), off; auto = exact if faster
    )
    optimizer.options = ml_collections.ConfigDict()  # of optax, such as --config.optimizer.options.b2=0.99

    train = config.train = ml_collections.ConfigDict()
    train.epochs = 30
    train.batch_size = 128
    train.monitor = "loss"  # the validation metric that picks the best epoch
    train.patience = 8  # epochs without a better one after which a seed stops
    train.length_buckets = 1  # texts: batches of like length are trimmed to it: widths L, L/2, L/4, …
    train.on_divergence = "stop"  # or freeze: the seed is recorded as diverged, the others go on
    train.checkpoint_seconds = 30.0  # at the end of the first epoch after so long

    engine = config.engine = ml_collections.ConfigDict()
    engine.replicas = "auto"  # seeds side by side (vmap) or one after the other (map) in one program
    engine.compilation_cache = ""  # a folder; '' = the user's cache folder; 'off'
    engine.matmul_precision = "default"  # or float32, tf32, bfloat16: docs/profiling.md

    mesh = engine.mesh = ml_collections.ConfigDict()  # devices along each axis: docs/several_devices.md
    mesh.replicas = 0  # seeds divided among devices; 0 = as many devices as there are and as divide the seeds
    mesh.batch = 1  # a step's examples divided among devices
    mesh.rows = 1  # the rows of embedding tables divided among devices
    return config


def add_pretrained(config: ml_collections.ConfigDict) -> None:
    """Adds what a task of texts takes from word vectors: its embeddings' start, and words to look up."""
    data = config.data
    data.extra_vocabulary = ""  # a run, or a file of word vectors, whose words join the vocabulary
    data.max_extra_words = 0  # the first of them, the most frequent ones; 0 = all

    model = config.model
    model.pretrained = ""  # a run, or a file of word vectors, that embeddings start from; '' = random
    model.pretrained_mode = "tuned"  # or frozen: looked up, but not trained
    model.pretrained_vectors = "word"  # of a run of skip-grams: word, context, sum or concat of both
    model.pretrained_scaling = "all"  # to embedding_scale: 'all' by one number, 'each' by its own, or 'none'
