package sparkmodels.scoring;

import java.math.BigInteger;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.util.Base64;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Values of JSON or CSV as a column's declared type. Both lose types, so they are cast further than values that have
 * them: integers become float or double, base64 text binary, and in CSV digits numbers. What has lost something already
 * is refused: 1.5 for an integer, a number for a boolean, an integer too large for its type.
 */
final class BodyType {
    /** What stands for a missing value in a column of CSV that is not of text. */
    private static final Set<String> MISSING = Set.of(
            "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>", "NaN", "nan", "-NaN", "-nan", "NULL", "null", "None",
            "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN");

    private static final Map<String, Boolean> BOOLEANS =
            Map.of("true", true, "True", true, "TRUE", true, "false", false, "False", false, "FALSE", false);
    private static final Pattern NUMBER = Pattern.compile("[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d+)?");
    private static final Pattern INTEGER = Pattern.compile("[+-]?\\d+");
    private static final Pattern INFINITY = Pattern.compile("([+-]?)inf(inity)?", Pattern.CASE_INSENSITIVE);
    private static final Pattern ISO_8601 = Pattern.compile(
            "\\d{4}-\\d{2}-\\d{2}([T ]\\d{2}:\\d{2}(:\\d{2}([.,]\\d{1,9})?)?)?\\s*(Z|[+-]\\d{2}:?\\d{2})?");
    /** Digits of an exponent, beyond which the number is out of every range. */
    private static final int LONGEST_NUMBER = 1000;

    private BodyType() {}

    /** A value that does not fit, in words: "A value that is text". The row's place is the caller's to add. */
    static final class Misfit extends Exception {
        private static final long serialVersionUID = 1L;

        Misfit(String what) {
            super(what, null, false, false);
        }
    }

    /** Whether a missing value of a required column of this type is refused, as none of its values says so. */
    static boolean refusesNulls(String type) {
        return kind(type).equals("integer") || kind(type).equals("long") || type.equals("boolean");
    }

    /** The value as the type's own; null stays null. Types that have no values of their own are left as they are. */
    static Object cast(String type, Object value, boolean text) throws Misfit {
        Object given = text ? fromText(type, value) : value;
        if (given == null) {
            return null;
        }
        return switch (kind(type)) {
            case "double", "float" -> floating(type, given, text);
            case "integer", "long" -> integral(type, given);
            case "boolean" -> require(given instanceof Boolean, given);
            case "string" -> require(given instanceof String, given);
            case "binary" -> bytes(given);
            case "datetime" -> instant(given);
            default -> given;
        };
    }

    /** The name of a type in errors: the signature's. */
    static String kind(String type) {
        return switch (type) {
            case "int", "short", "byte" -> "integer";
            default -> type;
        };
    }

    private static Object fromText(String type, Object value) throws Misfit {
        if (!(value instanceof String field) || type.equals("string")) {
            return value;
        }
        boolean scalar =
                switch (kind(type)) {
                    case "double", "float", "integer", "long", "boolean", "datetime", "binary" -> true;
                    default -> false;
                };
        if (scalar && (field.isEmpty() || MISSING.contains(field))) {
            return null;
        }
        return switch (kind(type)) {
            case "double", "float", "integer", "long" -> number(field.strip());
            case "boolean" -> BOOLEANS.containsKey(field) ? BOOLEANS.get(field) : field;
            default -> field;
        };
    }

    private static Object number(String field) throws Misfit {
        var infinity = INFINITY.matcher(field);
        if (infinity.matches()) {
            return infinity.group(1).equals("-") ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY;
        }
        if (!NUMBER.matcher(field).matches() || field.length() > LONGEST_NUMBER) {
            throw new Misfit("Text");
        }
        return INTEGER.matcher(field).matches() ? new BigInteger(field) : (Object) Double.parseDouble(field);
    }

    private static Object floating(String type, Object value, boolean text) throws Misfit {
        require(value instanceof Number, value);
        double wide = ((Number) value).doubleValue();
        boolean stated = text && value instanceof Double;
        if (Double.isInfinite(wide) && !stated) {
            throw new Misfit(value instanceof BigInteger ? "An integer out of range" : "A number out of range");
        }
        if (type.equals("double")) {
            return wide;
        }
        float narrow = (float) wide;
        if (Float.isInfinite(narrow) && !Double.isInfinite(wide)) {
            throw new Misfit("A number out of range");
        }
        return narrow;
    }

    private static Object integral(String type, Object value) throws Misfit {
        if (value instanceof Boolean || value instanceof Double || value instanceof Float) {
            throw new Misfit("A value that is " + Body.called(value));
        }
        require(value instanceof Number, value);
        long least = Long.MIN_VALUE;
        long most = Long.MAX_VALUE;
        if (kind(type).equals("integer")) {
            least = type.equals("short") ? Short.MIN_VALUE : type.equals("byte") ? Byte.MIN_VALUE : Integer.MIN_VALUE;
            most = type.equals("short") ? Short.MAX_VALUE : type.equals("byte") ? Byte.MAX_VALUE : Integer.MAX_VALUE;
        }
        if (value instanceof BigInteger big && big.bitLength() >= Long.SIZE
                || ((Number) value).longValue() < least
                || ((Number) value).longValue() > most) {
            throw new Misfit("An integer out of range");
        }
        return kind(type).equals("integer")
                ? (Object) ((Number) value).intValue()
                : (Object) ((Number) value).longValue();
    }

    private static Object bytes(Object value) throws Misfit {
        require(value instanceof String, value);
        try {
            return Base64.getDecoder().decode(value.toString().replaceAll("\\s", ""));
        } catch (IllegalArgumentException error) {
            throw new Misfit("Text that is not base64");
        }
    }

    private static Object instant(Object value) throws Misfit {
        if (!(value instanceof String text)) {
            throw new Misfit("A value that is no text");
        }
        try {
            if (ISO_8601.matcher(text).matches()) {
                LocalDate.parse(text.substring(0, "2026-01-31".length()));
                return text;
            }
        } catch (DateTimeException error) {
            throw new Misfit("Text that is no ISO 8601 date or time");
        }
        throw new Misfit("Text that is no ISO 8601 date or time");
    }

    private static Object require(boolean fits, Object value) throws Misfit {
        if (!fits) {
            throw new Misfit("A value that is " + Body.called(value));
        }
        return value;
    }
}
