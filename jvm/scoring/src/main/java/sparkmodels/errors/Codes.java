package sparkmodels.errors;

/** The codes that only the Java companion has; its others are those of the Python package. */
public final class Codes {
    /** MLeap's runtime can't load a bundle: a file of it is missing, cut off or of another form. */
    public static final String INVALID_BUNDLE = "INVALID_BUNDLE";

    /** A bundle has a stage that MLeap's runtime has no op for. */
    public static final String UNKNOWN_OP = "UNKNOWN_OP";

    /** An archive holds names that lead out, links or devices, or unpacks to more than may be. */
    public static final String UNSAFE_ARCHIVE = "UNSAFE_ARCHIVE";

    private Codes() {}
}
