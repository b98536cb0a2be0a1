# %% [markdown]
# # 3. A Spark ML pipeline, scored by Spark and by a JVM without Spark

# %%
import tempfile

from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import StringIndexer, VectorAssembler
from pyspark.sql import SparkSession

import spark_models
import spark_models.mleap
import spark_models.spark

folder = tempfile.mkdtemp()
spark = SparkSession.builder.getOrCreate()
rows = [(float(at % 7), "ab"[at % 2], float(at % 7 > 3)) for at in range(200)]
df = spark.createDataFrame(rows, "x double, kind string, label double")

# %%
pipeline = Pipeline(
    stages=[
        StringIndexer(inputCol="kind", outputCol="index"),
        VectorAssembler(inputCols=["x", "index"], outputCol="features"),
        LogisticRegression(maxIter=5),
    ]
).fit(df)

# %% [markdown]
# ## As a package of the spark flavor
# Spark itself is the model then: `score` transforms the table, and no row travels to Python.

# %%
spark_models.spark.save_model(pipeline, f"{folder}/pipeline", sample_input=df.select("x", "kind"))
scored = spark_models.score(df, f"{folder}/pipeline")
assert scored.where("prediction = label").count() > 150
scored.groupBy("prediction").count().show()

# %% [markdown]
# ## As Bundle.ML for the JVM
# Written from Python, with no MLeap jar on Spark's class path. A stage that MLeap has no op for is named before
# anything is written. `java -jar spark-models.jar predict -m DIR -i rows.json` scores it in microseconds a row; see
# docs/jvm.md.

# %%
spark_models.mleap.save_model(spark_model=pipeline, sample_input=df.select("x", "kind"), path=f"{folder}/bundle")
print(sorted(spark_models.Model.load(f"{folder}/bundle").flavors))
