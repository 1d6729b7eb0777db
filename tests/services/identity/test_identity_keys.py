import asyncio
import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from joserfc.errors import JoseError

from protomesh.runtime import StatusError
from protomesh.runtime.store import Database
from protomesh.testing.database import Databases
from services.identity import domain
from services.identity.domain import Role, SigningKey, User
from services.identity.keys import Keys, new_key
from services.identity.tokens import Tokens
from tests.services.clock import Clock
from tests.services.identity.stand_ins import AUDIENCE, ISSUER, Envoys

DAY = timedelta(days=1)
TOKEN_LIFETIME = timedelta(minutes=5)
# Each call out of `Keys.keep` while a key takes the place of another, in order; see one_keep.
STEPS = [
    "now",
    "generate",
    "now",
    "before the mesh is told",
    "before the mesh has answered",
    "now",
    "after everything",
]


@pytest.fixture
def workers_keys(database: Databases, envoys: Envoys, clock: Clock) -> Callable[[Database], Keys]:
    """Makes the keys of another worker on a database."""
    del database
    return lambda db: Keys(
        db, envoys.publish, mesh="here", lifetime=DAY, token_lifetime=TOKEN_LIFETIME, now=clock, generate=new_key
    )


def token(key: SigningKey, clock: Clock) -> str:
    """An access token that was signed with a key."""
    tokens = Tokens(issuer=ISSUER, audience=AUDIENCE, lifetime=TOKEN_LIFETIME, new_id=lambda: "id")
    user = User(
        user_id="u", email="a@b.c", display_name="A", role=Role.CUSTOMER, create_time=clock(), update_time=clock()
    )
    return tokens.access(user, key, clock())[0]


async def test_the_first_key_signs_once_the_mesh_knows_it(keys: Keys, envoys: Envoys) -> None:
    """Not a moment before."""
    assert envoys.told == []
    await keys.keep()
    assert envoys.kids == [(await keys.signing()).kid]


async def test_a_mesh_that_does_not_answer_keeps_a_key_from_signing(db: Database, clock: Clock) -> None:
    """The same key is told again the next time, and none is made besides."""
    told: list[str] = []

    async def away(jwks: str) -> None:
        told.append(jwks)
        raise ConnectionError

    keys = Keys(
        db,
        away,
        mesh="here",
        lifetime=DAY,
        token_lifetime=TOKEN_LIFETIME,
        now=clock,
        generate=new_key,
        patience=timedelta(0),
    )
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await keys.keep()
    with pytest.raises(StatusError) as none_yet:
        await keys.signing()
    assert none_yet.value.code is grpc.StatusCode.UNAVAILABLE
    assert told[0] == told[1]
    assert len(json.loads(told[0])["keys"]) == 1


async def test_a_login_waits_for_the_first_key(
    db: Database, database: Databases, workers_keys: Callable[[Database], Keys]
) -> None:
    """Which another worker makes meanwhile."""
    waiting = asyncio.create_task(workers_keys(db).signing())
    await workers_keys(await database.open(db.url)).keep()
    async with asyncio.timeout(10):
        assert (await waiting).sign_time is not None


async def test_keys_take_turns_and_no_token_is_refused(keys: Keys, envoys: Envoys, clock: Clock) -> None:
    """Over three days of an hour each, every token counts until it runs out, and each key signs for a day."""
    signed: list[str] = []
    for _ in range(24 * 3):
        await keys.keep()
        key = await keys.signing()
        signed.append(key.kid)
        made = token(key, clock)
        clock.advance(timedelta(minutes=4, seconds=59))
        await keys.keep()
        assert envoys.verify(made)
        clock.advance(timedelta(minutes=55, seconds=1))
    assert len(set(signed)) == 3
    assert len(envoys.kids) <= 2


