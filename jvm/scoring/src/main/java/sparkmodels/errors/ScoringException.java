package sparkmodels.errors;

import java.util.Optional;

/**
 * What went wrong, where, and how to mend it. The text has the form
 *
 * <pre>
 * [CODE] what is wrong.
 * Where: the path or field.
 * Hint: what to do.
 * </pre>
 *
 * The codes are those of the Python package. No text holds a value of a row; a cause may, and is not for strangers.
 */
public abstract sealed class ScoringException extends RuntimeException permits InputException, ModelException {
    private static final long serialVersionUID = 1L;

    private final String code;
    private final String place;
    private final String hint;

    ScoringException(String code, String what, String place, String hint, Throwable cause) {
        super(
                "[%s] %s.%nWhere: %s.%s"
                        .formatted(code, what, place, hint.isEmpty() ? "" : "%nHint: %s.".formatted(hint)),
                cause);
        this.code = code;
        this.place = place;
        this.hint = hint;
    }

    /** An error whose text is that of others. */
    ScoringException(String code, String text, String place) {
        super(text);
        this.code = code;
        this.place = place;
        this.hint = "";
    }

    /** The stable code, as {@code MISSING_COLUMNS}. */
    public final String code() {
        return code;
    }

    /** The path of a file, or the place in the input: {@code $.data[3].age}. */
    public final String place() {
        return place;
    }

    /** What to do about it. */
    public final Optional<String> hint() {
        return hint.isEmpty() ? Optional.empty() : Optional.of(hint);
    }
}
