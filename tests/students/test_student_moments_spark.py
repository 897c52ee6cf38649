"""The same expressions on a local Spark session give the same moments."""

import os
import shutil

import ibis
import pytest
from moments_panels import assert_equal, in_engine, random_panel

from leapstudy.core.errors import BadInput
from leapstudy.students.moments.expression import moments_of_panel

NO_JAVA = shutil.which("java") is None and not os.environ.get("JAVA_HOME")

pytestmark = [
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.skipif(
        NO_JAVA and os.environ.get("CI") != "true", reason="Spark needs Java 17: install it, or set JAVA_HOME"
    ),
]


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    pyspark = pytest.importorskip("pyspark", reason="Spark needs the extra: pip install leapstudy[spark]")
    folder = tmp_path_factory.mktemp("spark")
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        # compiling code for hundreds of sums takes longer than sixty students do without
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.driver.memory": "1g",
        # a session that lives for seconds: what the second compiler and parallel collection cost never comes back
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.local.dir": str(folder / "local"),
    }
    builder = pyspark.sql.SparkSession.builder.master("local[1]").appName("leapstudy")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield ibis.pyspark.connect(session)
    session.stop()


def _on_spark(spark, panel, folder):
    folder.mkdir()
    dates = {name: panel[name].astype("datetime64[s]").dt.date for name in ("month", "first_visit_month")}
    panel.assign(**dates).to_parquet(folder / "panel.parquet")
    return spark.read_parquet(str(folder / "panel.parquet"))


def test_spark_gives_the_same_moments(spark, tmp_path):
    panel = random_panel(41, students=60)
    there = _on_spark(spark, panel, tmp_path / "files")
    found = moments_of_panel(there, strata=("grade_band", "high_needs"), weights="days")
    assert_equal(found, moments_of_panel(in_engine(panel), strata=("grade_band", "high_needs"), weights="days"), 1e-9)


def test_spark_says_nothing_of_a_row_in_an_error(spark, tmp_path):
    panel = _on_spark(spark, random_panel(43, students=5).assign(spoilt="~Psecretstudent"), tmp_path / "files")
    with pytest.raises(BadInput, match="The engine failed") as caught:
        moments_of_panel(panel.mutate(days_enrolled=panel.spoilt.cast("float64")))
    assert "secret" not in str(caught.value) and caught.value.__context__ is None
