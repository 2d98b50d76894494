"""The app's side of a browser: it ends when the server that speaks for the browser does."""

from __future__ import annotations

from textual import messages
from textual.drivers.web_driver import WebDriver


class ServedDriver(WebDriver):
    """Textual's driver leaves the app running where its input has ended; nobody could ever reach it again."""

    def run_input_thread(self) -> None:
        """Read until the input ends; then leave."""
        super().run_input_thread()
        self._app.post_message(messages.ExitApp())
