package sparkmodels.errors;

/** The input as a whole is at fault, and no row of it was scored: a column is missing, the JSON is broken. */
public sealed class InputException extends ScoringException permits RowException {
    private static final long serialVersionUID = 1L;

    /** An error at a place of the input, with what brought it about. */
    public InputException(String code, String what, String place, String hint, Throwable cause) {
        super(code, what, place, hint, cause);
    }

    /** An error at a place of the input. */
    public InputException(String code, String what, String place, String hint) {
        this(code, what, place, hint, null);
    }

    /** An error at a place of the input that needs no hint. */
    public InputException(String code, String what, String place) {
        this(code, what, place, "", null);
    }
}