async def test_a_key_is_dropped_when_its_last_token_has_run_out(keys: Keys, envoys: Envoys, clock: Clock) -> None:
    """Its tokens are refused from then on, whoever may have copied it."""
    await keys.keep()
    first = await keys.signing()
    clock.advance(DAY)
    await keys.keep()
    assert envoys.kids == [first.kid, (await keys.signing()).kid]
    clock.advance(timedelta(minutes=7))
    await keys.keep()
    assert envoys.kids == [(await keys.signing()).kid]
    with pytest.raises(JoseError):
        envoys.verify(token(first, clock))


async def test_the_mesh_is_told_again_now_and_then(keys: Keys, envoys: Envoys, clock: Clock) -> None:
    """One that was restarted knows no key; one that was not is not bothered all the time."""
    for _ in range(30):
        await keys.keep()
        clock.advance(timedelta(seconds=2))
    assert len(envoys.told) == 1
    clock.advance(timedelta(seconds=2))
    await keys.keep()
    assert envoys.told == [envoys.told[0]] * 2


async def test_a_new_worker_tells_the_mesh_what_is_there(
    keys: Keys, envoys: Envoys, db: Database, workers_keys: Callable[[Database], Keys]
) -> None:
    """The mesh may have been started with it."""
    await keys.keep()
    await workers_keys(db).keep()
    assert envoys.told == [envoys.told[0]] * 2


async def test_workers_share_the_keys(
    keys: Keys, db: Database, database: Databases, workers_keys: Callable[[Database], Keys]
) -> None:
    """Whichever made them."""
    await keys.keep()
    other = workers_keys(await database.open(db.url))
    assert await other.signing() == await keys.signing()


async def test_no_private_half_is_told(keys: Keys, envoys: Envoys) -> None:
    """Neither in JSON nor in PEM."""
    await keys.keep()
    [key] = json.loads(envoys.told[-1])["keys"]
    assert "d" not in key
    assert "PRIVATE" not in envoys.told[-1]


