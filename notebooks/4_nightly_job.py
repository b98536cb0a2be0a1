# %% [markdown]
# # 4. A nightly job on Delta, with quarantine
#
# Needs `pip install 'spark-models[spark,delta]'`.

# %%
import tempfile

import numpy as np
import pandas as pd

import spark_models
from spark_models.jobs import job_session, plan_job, read_job, run_job

folder = tempfile.mkdtemp()

# %% [markdown]
# ## A model, and a job file
# `spark-models init job -m DIR` writes such a file, with comments, from the package's signature.


# %%
class Risk(spark_models.pyfunc.PythonModel):
    def predict(self, context, model_input):
        if (model_input["amount"] < 0).any():
            raise ValueError("a negative amount")
        return 1 / (1 + np.exp(-(model_input["amount"] - 50) / 10))


example = pd.DataFrame({"amount": [10.0, 50.0, 90.0]})
spark_models.pyfunc.save_model(
    f"{folder}/risk",
    python_model=Risk(),
    signature=spark_models.infer_signature(example, example["amount"].rename(None) / 100),
    split_invariant=True,
)
with open(f"{folder}/job.yaml", "w") as file:
    file.write(f"""\
version: 1
name: risk-nightly
source:
  path: {folder}/payments
model:
  uri: {folder}/risk
keys: [id]
lineage: true
sink:
  path: {folder}/risks
  mode: merge
quarantine:
  path: {folder}/quarantine
expect:
  scores:
    prediction: {{min: 0, max: 1}}
run_log:
  path: {folder}/runs
report:
  path: {folder}/reports
""")

# %%
job = read_job(f"{folder}/job.yaml")
with job_session(job) as spark:
    payments = spark.range(1000).selectExpr("id", "CAST(IF(id = 500, -1, id % 100) AS DOUBLE) amount")
    payments.write.format("delta").save(f"{folder}/payments")

    # The plan: no row is read.
    print(plan_job(spark, job))

    first = run_job(spark, job)
    print(first)
    assert (first.written, first.quarantined) == (999, 1)

    # The same run again writes nothing: the table's own log says that it has the rows.
    again = run_job(spark, job)
    print(again)
    assert again.outcome.value == "already written"

    # What could not be scored, and why.
    spark.read.format("delta").load(f"{folder}/quarantine").select("id", "error_code", "run_id").show()
    spark.read.format("delta").load(f"{folder}/runs").select("status", "rows", "written", "quarantined").show()
