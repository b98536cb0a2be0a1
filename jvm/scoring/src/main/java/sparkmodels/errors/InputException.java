package sparkmodels.errors;

import java.util.List;
import java.util.stream.Collectors;

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

    private InputException(String text) {
        super("INVALID_INPUT", text, "the input");
    }

    /** The one error, or [INVALID_INPUT] with the texts of the first ten of several. */
    public static InputException of(List<InputException> errors) {
        if (errors.size() == 1) {
            return errors.get(0);
        }
        String texts = errors.stream().limit(Names.SHOWN).map(Throwable::getMessage).collect(Collectors.joining("\n"));
        String more = errors.size() > Names.SHOWN ? "\n… +" + (errors.size() - Names.SHOWN) + " more" : "";
        return new InputException(
                "[INVALID_INPUT] " + errors.size() + " problems with the input.\n" + texts + more);
    }
}
