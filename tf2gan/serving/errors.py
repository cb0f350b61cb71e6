"""What a request can be refused for."""


class RequestError(Exception):
    """A request that is refused: an HTTP status, and one line that says what is wrong and what is possible."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.message = status, message
