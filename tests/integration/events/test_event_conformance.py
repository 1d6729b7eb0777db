"""What holds for every transport, whatever ends at whichever moment."""

import pytest

from protomesh.runtime.events.dead_letters import replay, skip, stuck
from tests.integration.events.bakery import Bakery

FAILURES = 3  # that make a dead letter, as both say
DEATHS = 3  # of workers that handle it, until an event fails
ROUNDS = 4
A_ROUND = 60


async def grown(bakery: Bakery, before: int) -> None:
    """Waits until something more is applied."""

    async def more() -> bool:
        return await bakery.count_applied() > before

    await bakery.until(more)


async def dead_letters(bakery: Bakery, count: int) -> None:
    """Waits until there are so many."""

    async def dead() -> bool:
        return await bakery.deferred(dead=True) == count

    await bakery.until(dead)


async def test_every_event_is_applied_once_and_in_order(bakery: Bakery) -> None:
    """What was published before anybody ran, and what is published while they do; then the outbox is empty."""
    await bakery.bake(A_ROUND)
    await bakery.start("shelf", "bakery")
    await bakery.bake(A_ROUND)
    await bakery.applied_in_full()


@pytest.mark.parametrize("victim", ["bakery", "shelf"])
async def test_nothing_is_lost_or_doubled_by_a_crash(bakery: Bakery, victim: str) -> None:
    """The relay or the consumer is killed in the middle of its work, again and again."""
    await bakery.start("shelf", "bakery")
    for _ in range(ROUNDS):
        before = await bakery.count_applied()
        await bakery.bake(A_ROUND)
        await grown(bakery, before)
        await bakery.kill(victim)
        await bakery.bake(A_ROUND // 4)
        await bakery.start(victim)
    await bakery.applied_in_full()
    assert await bakery.deferred(dead=True) == 0


@pytest.mark.parametrize("bakery", ["mesh", "nats"], indirect=True)
async def test_nothing_is_lost_or_doubled_when_what_is_between_is_killed(bakery: Bakery) -> None:
    """Envoy, or the broker: what was in progress ends without an answer, and goes on once it is back."""
    await bakery.start("shelf", "bakery")
    for _ in range(ROUNDS):
        before = await bakery.count_applied()
        await bakery.bake(A_ROUND)
        await grown(bakery, before)
        await bakery.between.kill()
        await bakery.bake(A_ROUND // 4)
        await bakery.between.start()
    await bakery.applied_in_full()
    assert await bakery.deferred(dead=True) == 0


async def test_an_outage_makes_no_dead_letters(bakery: Bakery) -> None:
    """More tries than an event gets: nobody answered, and that says nothing about the events."""
    if bakery.between.by_broker:
        await bakery.between.kill()
    for _ in range(FAILURES + 1):
        await bakery.bake(A_ROUND // 4)
        await bakery.start("bakery")
        await bakery.in_vain()
        await bakery.kill("bakery")
    assert await bakery.waiting() == (FAILURES + 1) * (A_ROUND // 4)
    if bakery.between.by_broker:
        await bakery.between.start()
    await bakery.start("bakery", "shelf")
    await bakery.applied_in_full()
    assert await bakery.deferred(dead=True) == 0


async def test_a_subscriber_that_was_away_misses_nothing(bakery: Bakery) -> None:
    """Wherever its events wait: it gets all of them, in order, and then those that follow."""
    await bakery.start("bakery", "shelf")
    await bakery.bake(A_ROUND)
    await bakery.applied_in_full()
    await bakery.kill("shelf")
    await bakery.bake(A_ROUND)
    await bakery.kill("bakery")
    await bakery.start("bakery")
    await bakery.bake(A_ROUND)
    await bakery.start("shelf")
    await bakery.bake(A_ROUND)
    await bakery.applied_in_full()


async def test_a_consumer_that_misses_somebody_makes_no_dead_letters(bakery: Bakery) -> None:
    """UNAVAILABLE from the consumer itself: more tries than an event gets otherwise, and then it is applied."""
    await bakery.rule("closed", "left", 2)
    await bakery.start("shelf", "bakery")
    await bakery.bake(A_ROUND)

    async def tried() -> bool:
        return await bakery.tries() > 5

    await bakery.until(tried)
    assert await bakery.deferred(dead=True) == 0
    applied = await bakery.applied()
    assert applied["left"] == [1]
    await bakery.heal()
    await bakery.applied_in_full()


async def test_a_poison_event_parks_its_key_until_it_is_replayed(bakery: Bakery) -> None:
    """It becomes a dead letter, with its key's later events behind it; other keys go on. Replay delivers them all."""
    await bakery.rule("poison", "left", 2)
    await bakery.start("shelf", "bakery")
    await bakery.bake(9)
    await dead_letters(bakery, 1)
    await bakery.bake(9)

    async def others() -> bool:
        applied = await bakery.applied()
        return len(applied["middle"]) == len(applied["right"]) == 6

    await bakery.until(others)
    assert (await bakery.applied())["left"] == [1]
    (letter,) = await stuck(bakery.letters)
    assert (letter.dead, letter.key, letter.event_type) == (True, "left", "bakery.v1.Baked")
    assert (letter.subscriber or "shelf", letter.publisher or "bakery") == ("shelf", "bakery")
    assert letter.tries == FAILURES
    assert letter.problem.startswith("INTERNAL: internal error ")

    assert await replay(bakery.letters, [letter.event_id]) == 1  # nothing has changed: it fails again
    await dead_letters(bakery, 1)
    await bakery.heal()
    assert await replay(bakery.letters) == 1
    await bakery.applied_in_full()
    assert await stuck(bakery.letters) == []


async def test_a_dead_letter_can_be_given_up(bakery: Bakery) -> None:
    """What waits behind it goes on without it."""
    await bakery.rule("poison", "left", 2)
    await bakery.start("shelf", "bakery")
    await bakery.bake(4, "left")
    await dead_letters(bakery, 1)
    (letter,) = await stuck(bakery.letters)
    assert await skip(bakery.letters, [letter.event_id]) == 1

    async def rest() -> bool:
        return (await bakery.applied())["left"] == [1, 3, 4]

    await bakery.until(rest)
    assert await stuck(bakery.letters) == []


async def test_an_event_that_ends_its_worker_becomes_a_dead_letter(bakery: Bakery) -> None:
    """After three deaths, though nobody lives to say that it has failed; everything else goes on."""
    await bakery.rule("deadly", "left", 2)
    await bakery.start("shelf", "bakery")
    await bakery.bake(9)
    deaths = 0

    async def dead() -> bool:
        nonlocal deaths
        deaths += await bakery.revive("shelf")
        return await bakery.deferred(dead=True) == 1

    await bakery.until(dead)
    assert deaths == DEATHS
    await bakery.bake(9)

    async def others() -> bool:
        applied = await bakery.applied()
        return len(applied["middle"]) == len(applied["right"]) == 6

    await bakery.until(others)
    assert (await bakery.applied())["left"] == [1]
    (letter,) = await stuck(bakery.letters)
    assert letter.problem.startswith("ABORTED: 3 workers ended while they handled it")
    assert await skip(bakery.letters, [letter.event_id]) == 1

    async def rest() -> bool:
        return (await bakery.applied())["left"] == [1, 3, 4, 5, 6]

    await bakery.until(rest)
    assert await stuck(bakery.letters) == []
