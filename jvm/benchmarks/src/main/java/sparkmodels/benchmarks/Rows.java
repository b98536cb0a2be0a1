package sparkmodels.benchmarks;

import sparkmodels.scoring.Scorer;

/** Rows of the model with seven stages. */
final class Rows {
    private static final String[] CITIES = {"Rome", "Oslo", "Lima"};

    private Rows() {}

    /** Scores so many rows; the sum of the predictions, so that none is left out. */
    static double score(Scorer scorer, int count) {
        double sum = 0;
        for (int at = 0; at < count; at++) {
            sum += (Double) scorer.scoreRow(new Object[] {
                CITIES[at % 3], at % 2 == 0 ? "free" : "paid", (double) (at % 90), (double) (at % 7)
            })[0];
        }
        return sum;
    }
}
