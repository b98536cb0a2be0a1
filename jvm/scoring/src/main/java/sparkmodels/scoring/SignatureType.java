package sparkmodels.scoring;

import java.math.BigInteger;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import sparkmodels.errors.RowException;

/** Values checked against a column's type of the signature: what fits without loss is accepted, nothing else. */
public final class SignatureType {
    private static final long EXACT = 1L << 53;

    private SignatureType() {}

    /**
     * The value as the type's own Java class: Boolean, Integer, Long, Float, Double, String, byte[]; others unchanged.
     *
     * @throws RowException [COLUMN_TYPE] the value does not fit
     */
    public static Object check(String type, Object value, String field) {
        Object result =
                switch (type) {
                    case "boolean" -> value instanceof Boolean ? value : null;
                    case "integer" -> integral(value, Integer.MIN_VALUE, Integer.MAX_VALUE)
                            ? (Object) ((Number) value).intValue()
                            : null;
                    case "long" -> integral(value, Long.MIN_VALUE, Long.MAX_VALUE)
                            ? (Object) ((Number) value).longValue()
                            : null;
                    case "float" -> number(value) ? narrow(((Number) value).doubleValue()) : null;
                    case "double" -> number(value) ? (Object) ((Number) value).doubleValue() : null;
                    case "string", "datetime" -> value instanceof String
                                    || type.equals("datetime") && value instanceof java.time.temporal.Temporal
                            ? value
                            : null;
                    case "binary" -> value instanceof byte[]
                            ? value
                            : value instanceof String text ? decoded(text) : null;
                    case "array" -> value instanceof List<?> || value.getClass().isArray() ? value : null;
                    case "object", "map" -> value instanceof Map<?, ?> ? value : null;
                    default -> value;
                };
        if (result == null) {
            throw RowException.ofField(
                    "COLUMN_TYPE",
                    "A value of type %s does not fit %s without loss"
                            .formatted(value.getClass().getSimpleName(), type),
                    field,
                    "");
        }
        return result;
    }

    /** Whether a value is an integer of this range. */
    public static boolean integral(Object value, long least, long most) {
        if (value instanceof BigInteger big) {
            return big.bitLength() < Long.SIZE && integral(big.longValue(), least, most);
        }
        return (value instanceof Integer || value instanceof Long || value instanceof Short || value instanceof Byte)
                && ((Number) value).longValue() >= least
                && ((Number) value).longValue() <= most;
    }

    /** Whether a value is a number that a double holds exactly. */
    public static boolean number(Object value) {
        return value instanceof Double || value instanceof Float || integral(value, -EXACT, EXACT);
    }

    /** Null for what only a double holds. */
    private static Float narrow(double value) {
        float narrow = (float) value;
        return Float.isInfinite(narrow) && !Double.isInfinite(value) ? null : (Float) narrow;
    }

    private static byte[] decoded(String text) {
        try {
            return Base64.getDecoder().decode(text);
        } catch (IllegalArgumentException error) {
            return null;
        }
    }
}
