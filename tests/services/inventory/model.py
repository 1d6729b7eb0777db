"""What the inventory should be: a few lines without a database, to hold the real one against."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from shop.inventory.v1 import (
    AdjustStockRequest,
    AdjustStockResponse,
    ConfirmReservationRequest,
    ConfirmReservationResponse,
    OutOfStock,
    ReleaseRequest,
    ReleaseResponse,
    Reservation,
    ReservationClosed,
    ReservationNotFound,
    ReserveRequest,
    ReserveResponse,
    Stock,
)

__all__ = ["LIFETIME", "Model", "Request"]

LIFETIME = timedelta(minutes=15)

Request = ReserveRequest | ConfirmReservationRequest | ReleaseRequest | AdjustStockRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A reservation that was not given up."""

    product_id: str
    quantity: int
    create_time: datetime
    confirmed: bool = False

    @property
    def expire_time(self) -> datetime:
        """From when on it may be given up, if it is not confirmed."""
        return self.create_time + LIFETIME


class Model:
    """Says what each request is to be answered, and what is there then.

    It counts nothing but pieces that scanners saw: what is held and what has left are sums over reservations.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.reservations: dict[str, Kept] = {}
        self.answers: dict[str, Message] = {}  # by request_id
        self._now = now
        self._closed = set[str]()
        self._scanned: Counter[str] = Counter()
        self._changed: dict[str, datetime] = {}

    def on_hand(self, product_id: str) -> int:
        """Pieces that scanners saw coming, without those that have left for orders."""
        return self._scanned[product_id] - self._pieces(product_id, confirmed=True)

    def reserved(self, product_id: str) -> int:
        """Pieces that are held."""
        return self._pieces(product_id, confirmed=False)

    def stock(self, product_id: str) -> Stock:
        """What GetStock is to tell."""
        on_hand, reserved = self.on_hand(product_id), self.reserved(product_id)
        return Stock(
            product_id=product_id,
            available=on_hand - reserved,
            on_hand=on_hand,
            reserved=reserved,
            update_time=_timestamp(self._changed[product_id]),
        )

    def answer(self, request: Request) -> Message:
        """The answer to a request, which happens.

        Raises:
            OutOfStock: It is to be refused, and changes nothing.
            ReservationClosed: Likewise.
            ReservationNotFound: It is to be refused, and what would be made under that id later too.
        """
        if request.request_id not in self.answers:
            self.answers[request.request_id] = self._new(request)
        return self.answers[request.request_id]

    def expire(self) -> None:
        """Gives up what is due."""
        for reservation_id, kept in list(self.reservations.items()):
            if not kept.confirmed and kept.expire_time <= self._now():
                self._give_up(reservation_id)

    def _new(self, request: Request) -> Message:
        match request:
            case ReserveRequest():
                return self._reserve(request)
            case ConfirmReservationRequest():
                return self._confirm(request)
            case ReleaseRequest():
                if request.reservation_id not in self.reservations:
                    self._closed.add(request.reservation_id)
                self._kept(request.reservation_id)
                self._give_up(request.reservation_id)
                return ReleaseResponse()
            case _:
                return self._adjust(request)

    def _reserve(self, request: ReserveRequest) -> ReserveResponse:
        if request.request_id in self._closed:
            raise ReservationClosed(reservation_id=request.request_id)
        available = self.stock(request.product_id).available
        if available < request.quantity:
            raise OutOfStock(product_id=request.product_id, available=available)
        kept = Kept(product_id=request.product_id, quantity=request.quantity, create_time=self._now())
        self.reservations[request.request_id] = kept
        self._changed[kept.product_id] = self._now()
        return ReserveResponse(reservation=_reservation(request.request_id, kept))

    def _confirm(self, request: ConfirmReservationRequest) -> ConfirmReservationResponse:
        kept = self._kept(request.reservation_id)
        if not kept.confirmed:
            kept = self.reservations[request.reservation_id] = replace(kept, confirmed=True)
            self._changed[kept.product_id] = self._now()
        return ConfirmReservationResponse(reservation=_reservation(request.reservation_id, kept))

    def _adjust(self, request: AdjustStockRequest) -> AdjustStockResponse:
        response = AdjustStockResponse(request_id=request.request_id)
        if self.on_hand(request.product_id) + request.delta < self.reserved(request.product_id):
            response.refusal = AdjustStockResponse.REFUSAL_BELOW_RESERVED
        else:
            self._scanned[request.product_id] += request.delta
            self._changed[request.product_id] = self._now()
            response.stock.CopyFrom(self.stock(request.product_id))
        return response

    def _kept(self, reservation_id: str) -> Kept:
        if reservation_id not in self.reservations:
            raise ReservationNotFound(reservation_id=reservation_id)
        return self.reservations[reservation_id]

    def _give_up(self, reservation_id: str) -> None:
        self._changed[self.reservations.pop(reservation_id).product_id] = self._now()

    def _pieces(self, product_id: str, *, confirmed: bool) -> int:
        return sum(
            kept.quantity
            for kept in self.reservations.values()
            if kept.product_id == product_id and kept.confirmed == confirmed
        )


def _reservation(reservation_id: str, kept: Kept) -> Reservation:
    return Reservation(
        reservation_id=reservation_id,
        product_id=kept.product_id,
        quantity=kept.quantity,
        create_time=_timestamp(kept.create_time),
        expire_time=None if kept.confirmed else _timestamp(kept.expire_time),
    )


def _timestamp(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp
