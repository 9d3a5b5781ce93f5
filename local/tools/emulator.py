"""Starts the AWS emulator and stops it when standard input closes.

The stack holds the other end of that pipe: however it ends, even killed, the emulator and the
function processes below it end too.
"""

import os
import signal
import socketserver
import threading

# Requests and answers are small: waiting to fill a packet doubles the time of an invocation.
socketserver.StreamRequestHandler.disable_nagle_algorithm = True


def stop_with_parent() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


threading.Thread(target=stop_with_parent, daemon=True).start()

# Imported only now: the emulator reads the environment as it is imported.
from ministack.app import main  # noqa: E402
from ministack.core import iam_evaluator  # noqa: E402
from ministack.services import lambda_svc  # noqa: E402

limit = lambda_svc._sqs_esm_concurrency


def numeric_limit(mapping: dict, *rest):
    """CloudFormation hands the value of a Number parameter on as text, which the emulator does not expect here."""
    scaling = mapping.get("ScalingConfig") or {}
    if "MaximumConcurrency" in scaling:
        scaling["MaximumConcurrency"] = int(scaling["MaximumConcurrency"])
    return limit(mapping, *rest)


lambda_svc._sqs_esm_concurrency = numeric_limit

is_root = iam_evaluator.is_root_access_key


def is_root_or_function(key: str) -> bool:
    """Each function signs with its own name, so that one sees whose call it is."""
    return is_root(key) or key.replace("-", "").isalpha()


iam_evaluator.is_root_access_key = is_root_or_function

main()
