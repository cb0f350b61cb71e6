"""What a request can be refused for."""


_LONGEST = 300  # characters: a message may quote what a client sent


class RequestError(Exception):
    """A request that is refused: an HTTP status, and one line that says what is wrong and what is possible."""

    def __init__(self, status, message):
        line = " ".join(message.split())
        super().__init__(line)
        self.status, self.message = status, line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
