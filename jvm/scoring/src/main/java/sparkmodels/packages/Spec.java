package sparkmodels.packages;

import java.util.Optional;

/** A column or a tensor of a signature. */
public sealed interface Spec permits ColumnSpec, TensorSpec {
    /** Its name; empty in an unnamed schema. */
    Optional<String> name();
}
