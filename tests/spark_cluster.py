"""A Spark cluster of one master and one worker on this machine's loopback; tasks run in a process of their own.

Both daemons live in the driver's Java: two more would only start, and wait.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# A session that lives for minutes: what the second compiler and parallel collection cost never comes back.
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

DEFAULTS = {
    "spark.driver.host": "127.0.0.1",
    # planning takes longer than a few hundred students do: one part, planned once
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.constraintPropagation.enabled": "false",
    # compiling code for hundreds of sums takes longer than a few hundred students do without
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.subexpressionElimination.enabled": "false",
    "spark.shuffle.compress": "false",
    "spark.broadcast.compress": "false",
    "spark.driver.extraJavaOptions": SHORT_LIVED,
    "spark.executor.extraJavaOptions": SHORT_LIVED,
    "spark.executor.memory": "768m",
}


def has_java() -> bool:
    """Say whether Spark could start here; in CI it must."""
    return bool(shutil.which("java") or os.environ.get("JAVA_HOME") or os.environ.get("CI") == "true")


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """Start both daemons, and yield the address; what they need stands in `spark-defaults.conf`, as anywhere."""
    from pyspark import SparkContext

    (folder / "spark-defaults.conf").write_text("".join(f"{name} {value}\n" for name, value in DEFAULTS.items()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_CONF_DIR", str(folder))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("PYSPARK_PYTHON", "no Python here: workers need Java only")
        SparkContext._ensure_initialized()
        jvm, none = SparkContext._jvm, SparkContext._jvm.scala.Option.empty()
        conf = jvm.org.apache.spark.SparkConf()
        master = jvm.org.apache.spark.deploy.master.Master.startRpcEnvAndEndpoint("127.0.0.1", 0, 0, conf)._1()
        address = f"spark://{master.address().hostPort()}"
        masters = SparkContext._gateway.new_array(jvm.java.lang.String, 1)
        masters[0] = address
        start = jvm.org.apache.spark.deploy.worker.Worker.startRpcEnvAndEndpoint
        worker = start("127.0.0.1", 0, 0, 2, 1024, masters, str(folder / "work"), none, conf, none)
        try:
            yield address
        finally:
            for daemon in (worker, master):
                daemon.shutdown()
                daemon.awaitTermination()
