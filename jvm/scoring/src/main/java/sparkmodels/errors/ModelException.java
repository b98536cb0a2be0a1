package sparkmodels.errors;

/** The package or its model can't be used: retire it. Another row will not help. */
public final class ModelException extends ScoringException {
    private static final long serialVersionUID = 1L;

    /** An error at a path, with what brought it about. */
    public ModelException(String code, String what, String place, String hint, Throwable cause) {
        super(code, what, place, hint, cause);
    }

    /** An error at a path. */
    public ModelException(String code, String what, String place, String hint) {
        this(code, what, place, hint, null);
    }

    /** An error at a path that needs no hint. */
    public ModelException(String code, String what, String place) {
        this(code, what, place, "", null);
    }
}
