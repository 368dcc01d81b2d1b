"""A contest of seconds on generated data."""

CONTEST = """\
question: Does a tuned GRU beat the others on generated film-goers?
data: {dataset: synthetic}
study: {searcher: random, scheduler: none, trials: 2, seed: 3, concurrency: 2, objective: ndcg@10}
seeds: 2
cuts: [5]
contestants:
  tuned GRU:
    role: optimized RNN
    training: {max_epochs: 1, batch_size: 128}
    model: {embedding_dim: 16}
    space:
      model: gru
      space: {model.hidden_dim: {kind: int, low: 8, high: 32, log: true}}
  standard RNN:
    role: standard RNN
    model: {name: rnn, embedding_dim: 8, hidden_dim: 8, dropout: 0.0, embedding_dropout: 0.0}
    training: {max_epochs: 1, batch_size: 128}
  ItemKNN:
    role: collaborative filtering
    space:
      model: item-knn
      space: {model.n_neighbours: {kind: int, low: 5, high: 50}}
  popularity: {role: counting, model: {name: popularity}}
analyses:
  sweeps: {model.hidden_dim: [8]}
  user_shares: [0.5]
  k_cores: [1]
  n_explained: 20
quick:
  seeds: 1
  study.trials: 1
"""
