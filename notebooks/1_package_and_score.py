# %% [markdown]
# # 1. Package a model once, score it anywhere Spark runs
#
# A cell begins at each `# %%`: Jupyter (with jupytext), VS Code and Databricks open this file as a notebook, and
# `python notebooks/1_package_and_score.py` runs it.

# %%
import tempfile

from pyspark.sql import SparkSession
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

import spark_models
import spark_models.sklearn

folder = tempfile.mkdtemp()
spark = SparkSession.builder.getOrCreate()

# %% [markdown]
# ## Save
# The signature says which columns the model takes; the example and the predictions on it are kept to be replayed.

# %%
X, y = load_breast_cancer(return_X_y=True, as_frame=True)
model = LogisticRegression(max_iter=5000).fit(X, y)
signature = spark_models.infer_signature(X, model.predict(X))
spark_models.sklearn.save_model(model, f"{folder}/tumours", signature=signature, input_example=X.head(3))

# %% [markdown]
# ## Score
# The columns are found by the signature's names. A missing column, or a type that would lose values, fails here,
# before a row is read.

# %%
df = spark.createDataFrame(X)
benign = spark_models.pyfunc.spark_udf(spark, f"{folder}/tumours", result_type="long")
counts = df.withColumn("benign", benign()).groupBy("benign").count().orderBy("benign").collect()
print(counts)

# %%
try:
    spark_models.score(df.drop("mean radius"), f"{folder}/tumours")
except spark_models.errors.MissingColumnsError as error:
    print(error)

# %% [markdown]
# ## The same answer everywhere

# %%
local = spark_models.load_model(f"{folder}/tumours").predict(X)
assert [row["count"] for row in counts] == [int((local == label).sum()) for label in (0, 1)]
