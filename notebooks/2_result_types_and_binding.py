# %% [markdown]
# # 2. Result types, and how columns are bound

# %%
import tempfile

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql.functions import col, struct
from sklearn.linear_model import LogisticRegression

import spark_models
import spark_models.sklearn
from spark_models.pyfunc import spark_udf

folder = tempfile.mkdtemp()
spark = SparkSession.builder.getOrCreate()
rng = np.random.default_rng(0)
X = pd.DataFrame({"age": rng.uniform(18, 80, 200), "income": rng.uniform(0, 9, 200)})
y = (X["age"] / 80 + X["income"] / 9 > 1).astype("int64")
model = LogisticRegression().fit(X, y)
signature = spark_models.infer_signature(X, model.predict(X))
uri = f"{folder}/churn"
spark_models.sklearn.save_model(model, uri, signature=signature, input_example=X.head(3))
df = spark.createDataFrame(X)

# %% [markdown]
# ## Four ways to name the columns, one answer

# %%
predict = spark_udf(spark, uri)
ways = [predict(), predict("income", "age"), predict(struct("income", "age")), predict(col("age"), col("income"))]
scored = df.select(*[way.alias(f"way_{at}") for at, way in enumerate(ways)]).toPandas()
assert scored.nunique(axis=1).max() == 1
print(scored.head(3))

# %% [markdown]
# ## Result types
# `double` is the leftmost numeric output. Another method of the model, a list, and what the signature says:

# %%
probability = spark_udf(spark, uri, "array<double>", method="predict_proba")
whole = spark_udf(spark, uri, "signature")
row = df.select(probability().alias("p"), whole().alias("label")).first()
print(row)
assert abs(sum(row.p) - 1) < 1e-12

# %% [markdown]
# ## Rows that can't be scored
# `score` gives each of them a code instead of a prediction, and the job goes on.


# %%
class Strict(spark_models.pyfunc.PythonModel):
    def predict(self, context, model_input):
        if (model_input["age"] > 79).any():
            raise ValueError("too old")
        return model_input["age"] * 2


spark_models.pyfunc.save_model(f"{folder}/strict", python_model=Strict(), signature=signature, split_invariant=True)
rows = spark_models.score(df, f"{folder}/strict", result_type="double", on_error="quarantine")
bad = rows.where("prediction_error_code IS NOT NULL")
assert bad.count() == int((X["age"] > 79).sum())
print(bad.select("age", "prediction_error_code").limit(3).toPandas())
