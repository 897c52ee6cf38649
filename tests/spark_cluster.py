"""A Spark cluster of one master and one worker on this machine's loopback,
as `sbin/start-*.sh` of Spark starts them.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Seconds until master and worker must have come up.
PATIENCE = 120

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
    "spark.driver.extraJavaOptions": SHORT_LIVED,
    "spark.executor.extraJavaOptions": SHORT_LIVED,
    "spark.executor.memory": "768m",
}


def has_java() -> bool:
    """Say whether Spark could start here; in CI it must."""
    return bool(shutil.which("java") or os.environ.get("JAVA_HOME") or os.environ.get("CI") == "true")


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """Start a master and a worker, and yield the address; what they need stands in `spark-defaults.conf`,
    as anywhere.
    """
    import pyspark

    (folder / "spark-defaults.conf").write_text("".join(f"{name} {value}\n" for name, value in DEFAULTS.items()))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, home = f"spark://127.0.0.1:{port}", Path(pyspark.__file__).parent
    where = ["--host", "127.0.0.1", "--webui-port", "0"]
    daemons = {"SPARK_DAEMON_MEMORY": "256m", "SPARK_DAEMON_JAVA_OPTS": SHORT_LIVED}
    env = {**os.environ, **daemons, "SPARK_CONF_DIR": str(folder), "SPARK_LOCAL_IP": "127.0.0.1"}

    def start(role: str, *arguments: str) -> subprocess.Popen[bytes]:
        name = f"org.apache.spark.deploy.{role.lower()}.{role}"
        with (folder / f"{role}.log").open("wb") as log:
            return subprocess.Popen(
                [home / "bin" / "spark-class", name, *where, *arguments], env=env, stdout=log, stderr=log
            )

    master = start("Master", "--port", str(port))
    worker = start("Worker", "--cores", "2", "--memory", "1g", "--work-dir", str(folder / "work"), address)
    try:
        _wait(folder / "Worker.log", b"Successfully registered with master")
        yield address
    finally:
        for process in (worker, master):
            process.terminate()
            process.wait()


def _wait(log: Path, words: bytes) -> None:
    end = time.monotonic() + PATIENCE
    while words not in log.read_bytes():
        if time.monotonic() > end:
            raise TimeoutError(log.read_text()[-2000:])
        time.sleep(0.2)
