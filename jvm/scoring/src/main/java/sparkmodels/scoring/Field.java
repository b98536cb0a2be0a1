package sparkmodels.scoring;

/**
 * A column that a scorer takes or gives.
 *
 * @param name exact, as the signature or the model has it
 * @param type of the signature where there is one, else the model's own: {@code double}, {@code tensor<double>[3]}
 * @param nullable whether a missing value may stand in it
 * @param optional whether the column may be absent from a table: the signature says {@code "required": false}
 */
public record Field(String name, String type, boolean nullable, boolean optional) {
    /** A column that must be there. */
    public Field(String name, String type, boolean nullable) {
        this(name, type, nullable, false);
    }
}
