"""Labelled texts in each form."""

import io
import tarfile

import pytest
from data_parts import write_zip

from reeltune.data.features.labelled import read_labelled
from reeltune.errors import DataError


def test_a_table_of_ones_own(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text('label,text\n1,"good, really"\nrotten,bad\nPositive,"two\nlines"\n0,\n', encoding="utf-8")
    labelled = read_labelled(path)
    assert labelled.texts == ["good, really", "bad", "two\nlines"]
    assert labelled.is_praise.tolist() == [True, False, True]


def test_a_table_in_a_package(tmp_path):
    path = write_zip(tmp_path / "x.whl", {"x/data.csv": b"text,label,source\nfine,1,a\n"})
    assert read_labelled(path).texts == ["fine"]


def test_sentences_of_cornell(tmp_path):
    members = {"d/rt-polarity.pos": "caf\xe9 noir \n\n".encode("cp1252"), "d/rt-polarity.neg": b"dull\n"}
    labelled = read_labelled(write_zip(tmp_path / "rt.zip", members))
    assert dict(zip(labelled.texts, labelled.is_praise.tolist(), strict=True)) == {
        "caf\xe9 noir": True,
        "dull": False,
    }


def test_whole_reviews_of_cornell(tmp_path):
    path = tmp_path / "r.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in (("t/neg/a.txt", b"dull"), ("t/pos/b.txt", b"fine"), ("t/readme.txt", b"no")):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    labelled = read_labelled(path)
    assert labelled.texts == ["dull", "fine"]
    assert labelled.is_praise.tolist() == [False, True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold text and label"),
        ("text\nfine\n", "must hold text and label"),
        ("text,label\nfine,maybe\n", r"mine\.csv:2: the label is 'maybe'"),
        ("text,label\nfine\n", r"mine\.csv:2: 1 fields in 'fine'"),
        ("text,label\n", "holds no text"),
    ],
)
def test_other_tables_are_refused(tmp_path, text, message):
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_labelled(path)


def test_a_missing_file_and_a_foreign_archive_are_refused(tmp_path):
    with pytest.raises(DataError, match="cannot read"):
        read_labelled(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="neither a CSV nor"):
        read_labelled(write_zip(tmp_path / "x.zip", {"readme": b""}))


def test_the_held_out_part_is_drawn_by_the_seed(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("text,label\n" + "".join(f"t{i},{i % 2}\n" for i in range(30)))
    train, test = read_labelled(path).held_out(0.1, 3)
    assert len(test.texts) == 3
    assert set(train.texts) & set(test.texts) == set()
    assert read_labelled(path).held_out(0.1, 3)[1].texts == test.texts
    assert read_labelled(path).held_out(0.1, 4)[1].texts != test.texts


def test_the_polarity_sets_are_whole(shared_data):
    sentences = read_labelled(shared_data / "sentiment" / "rt-polaritydata.zip")
    reviews = read_labelled(shared_data / "sentiment" / "review_polarity.tar.gz")
    assert len(sentences.texts) == 10_662
    assert len(reviews.texts) == 2_000
    assert sentences.is_praise.sum() == 5_331
    assert reviews.is_praise.sum() == 1_000
