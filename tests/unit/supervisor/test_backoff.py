from datetime import timedelta

from protomesh.supervisor.backoff import Backoff

MOMENT = timedelta(milliseconds=1)


def test_the_wait_doubles_up_to_its_longest() -> None:
    """0.2 s, then twice as long each time, and never more than 10 s."""
    backoff = Backoff()

    waits = [backoff.after(MOMENT).total_seconds() for _ in range(8)]

    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_a_worker_that_lived_long_is_back_at_once() -> None:
    """30 s of life make the next wait the first one again."""
    backoff = Backoff()
    for _ in range(5):
        backoff.after(MOMENT)

    assert backoff.after(timedelta(seconds=30)) == timedelta(seconds=0.2)
    assert backoff.after(MOMENT) == timedelta(seconds=0.4)
