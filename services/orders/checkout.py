"""The checkout: takes an order step by step to its end, or gives back what was taken on the way.

Each step is a state of the order, kept before it is done. Everything that it asks of others has an id that is made from
the order's own, so whoever does a step again asks for the same thing, and it does not matter where a run broke off.
"""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import grpc
import structlog
from grpc.aio import AioRpcError

from protomesh.runtime import detached
from protomesh.runtime.events import publish
from protomesh.runtime.store import Database, Transaction, changes
from services.orders import store
from services.orders.domain import Failure, FailureKind, Line, Order, OrderState, named
from services.orders.events import event_of
from shop.inventory.v1 import (
    ConfirmReservationRequest,
    InventoryServiceStub,
    NotForSale,
    OutOfStock,
    ReleaseRequest,
    ReservationNotFound,
    ReserveRequest,
)
from shop.payments.v1 import (
    AuthorizePaymentRequest,
    CapturePaymentRequest,
    DeclineReason,
    PaymentDeclined,
    PaymentNotCapturable,
    PaymentNotFound,
    PaymentsServiceStub,
    RefundPaymentRequest,
)

__all__ = ["Checkout"]

_AT_ONCE = 16  # orders that one run of the job carries on
_INTERRUPTED = Failure(kind=FailureKind.INTERRUPTED)
# What says nothing about what became of a call.
_UNKNOWN = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED})

_log = structlog.get_logger(__name__)


