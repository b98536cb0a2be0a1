package sparkmodels.scoring;

import java.util.List;
import sparkmodels.errors.RowException;
import sparkmodels.packages.Table;

/**
 * Rows that were scored.
 *
 * @param table as many rows as were given, in their order; those that failed hold nulls
 * @param errors of the rows that failed, each with its number
 */
public record Scored(Table table, List<RowException> errors) {
    /** Copies the errors. */
    public Scored {
        errors = List.copyOf(errors);
    }

    /**
     * The table, if every row was scored.
     *
     * @throws RowException that of the first row that was not
     */
    public Table orThrow() {
        if (!errors.isEmpty()) {
            throw errors.get(0);
        }
        return table;
    }
}
