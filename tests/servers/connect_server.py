"""A Spark Connect server of this machine, which is the local target's session and a plug-in.

`python connect_server.py STATE_FOLDER` prints its port, and it ends with its input.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from workspace.compute_environment import NO_CODE

from datamaster_kit.targets.jvm.session import local_session

SERVER = {
    "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.connect.grpc.binding.port": "0",
    **NO_CODE,
    "spark.sql.artifact.isolation.enabled": "true",
    "spark.sql.artifact.isolation.alwaysApplyClassloader": "true",
}


def main(state_folder: Path) -> None:
    """Serve until the input ends."""
    # What a stream does with a batch runs in the server's own Python, which imports what the tests
    # import.
    os.environ.update(
        PYTHONPATH=str(Path(__file__).parent),
        PYSPARK_SUBMIT_ARGS=" ".join(
            [*(f"--conf {name}={setting}" for name, setting in SERVER.items()), "pyspark-shell"]
        ),
    )
    service = getattr(
        local_session(state_folder).sparkContext._jvm,
        "org.apache.spark.sql.connect.service.SparkConnectService$",
    )
    print(getattr(service, "MODULE$").localPort(), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
