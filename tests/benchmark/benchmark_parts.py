"""A benchmark of seconds on generated data."""

BENCHMARK = """\
question: Does a tuned GRU beat the others on generated film-goers?
data: {dataset: synthetic}
study: {searcher: random, scheduler: none, trials: 2, seed: 3, concurrency: 2, objective: ndcg@10}
seeds: 2
claim: optimized RNN
cuts: [5]
models:
  tuned GRU:
    group: optimized RNN
    training: {max_epochs: 1, batch_size: 128}
    model: {embedding_dim: 16}
    space:
      model: gru
      space: {model.hidden_dim: {kind: int, low: 8, high: 32, log: true}}
  standard RNN:
    group: standard RNN
    model: {name: rnn, embedding_dim: 8, hidden_dim: 8, dropout: 0.0, embedding_dropout: 0.0}
    training: {max_epochs: 1, batch_size: 128}
  ItemKNN:
    group: collaborative filtering
    space:
      model: item-knn
      space: {model.n_neighbours: {kind: int, low: 5, high: 50}}
  popularity: {group: counting, model: {name: popularity}}
splits:
  by the calendar: {split: {name: global-time, targets: successive}}
ratings:
  split: {name: k-fold, n_folds: 4}
  trials: 2
  seeds: 2
  models:
    tuned GRU:
      group: optimized RNN
      network:
        model: {name: gru, embedding_dim: 4, hidden_dim: 4}
        training: {max_epochs: 1, batch_size: 64}
      space: {training.learning_rate: {kind: float, low: 1.0e-3, high: 1.0e-2, log: true}}
    biases:
      group: collaborative filtering
      predictor: {name: biases}
      space: {user_regularization: {kind: float, low: 1.0, high: 50.0, log: true}}
    mean: {group: counting, predictor: {name: global-mean}}
analyses:
  tie_rules: [movie]
  sweeps: {model.hidden_dim: [8]}
  user_shares: [0.5]
  k_cores: [1]
  n_explained: 20
quick:
  seeds: 1
  study.trials: 1
"""
