package sparkmodels.packages;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.io.JsonStringEncoder;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import sparkmodels.errors.InputException;
import sparkmodels.errors.ModelException;

/** Strict JSON as plain values: maps, lists, strings, booleans, {@code Integer} to {@code BigInteger}, doubles. */
public final class Json {
    private static final ObjectMapper MAPPER = new ObjectMapper(JsonFactory.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(Limits.DEFAULT.depth())
                            .maxStringLength(Integer.MAX_VALUE)
                            .build())
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .configure(JsonParser.Feature.INCLUDE_SOURCE_IN_LOCATION, false);

    private Json() {}

    /**
     * The values of a JSON text that a caller sent.
     *
     * <p>A number beyond a double's comes out as infinity: who takes numbers looks for it.
     *
     * @throws InputException [JSON_BODY] it is not JSON, has a repeated key or more than 100 levels
     */
    public static Object parse(String text) {
        try {
            return MAPPER.readValue(text, Object.class);
        } catch (JsonProcessingException error) {
            throw new InputException("JSON_BODY", "The input can't be read: it is no JSON" + position(error), "$", "", error);
        }
    }

    /**
     * The values of a JSON file of a package.
     *
     * @throws ModelException [INVALID_PACKAGE] it is missing, too large or not JSON
     */
    public static Object read(Path file, Limits limits) {
        return of(text(file, limits.jsonBytes()), file);
    }

    static Object of(String text, Path file) {
        try {
            return MAPPER.readValue(text, Object.class);
        } catch (JsonProcessingException error) {
            throw new ModelException("INVALID_PACKAGE", "It is not JSON" + position(error), file.toString(), "", error);
        }
    }

    /**
     * The lines of a text file of a package.
     *
     * @throws ModelException [INVALID_PACKAGE] it is missing, too large or not UTF-8
     */
    public static List<String> lines(Path file, Limits limits) {
        return text(file, limits.jsonBytes()).lines().toList();
    }

    /** A value as JSON, in one line. NaN and infinities come out as null, as strict JSON has no others. */
    public static String write(Object value) {
        StringBuilder text = new StringBuilder();
        append(text, value);
        return text.toString();
    }

    static String text(Path file, long limit) {
        try {
            if (!Files.isRegularFile(file)) {
                throw new ModelException("INVALID_PACKAGE", "The file is missing", file.toString());
            }
            if (Files.size(file) > limit) {
                throw new ModelException("INVALID_PACKAGE", "It is larger than " + limit + " bytes", file.toString());
            }
            return Files.readString(file);
        } catch (CharacterCodingException error) {
            throw new ModelException("INVALID_PACKAGE", "It is not UTF-8 text", file.toString(), "", error);
        } catch (IOException error) {
            throw new ModelException("INVALID_PACKAGE", "It can't be read", file.toString(), "", error);
        }
    }

    static Object parseOf(String text, String place) {
        try {
            return MAPPER.readValue(text, Object.class);
        } catch (JsonProcessingException error) {
            throw new ModelException("INVALID_MLMODEL", "It is not JSON" + position(error), place, "", error);
        }
    }

    private static String position(JsonProcessingException error) {
        return error.getLocation() == null
                ? ""
                : " (line %d, column %d)"
                        .formatted(
                                error.getLocation().getLineNr(),
                                error.getLocation().getColumnNr());
    }

    private static void append(StringBuilder text, Object value) {
        if (value instanceof Double number) {
            text.append(Double.isFinite(number) ? number.toString() : "null");
        } else if (value instanceof Float number) {
            text.append(Float.isFinite(number) ? number.toString() : "null");
        } else if (value == null || value instanceof Number || value instanceof Boolean) {
            text.append(value);
        } else if (value instanceof double[] numbers) {
            char separator = '[';
            for (double number : numbers) {
                text.append(separator);
                append(text, number);
                separator = ',';
            }
            text.append(numbers.length == 0 ? "[]" : "]");
        } else if (value instanceof List<?> items) {
            char separator = '[';
            for (Object item : items) {
                text.append(separator);
                append(text, item);
                separator = ',';
            }
            text.append(items.isEmpty() ? "[]" : "]");
        } else if (value instanceof Map<?, ?> map) {
            char separator = '{';
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                text.append(separator);
                quote(text, String.valueOf(entry.getKey()));
                text.append(':');
                append(text, entry.getValue());
                separator = ',';
            }
            text.append(map.isEmpty() ? "{}" : "}");
        } else if (value instanceof byte[] bytes) {
            quote(text, Base64.getEncoder().encodeToString(bytes));
        } else {
            quote(text, value.toString());
        }
    }

    private static void quote(StringBuilder text, String value) {
        text.append('"')
                .append(JsonStringEncoder.getInstance().quoteAsString(value))
                .append('"');
    }
}
