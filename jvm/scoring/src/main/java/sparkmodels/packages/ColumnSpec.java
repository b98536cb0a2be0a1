package sparkmodels.packages;

import java.util.Optional;

/**
 * A column of a signature.
 *
 * @param name empty in an unnamed schema
 * @param type boolean, integer, long, float, double, string, binary, datetime, array, object or map
 * @param required false where the column may be absent or hold nulls
 */
public record ColumnSpec(Optional<String> name, String type, boolean required) implements Spec {}
