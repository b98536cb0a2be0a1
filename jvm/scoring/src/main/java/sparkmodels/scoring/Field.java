package sparkmodels.scoring;

/**
 * A column that a scorer takes or gives.
 *
 * @param name exact, as the signature or the model has it
 * @param type of the signature where there is one, else the model's own: {@code double}, {@code tensor<double>[3]}
 * @param nullable whether a missing value may stand in it
 */
public record Field(String name, String type, boolean nullable) {}