@pytest.mark.parametrize("step", range(1, len(STEPS) + 1))
async def test_a_worker_may_be_killed_at_any_step(
    database: Databases,
    db: Database,
    keys: Keys,
    envoys: Envoys,
    clock: Clock,
    workers_keys: Callable[[Database], Keys],
    tmp_path: Path,
    step: int,
) -> None:
    """While a key takes the place of another: tokens count before, after, and when the next worker has gone on."""
    await keys.keep()
    first = await keys.signing()
    clock.advance(DAY)
    before = token(first, clock)
    told = tmp_path / "told"
    killed = await asyncio.to_thread(
        subprocess.run,
        [
            sys.executable,
            "-m",
            "tests.services.identity.one_keep",
            db.url.render_as_string(hide_password=False),
            clock().isoformat(),
            str(told),
            str(step),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert killed.stdout.splitlines()[-1] == STEPS[step - 1]
    envoys.told += told.read_text().splitlines() if told.exists() else []

    after = workers_keys(await database.open(db.url))
    meanwhile = token(await after.signing(), clock)
    assert envoys.verify(before)
    assert envoys.verify(meanwhile)

    await after.keep()
    left = await after.all()
    following = await after.signing()
    assert [key.kid for key in left] == envoys.kids == [first.kid, following.kid]
    assert domain.signing(left) == following
    for each in (before, meanwhile, token(following, clock)):
        assert envoys.verify(each)


class Machine:
    """A mesh of its own whose identity shares the database with others: its keys, and those who verify with them."""

    def __init__(self, name: str, db: Database, clock: Clock) -> None:
        self.name = name
        self.envoys = Envoys(clock)
        self.away = False
        self.lifetime = DAY
        self._db = db
        self._clock = clock
        self.restart()

    def restart(self) -> None:
        """Another worker goes on."""
        self.keys = Keys(
            self._db,
            self._publish,
            mesh=self.name,
            lifetime=self.lifetime,
            token_lifetime=TOKEN_LIFETIME,
            now=self._clock,
            generate=new_key,
            patience=timedelta(0),
        )

    async def _publish(self, jwks: str) -> None:
        if self.away:
            raise ConnectionError
        await self.envoys.publish(jwks)


@pytest.fixture
async def machines(db: Database, database: Databases, clock: Clock) -> tuple[Machine, Machine]:
    """Two that know the first key."""
    here, there = Machine("here", db, clock), Machine("there", await database.open(db.url), clock)
    for machine in (here, there):
        await machine.keys.keep()
    return here, there


async def test_the_first_key_signs_as_soon_as_one_mesh_knows_it(
    db: Database, database: Databases, clock: Clock
) -> None:
    """Another that starts at the same time is told the same key, and may be broken."""
    here, there = Machine("here", db, clock), Machine("there", await database.open(db.url), clock)
    there.away = True
    with pytest.raises(ConnectionError):
        await there.keys.keep()
    await here.keys.keep()
    assert here.envoys.kids == [(await there.keys.signing()).kid]
    there.away = False
    await there.keys.keep()
    assert there.envoys.kids == here.envoys.kids


async def test_a_key_signs_once_every_mesh_knows_it(machines: tuple[Machine, Machine], clock: Clock) -> None:
    """Machines that share a database make one key between them, whichever comes first."""
    here, there = machines
    first = await here.keys.signing()
    clock.advance(DAY)
    await there.keys.keep()  # it was silent for a day, and so was the other one: whoever comes first waits for nobody
    clock.advance(DAY)
    await here.keys.keep()
    await there.keys.keep()
    before = await here.keys.signing()
    assert before != first
    clock.advance(timedelta(minutes=2))
    await there.keys.keep()
    await here.keys.keep()
    for machine in machines:
        assert machine.envoys.kids[-1] == (await machine.keys.signing()).kid
        assert machine.envoys.verify(token(await machine.keys.signing(), clock))


async def test_a_key_waits_for_a_mesh_that_runs(machines: tuple[Machine, Machine], clock: Clock) -> None:
    """The one before signs on; so it is also when the other mesh has only just begun."""
    here, there = machines
    first = await here.keys.signing()
    clock.advance(DAY - timedelta(minutes=1))
    for machine in machines:
        await machine.keys.keep()
    clock.advance(timedelta(minutes=1))
    for _ in range(2):
        await here.keys.keep()
        assert await here.keys.signing() == await there.keys.signing() == first
    await there.keys.keep()
    following = await here.keys.signing()
    assert following.kid != first.kid
    for machine in machines:
        assert machine.envoys.kids == [first.kid, following.kid]


async def test_a_mesh_that_is_gone_is_not_waited_for(machines: tuple[Machine, Machine], clock: Clock) -> None:
    """After three minutes; neither is one whose identity tries in vain. It is told as soon as it is back."""
    here, there = machines
    clock.advance(DAY - timedelta(minutes=1))
    for machine in machines:
        await machine.keys.keep()
    first = await here.keys.signing()
    there.away = True
    there.restart()
    clock.advance(timedelta(minutes=1))
    waited = timedelta(0)
    while (await here.keys.signing()) == first:
        await here.keys.keep()
        with pytest.raises(ConnectionError):
            await there.keys.keep()
        clock.advance(timedelta(seconds=30))
        waited += timedelta(seconds=30)
        assert waited < timedelta(minutes=5)
    assert waited > timedelta(minutes=2)
    there.away = False
    await there.keys.keep()
    assert there.envoys.verify(token(await here.keys.signing(), clock))


@pytest.mark.parametrize("seed", range(5))
async def test_machines_never_sign_what_another_refuses(
    machines: tuple[Machine, Machine], clock: Clock, seed: int
) -> None:
    """Whatever their order and however often their workers change, as long as each of them is told now and then."""
    chance = random.Random(seed)
    signed: set[str] = set()
    for machine in machines:
        machine.lifetime = timedelta(minutes=5)
        machine.restart()
        await machine.keys.keep()
    for _ in range(100):
        clock.advance(timedelta(seconds=chance.choice([1, 20, 50])))
        if chance.random() < 0.1:
            chance.choice(machines).restart()
        for machine in chance.sample(machines, 2):
            await machine.keys.keep()
            key = await machine.keys.signing()
            signed.add(key.kid)
            for each in machines:
                assert each.envoys.verify(token(key, clock))
    assert len(signed) > 5
