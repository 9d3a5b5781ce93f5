"""What every client's script tells: one line of JSON per capability."""

import json
import traceback


class Client:
    """Collects what a client can do. `failed` says whether anything went wrong."""

    def __init__(self, name):
        self.name = name
        self.failed = False

    def tell(self, capability, ok, detail):
        """`ok` is None where the client itself has no such thing; the detail then says why."""
        self.failed |= ok is False
        line = {"client": self.name, "capability": capability, "ok": ok, "detail": str(detail)}
        print(json.dumps(line), flush=True)

    def capability(self, name):
        """Decorates a check, which runs at once: it gives a detail or raises."""

        def decorate(check):
            try:
                self.tell(name, True, check())
            except Exception:  # the table shows whatever went wrong
                self.tell(name, False, traceback.format_exc(limit=-2))

        return decorate

    def lacks(self, name, reason):
        """The client cannot do it with any Salesforce."""
        self.tell(name, None, reason)
