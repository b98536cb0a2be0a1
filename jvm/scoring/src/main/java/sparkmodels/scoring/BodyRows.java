package sparkmodels.scoring;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import sparkmodels.errors.InputException;
import sparkmodels.errors.Names;
import sparkmodels.packages.Table;

/** A body's rows as the rows of a scorer: its columns in the inputs' order, its values of their types. */
final class BodyRows {
    private final Body body;
    private final List<Field> inputs;
    private final List<InputException> problems = new ArrayList<>();

    private BodyRows(Body body, List<Field> inputs) {
        this.body = body;
        this.inputs = inputs;
    }

    /**
     * The rows, with values in the inputs' order; columns have no names any more.
     *
     * @throws InputException [MISSING_COLUMNS], [JSON_VALUE], [NULLS_IN_COLUMN], or [INVALID_INPUT] of several of them
     */
    static Table bound(Body body, List<Field> inputs, boolean positional) {
        Table table = body.table();
        if (table.columns().isEmpty() && table.rows().isEmpty()) {
            // Nothing says which columns there are: no rows of all of them.
            return new Table(List.of(), List.of());
        }
        BodyRows reader = new BodyRows(body, inputs);
        int[] positions = Binding.ofBody(table.columns(), inputs, positional, "the body", reader.problems);
        Object[][] cells = new Object[table.rows().size()][inputs.size()];
        for (int column = 0; column < positions.length; column++) {
            if (positions[column] >= 0) {
                reader.column(column, positions[column], cells);
            }
        }
        if (!reader.problems.isEmpty()) {
            throw InputException.of(reader.problems);
        }
        List<List<Object>> rows = new ArrayList<>(cells.length);
        for (Object[] row : cells) {
            rows.add(Arrays.asList(row));
        }
        return new Table(List.of(), rows);
    }

    private void column(int column, int position, Object[][] cells) {
        Field field = inputs.get(column);
        String label = body.table().columns().get(position);
        boolean refused = false;
        int wrong = 0;
        for (int row = 0; row < cells.length && wrong < Names.SHOWN; row++) {
            try {
                cells[row][column] =
                        BodyType.cast(field.type(), body.table().rows().get(row).get(position), body.text());
                refused |= cells[row][column] == null && !field.nullable() && BodyType.refusesNulls(field.type());
            } catch (BodyType.Misfit misfit) {
                wrong++;
                problems.add(new InputException(
                        "JSON_VALUE",
                        misfit.getMessage() + " is no " + BodyType.kind(field.type()),
                        body.at(label, row)));
            }
        }
        if (refused) {
            problems.add(new InputException(
                    "NULLS_IN_COLUMN",
                    "Column '%s' of type %s has missing values".formatted(label, BodyType.kind(field.type())),
                    "inputs of the signature",
                    "mark it \"required\": false, or fill the missing values"));
        }
    }
}
