import torch

from reeltune.data.batch import Histories


def test_the_last_events_keep_nothing_after_their_end():
    items = torch.tensor([[1, 2, 3, 4], [5, 0, 0, 0]])
    nan = float("nan")
    histories = Histories(
        items,
        torch.tensor([4, 1]),
        ratings=torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, nan, nan, nan]]),
        timestamps=torch.tensor([[10, 20, 30, 40], [50, -1, -1, -1]]),
        sentiment=torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.5, nan, nan, nan]]),
    )
    last = histories.last(2)
    assert last.items.tolist() == [[3, 4], [5, 0]]
    assert last.timestamps.tolist() == [[30, 40], [50, -1]]
    torch.testing.assert_close(last.ratings, torch.tensor([[3.0, 4.0], [5.0, nan]]), equal_nan=True)
    torch.testing.assert_close(last.sentiment, torch.tensor([[0.3, 0.4], [0.5, nan]]), equal_nan=True)


def test_a_row_that_pads_with_its_last_event_is_cut_clean():
    # Rows of a wider batch: what stands after a row's end belongs to nobody.
    histories = Histories(
        torch.tensor([[1, 2, 3], [4, 5, 0]]),
        torch.tensor([3, 1]),
        ratings=torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 5.0]]),
        timestamps=torch.tensor([[1, 2, 3], [4, 5, 5]]),
    )
    last = histories.last(2)
    assert last.items.tolist() == [[2, 3], [4, 0]]
    assert last.timestamps.tolist() == [[2, 3], [4, -1]]
    assert last.ratings[1, 1].isnan()