class Checkout:
    """Carries orders on, in this worker; the database sees to it that no two do so with one order.

    A run has `lease` to come to its end, and stops itself before that is over. One that did not end, because its
    worker did or because others did not answer, is followed by another: see `resume`.
    """

    def __init__(
        self,
        db: Database,
        inventory: InventoryServiceStub,
        payments: PaymentsServiceStub,
        now: Callable[[], datetime],
        lease: timedelta,
    ) -> None:
        self._db = db
        self._inventory = inventory
        self._payments = payments
        self._now = now
        self._lease = lease

    @property
    def limit(self) -> timedelta:
        """What a run may take: the rest of its lease is for clocks and pauses."""
        return self._lease * 0.8

    def lease(self) -> datetime:
        """Until when a run that begins now has its order for itself."""
        return self._now() + self._lease

    async def run(self, order: Order, run: store.Run, card_number: str | None = None) -> Order:
        """Takes an order as far as it goes: to its end, or to where somebody does not answer.

        Call it `detached`, with `limit` as its time. Without `card_number` nothing can be authorized any more.
        """
        while not order.settled:
            moved = await self._step(order, card_number)
            if moved is order:
                break
            async with self._db.begin() as tx:
                kept = await store.keep(tx, moved, run)
                if kept and (event := event_of(moved)) is not None:
                    await publish(tx, event)
            if not kept:
                _log.warning("another run carries the order on", order_id=order.order_id)
                break
            order = moved
        if order.settled:
            _log.info(f"order {order.state.value}", order_id=order.order_id, lines=len(order.lines))
        return order

    async def resume(self) -> None:
        """Carries on every order whose run has not come to its end in time."""
        async with self._db.read() as tx:
            if not await store.lapsed(tx, self._now(), limit=1):
                return
        # Its own task, so that it may come to an end when the worker leaves.
        async with detached(timeout=self.limit):
            async with self._db.begin() as tx:
                lapsed = await store.lapsed(tx, self._now(), limit=_AT_ONCE)
                runs = [await store.take(tx, order.order_id, lease=self.lease()) for order in lapsed]
            await _all(*(self.run(order, run) for order, run in zip(lapsed, runs, strict=True)))

    async def settled(self, order_id: str) -> Order:
        """Waits until nothing is left to be done for an order, no longer than `limit`, and tells how far it is."""
        order = None
        try:
            async with asyncio.timeout(self.limit.total_seconds()):
                async for _ in changes(self._db):
                    async with self._db.read() as tx:
                        order = await _known(tx, order_id)
                    if order.settled:
                        break
        except TimeoutError:
            if order is None:
                raise
        assert order is not None  # changes begin at once
        return order

    async def _step(self, order: Order, card_number: str | None) -> Order:
        """The order one step on; itself if it can't be known whether the step is done."""
        match order.state:
            case OrderState.RESERVING:
                failure = await self._reserve(order)
                return order.reserved(self._now()) if failure is None else order.giving_up(failure, self._now())
            case OrderState.AUTHORIZING:
                failure = await self._authorize(order, card_number)
                return order.authorized(self._now()) if failure is None else order.giving_up(failure, self._now())
            case OrderState.CONFIRMING:
                failure = await self._confirm(order)
                return order.confirmed(self._now()) if failure is None else order.giving_up(failure, self._now())
            case OrderState.CAPTURING:
                return await self._capture(order)
            case _:
                return order.given_back(self._now()) if await self._give_back(order) else order

    async def _reserve(self, order: Order) -> Failure | None:
        # All are waited for, whatever becomes of one: what is still on its way could not be given back.
        failures = await _all(*(self._hold(line) for line in order.lines))
        return next((failure for failure in failures if failure is not None), None)

    async def _hold(self, line: Line) -> Failure | None:
        hold = ReserveRequest(request_id=line.reservation_id, product_id=line.product_id, quantity=line.quantity)
        try:
            await self._inventory.Reserve(hold)
        except OutOfStock as short:
            return Failure(kind=FailureKind.OUT_OF_STOCK, about=short.product_id, available=short.available)
        except NotForSale as unknown:
            return Failure(kind=FailureKind.NOT_SOLD, about=unknown.product_id)
        except AioRpcError as error:
            _log.warning("stock could not be held", reservation_id=line.reservation_id, code=error.code().name)
            return _INTERRUPTED
        return None

    async def _authorize(self, order: Order, card_number: str | None) -> Failure | None:
        if card_number is None:
            return _INTERRUPTED  # the run before had it, and whether it used it is the payments' to know
        authorize = AuthorizePaymentRequest(
            request_id=order.payment_id, order_id=order.order_id, amount=order.total, card_number=card_number
        )
        try:
            await self._payments.AuthorizePayment(authorize)
        except PaymentDeclined as declined:
            return Failure(kind=FailureKind.DECLINED, about=_reason(declined.reason))
        except AioRpcError as error:
            _log.warning("no payment could be authorized", order_id=order.order_id, code=error.code().name)
            return _INTERRUPTED
        return None

    async def _confirm(self, order: Order) -> Failure | None:
        failures = await _all(*(self._make_final(order, line) for line in order.lines))
        return next((failure for failure in failures if failure is not None), None)

    async def _make_final(self, order: Order, line: Line) -> Failure | None:
        confirm = ConfirmReservationRequest(
            request_id=named(order.order_id, f"{line.product_id}/confirm"), reservation_id=line.reservation_id
        )
        try:
            await self._inventory.ConfirmReservation(confirm)
        except AioRpcError as error:  # it may have expired
            _log.warning("stock could not be confirmed", reservation_id=line.reservation_id, code=error.code().name)
            return _INTERRUPTED
        return None

    async def _capture(self, order: Order) -> Order:
        capture = CapturePaymentRequest(request_id=named(order.order_id, "capture:"), payment_id=order.payment_id)
        try:
            await self._payments.CapturePayment(capture)
        except PaymentDeclined as declined:
            failure = Failure(kind=FailureKind.DECLINED, about=_reason(declined.reason))
            return order.giving_up(failure, self._now())
        except (PaymentNotCapturable, PaymentNotFound):
            return order.giving_up(_INTERRUPTED, self._now())
        except AioRpcError as error:
            _tell("the order is not charged yet", error, order_id=order.order_id)
            return order
        return order.captured(self._now())

    async def _give_back(self, order: Order) -> bool:
        """Whether nothing is held and nothing charged any more."""
        back = [self._release(order, line) for line in order.lines]
        if order.paying:
            back.append(self._refund(order))
        return all(await _all(*back))

    async def _refund(self, order: Order) -> bool:
        refund = RefundPaymentRequest(request_id=named(order.order_id, "refund:"), payment_id=order.payment_id)
        try:
            await self._payments.RefundPayment(refund)
        except PaymentNotFound:
            return True  # and from now on there won't be one
        except AioRpcError as error:
            _tell("money is not given back yet", error, order_id=order.order_id)
            return False
        return True

    async def _release(self, order: Order, line: Line) -> bool:
        release = ReleaseRequest(
            request_id=named(order.order_id, f"{line.product_id}/release"), reservation_id=line.reservation_id
        )
        try:
            await self._inventory.Release(release)
        except ReservationNotFound:
            return True  # it never came to that
        except AioRpcError as error:
            _tell("stock is not given back yet", error, order_id=order.order_id, reservation_id=line.reservation_id)
            return False
        return True


async def _known(tx: Transaction, order_id: str) -> Order:
    order = await store.order_of(tx, order_id)
    assert order is not None  # orders are never removed
    return order


async def _all(*calls: Coroutine[Any, Any, Any]) -> list[Any]:
    """The results of calls that are made at once; an error is raised when all have ended."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return list(results)


def _reason(reason: DeclineReason.ValueType) -> str:
    """How customers are told it, as INSUFFICIENT_FUNDS."""
    known = reason in DeclineReason.values()  # or the payments are of a later release
    return DeclineReason.Name(reason).removeprefix("DECLINE_REASON_") if known else "UNSPECIFIED"


def _tell(what: str, error: AioRpcError, **about: str) -> None:
    """Logs a call that has to be made again: what is only late is no error yet."""
    log = _log.warning if error.code() in _UNKNOWN else _log.error
    log(what, code=error.code().name, **about)
