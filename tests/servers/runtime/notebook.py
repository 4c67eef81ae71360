"""What a notebook's Python has when it starts: `dbutils`, and `spark` for the cells that use it."""

from __future__ import annotations

import re
from typing import Any

from runtime.dbutils import DBUtils


def furnish(shell: Any) -> None:
    """Give a notebook's namespace what the runtime gives it.

    The session starts with the first cell that names it.
    """
    space = shell.user_ns
    space["dbutils"] = DBUtils()
    space["displayHTML"] = lambda text: space["get_ipython"]().display_pub.publish(
        {"text/html": text}
    )

    def display(rows: Any, *more: Any) -> None:
        from IPython.display import display as show

        show(rows.toPandas() if hasattr(rows, "toPandas") else rows, *more)

    def before(info: Any) -> None:
        if "spark" not in space and re.search(r"(?<![.\w])spark\b", info.raw_cell or ""):
            from pyspark.sql import SparkSession

            space["spark"] = SparkSession.builder.getOrCreate()

    space["display"] = display
    shell.events.register("pre_run_cell", before)
