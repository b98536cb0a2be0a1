package sparkmodels.errors;

import java.util.Optional;

/** One row can't be scored: skip it, or set it aside, and go on with the next. */
public final class RowException extends InputException {
    private static final long serialVersionUID = 1L;

    private final String field;
    private final long row;

    private RowException(String code, String what, String field, long row, String place, String hint, Throwable cause) {
        super(code, what, place, hint, cause);
        this.field = field;
        this.row = row;
    }

    /** An error of one field of a row that is not known to stand among others. */
    public static RowException ofField(String code, String what, String field, String hint) {
        return new RowException(code, what, field, -1, "the field '" + field + "'", hint, null);
    }

    /** The model refuses a row. The cause may hold values of the row, the text never does. */
    public static RowException ofModel(String what, String model, Throwable cause) {
        return new RowException("INVALID_INPUT", what, "", -1, "a row for " + model, "", cause);
    }

    /** The same error, of the row with this number, counted from 0. */
    public RowException at(long number) {
        String what = getMessage().lines().findFirst().orElse("");
        String bare = what.substring(code().length() + 3, what.length() - 1);
        String place = field.isEmpty() ? "row " + number : "the field '" + field + "' of row " + number;
        return new RowException(code(), bare, field, number, place, hint().orElse(""), getCause());
    }

    /** The field at fault; empty where the model refuses the row as a whole. */
    public Optional<String> field() {
        return field.isEmpty() ? Optional.empty() : Optional.of(field);
    }

    /** The number of the row among those that were scored together, counted from 0. */
    public Optional<Long> row() {
        return row < 0 ? Optional.empty() : Optional.of(row);
    }
}
