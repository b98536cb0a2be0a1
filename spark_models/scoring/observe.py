"""`StatsObservation`: a job's `ScoreStats` through Spark's `Observation`, which Spark Connect has as well."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from pyspark.sql import functions as F

from spark_models.errors import InvalidArgumentError
from spark_models.scoring.envelope import stats_field
from spark_models.scoring.stats import ScoreStats


class StatsObservation:
    """Takes the stats of the first action on one scored DataFrame.

    stats = StatsObservation()
    score(df, model_uri, stats=stats).write.parquet(path)
    print(stats.get)
    """

    def __init__(self) -> None:
        self._observation: Any = None

    def observe(self, df: Any, envelope: Any) -> Any:
        """`df`, observed: the sums of the stats in the column of envelopes.

        Raises:
            InvalidArgumentError: [INVALID_ARGUMENT] this observation has a DataFrame already.
        """
        from pyspark.sql import Observation

        if self._observation is not None:
            raise InvalidArgumentError("A StatsObservation takes the stats of one DataFrame", "make a new one")
        self._observation = Observation("spark_models_score")
        sums = [F.sum(envelope.getField(stats_field(field.name))).alias(field.name) for field in fields(ScoreStats)]
        return df.observe(self._observation, *sums)

    @property
    def get(self) -> ScoreStats:
        """The stats; waits for the first action on the DataFrame to end.

        Raises:
            InvalidArgumentError: [INVALID_ARGUMENT] it was given to no score.
        """
        if self._observation is None:
            raise InvalidArgumentError("Nothing is observed", "give the observation to score(df, …, stats=…)")
        return ScoreStats(**{name: value for name, value in self._observation.get.items() if value is not None})
