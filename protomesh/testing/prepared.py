"""What a test says that a method of a fake answers."""

import asyncio
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, Generic, NoReturn, TypeVar

from protomesh.runtime.errors import DeclaredError, StatusError
from protomesh.runtime.method import Method

__all__ = ["Prepared", "PreparedStream"]

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")
Error = DeclaredError | StatusError


class _Answers:
    """The answers to successive calls; the last one answers every further call too."""

    def __init__(self, method: Method) -> None:
        self._method = method
        self._answers: list[Any] = []

    def raises(self, error: Error) -> None:
        """Fails: with an error that the contract lists for the method, or any standard status.

        Raises:
            ValueError: the contract does not list the error, so the real service could not raise it.
        """
        self._prepare([error])

    def hangs(self) -> None:
        """Never answers: the caller's deadline passes."""

        async def hang(_request: Any) -> NoReturn:
            await asyncio.Event().wait()
            raise AssertionError("nobody sets that event")

        self._prepare([hang])

    def _prepare(self, answers: Sequence[Any]) -> None:
        for answer in answers:
            if isinstance(answer, DeclaredError):
                name = answer.detail.DESCRIPTOR.full_name
                if name not in self._method.errors:
                    raise ValueError(f"{self._method.full_name} does not list {name} among its errors")
        self._answers = list(answers)

    def _next(self) -> Any:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, (DeclaredError, StatusError)):
            raise answer
        return answer


class Prepared(_Answers, Generic[RequestT, ResponseT]):
    """The answers of a method that has one response."""

    def returns(
        self,
        *answers: ResponseT | Error | Callable[[RequestT], ResponseT] | Callable[[RequestT], Awaitable[ResponseT]],
    ) -> None:
        """Answers successive calls: with a response, with what a function of the request returns, or with an error.

        The last answer is given to every further call.
        """
        self._prepare(answers)

    async def answer(self, request: Any) -> Any:
        """The next answer; the fake's handler asks for it."""
        answer = self._next()
        response = answer(request) if callable(answer) else answer
        return await response if inspect.isawaitable(response) else response


class PreparedStream(_Answers, Generic[RequestT, ResponseT]):
    """The answers of a method that sends a stream."""

    def streams(
        self,
        responses: Iterable[ResponseT] | Callable[[RequestT], AsyncIterable[ResponseT]],
        *,
        error: Error | None = None,
        open_ended: bool = False,
    ) -> None:
        """Sends responses, or what an async generator function of the request yields.

        Then the stream ends: well, with `error`, or not at all if it is `open_ended`.
        """
        kept = responses if callable(responses) else list(responses)
        if error is not None:
            self._prepare([error])  # for its check

        async def send(request: Any) -> AsyncIterator[ResponseT]:
            if callable(kept):
                async for response in kept(request):
                    yield response
            else:
                for response in kept:
                    yield response
            if open_ended:
                await asyncio.Event().wait()
            if error is not None:
                raise error

        self._prepare([send])

    async def answer(self, request: Any) -> AsyncIterator[Any]:
        """The next answer; the fake's handler asks for it."""
        answer = self._next()(request)
        if inspect.isawaitable(answer):
            await answer
            return
        async for response in answer:
            yield response
