# %% [markdown]
# # 5. Large models, and tuning

# %%
import tempfile

import numpy as np
from pyspark.sql import SparkSession

import spark_models
from spark_models.types.schema import ColSpec, Schema

folder = tempfile.mkdtemp()
spark = SparkSession.builder.getOrCreate()

# %% [markdown]
# ## One copy of the weights a host
# A worker process loads a package once and keeps it. Arrays that are opened as memory maps are shared by all workers of
# a host.

# %%
np.save(f"{folder}/weights.npy", np.random.default_rng(0).normal(size=(1_000_000,)))


class Lookup(spark_models.pyfunc.PythonModel):
    def load_context(self, context):
        self.weights = np.load(context.artifacts["weights"], mmap_mode="r")

    def predict(self, context, model_input):
        return self.weights[model_input["item"].to_numpy()]


signature = spark_models.ModelSignature(Schema([ColSpec("long", "item")]), Schema([ColSpec("double")]))
spark_models.pyfunc.save_model(
    f"{folder}/lookup",
    python_model=Lookup(),
    artifacts={"weights": f"{folder}/weights.npy"},
    signature=signature,
)

# %% [markdown]
# ## Where the time goes
# `stats` counts rows, batches and loads, and the seconds of each step inside the workers.

# %%
df = spark.range(200_000).withColumnRenamed("id", "item")
stats = spark_models.StatsObservation()
with spark_models.progress(spark, total_rows=200_000):
    spark_models.score(df, f"{folder}/lookup", stats=stats).write.format("noop").mode("overwrite").save()
print(stats.get)
assert stats.get.rows == 200_000

# %% [markdown]
# ## Smaller batches bound the memory of a model; `transport="map"` sends whole batches before Spark 4.1

# %%
bounded = spark_models.StatsObservation()
scored = spark_models.score(df, f"{folder}/lookup", batch_rows=1000, stats=bounded)
scored.write.format("noop").mode("overwrite").save()
print(bounded.get)
assert scored.where("item = 7").first().prediction == np.load(f"{folder}/weights.npy")[7]
