"""A Spark Connect server of this machine with the settings of the local target: `python connect_server.py STATE_FOLDER` prints its port, and it ends with its input."""
from __future__ import annotations

import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from datamaster_kit.target.jars import jars
from datamaster_kit.target.java import java_home
from datamaster_kit.target.session import prepare, settings

SERVER = {"spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin", "spark.connect.grpc.binding.address": "127.0.0.1", "spark.connect.grpc.binding.port": "0",
          "spark.sql.artifact.isolation.enabled": "true", "spark.sql.artifact.isolation.alwaysApplyClassloader": "true"}


def main(state_folder: Path) -> None:
    """Serve until the input ends."""
    prepare(state_folder)
    # What a stream does with a batch runs in the server's own Python, which imports what the tests import.
    os.environ.update(JAVA_HOME=str(java_home(state_folder)), PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_DIRS=str(state_folder / "spark" / "tmp"), PYTHONPATH=str(Path(__file__).parent))
    builder = SparkSession.builder
    for key, setting in {**settings(state_folder, jars(state_folder), os.cpu_count() or 2), **SERVER}.items():
        builder = builder.config(key, setting)
    service = getattr(builder.getOrCreate().sparkContext._jvm, "org.apache.spark.sql.connect.service.SparkConnectService$")
    print(getattr(service, "MODULE$").localPort(), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
