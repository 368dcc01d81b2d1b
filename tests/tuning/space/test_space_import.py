import pytest

from reeltune.config import parse_yaml
from reeltune.errors import ConfigError
from reeltune.models.networks.gru import GRUConfig
from reeltune.training.config import TrainingConfig
from reeltune.tuning.space.file import parse_space
from reeltune.tuning.space.imports import import_space
from reeltune.tuning.space.parameters import Choice, FloatRange, IntRange

RECBOLE = """# a comment

learning_rate loguniform -8,0
embedding_size choice [64, 96, 128]
dropout_prob uniform 0.0,0.5
hidden_size quniform 32,256,32
weight_decay choice [0, 0.01]
loss_type choice ['CE', 'BPR']
train_batch_size choice [512]
"""
GRU4REC = """{"name":"layers", "dtype":"int", "values":[64,512], "step":32}
{"name":"learning_rate", "dtype":"float", "values":[0.01, 0.25], "step":0.005}
{"name":"dropout_p_hidden", "dtype":"float", "values":[0.0, 0.7], "step":0.05}
{"name":"batch_size", "dtype":"categorical", "values":[32, 64]}
{"name":"momentum", "dtype":"float", "values":[0.0, 0.9], "step":0.05}
"""


def read(tmp_path, text):
    path = tmp_path / "hyper.test"
    path.write_text(text)
    text, left_out = import_space(path)
    sections = {"model": GRUConfig(), "training": TrainingConfig()}
    return text, left_out, parse_space(parse_yaml(text, "made.yaml"), sections, "gru")


def test_a_file_of_recbole(tmp_path):
    text, left_out, space = read(tmp_path, RECBOLE)
    assert space.space == {
        "training.learning_rate": FloatRange(low=0.000335463, high=1.0, log=True),
        "model.embedding_dim": Choice(values=[64, 96, 128]),
        "model.embedding_dropout": FloatRange(low=0.0, high=0.5),
        "model.hidden_dim": IntRange(low=32, high=256, step=32),
        "training.weight_decay": Choice(values=[0.0, 0.01]),
    }
    assert left_out[0] == "loss_type: reeltune has no field for it, for gru"
    assert "1 values are no choice" in left_out[1]
    assert "# Not taken: loss_type" in text


def test_a_file_of_gru4rec(tmp_path):
    _, left_out, space = read(tmp_path, GRU4REC)
    assert space.space == {
        "model.hidden_dim": IntRange(low=64, high=512, step=32),
        "training.learning_rate": FloatRange(low=0.01, high=0.25, step=0.005),
        "model.dropout": FloatRange(low=0.0, high=0.7, step=0.05),
        "training.batch_size": Choice(values=[32, 64]),
    }
    assert left_out == ["momentum: reeltune has no field for it, for gru"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing in it can be searched; it is empty"),
        (
            "learning_rate normal 0,1",
            ":1: 'learning_rate normal 0,1' is not understood: unknown kind 'normal'",
        ),
        ("learning_rate uniform 0.1", "not enough values"),
        ("learning_rate choice __import__('os')", "is not understood"),
        ("\nlearning_rate loguniform a,b", ":2: "),
        ("loss_type choice ['CE','BPR']", "nothing in it can be searched"),
        ('{"name": "layers"}', "is not understood: it has no 'dtype'"),
        ('{"name": "layers", "dtype": "int", "values": [1', "is not understood"),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, message):
    with pytest.raises(ConfigError) as error:
        read(tmp_path, text)
    assert message in str(error.value)


def test_no_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        import_space(tmp_path / "absent")
