package sparkmodels.testkit;

import sparkmodels.packages.Json;

/**
 * One value that is not what it should be.
 *
 * @param row its number, counted from 0
 * @param column the output
 * @param expected the stored value
 * @param actual what the scorer gave; an error's code where it refused the row
 */
public record Conflict(long row, String column, Object expected, Object actual) {
    /** {@code row 3, prediction: expected 1.0, actual 0.0}. */
    @Override
    public String toString() {
        return "row %d, %s: expected %s, actual %s".formatted(row, column, Json.write(expected), Json.write(actual));
    }
}
