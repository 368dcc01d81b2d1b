import threading

from reeltune.tuning.ray import worker as ray_worker


def test_a_worker_waits_for_the_trial_that_began_while_the_last_one_closed(monkeypatch):
    """Ray starts a trial in a worker that is reused before the stopped one has closed its loggers."""
    ends = {name: threading.Event() for name in ("stopped", "last")}
    begun = {name: threading.Event() for name in ends}

    def run(config, entry):
        begun[config["name"]].set()
        ends[config["name"]].wait(60)

    monkeypatch.setattr(ray_worker, "_run_in_worker", run)
    threads = {}
    for name in ends:
        threads[name] = threading.Thread(
            target=ray_worker.run_in_worker, args=({"name": name},), kwargs={"entry": ""}
        )
        threads[name].start()
        assert begun[name].wait(60)
    ends["stopped"].set()
    threads["stopped"].join(60)
    waiting = threading.Thread(target=ray_worker.wait_until_idle)
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive(), "the last trial still closes its loggers"
    ends["last"].set()
    waiting.join(60)
    assert not waiting.is_alive()
    threads["last"].join(60)
