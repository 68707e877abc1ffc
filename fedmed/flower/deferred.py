"""A ClientApp that is made where its messages arrive."""

from __future__ import annotations

from collections.abc import Callable

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from fedmed.errors import UserError


def deferred(make: Callable[[], ClientApp]) -> ClientApp:
    """An app that passes messages on to the app that `make` gives; it can be pickled where `make` can.

    Errors keep their notes (which client, round, stage and strategy), of which Flower passes on the message only.
    """
    app = ClientApp()

    def answer(message: Message, context: Context) -> Message:
        try:
            return make()(message, context)
        except Exception as error:
            raise RuntimeError(_told(error)) from error

    app.train()(answer)
    app.evaluate()(answer)
    app.query("roster")(answer)
    return app


def _told(error: Exception) -> str:
    kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    return " ".join([f"{kind}{error}", *getattr(error, "__notes__", [])])
