"""A ClientApp that is made where its messages arrive."""

from __future__ import annotations

from collections.abc import Callable

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from fedmed.errors import UserError


def deferred(answer: Callable[[Message, Context], Message]) -> ClientApp:
    """An app whose messages `answer` answers with an app that it makes itself; can be pickled where `answer` can.

    Errors keep their notes (which client, round, stage and strategy), of which Flower passes on the message only.
    """
    app = ClientApp()

    def answer_or_raise(message: Message, context: Context) -> Message:
        try:
            return answer(message, context)
        except Exception as error:
            raise RuntimeError(_with_notes(error)) from error

    app.train()(answer_or_raise)
    app.evaluate()(answer_or_raise)
    app.query("roster")(answer_or_raise)
    return app


def _with_notes(error: Exception) -> str:
    kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    return " ".join([f"{kind}{error}", *getattr(error, "__notes__", [])])
