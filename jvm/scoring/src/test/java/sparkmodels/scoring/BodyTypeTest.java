package sparkmodels.scoring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import sparkmodels.packages.Json;

/** What JSON and CSV may be for each type of a signature, as in the Python package. */
final class BodyTypeTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "double|1|1.0",
                "double|9007199254740993|9.007199254740992E15",
                "double|1.5|1.5",
                "float|1|1.0",
                "integer|2147483647|2147483647",
                "long|9223372036854775807|9223372036854775807",
                "boolean|true|true",
                "string|\"x\"|x",
                "datetime|\"2026-01-31T12:00:00Z\"|2026-01-31T12:00:00Z",
                "datetime|\"2026-01-31\"|2026-01-31",
                "array|[1]|[1]",
                "double|null|null",
                "integer|null|null"
            })
    void whatFits(String type, String json, String expected) throws BodyType.Misfit {
        assertEquals(expected, String.valueOf(BodyType.cast(type, Json.parse(json), false)));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "double|true|A value that is a boolean",
                "double|\"1\"|A value that is text",
                "double|1e400|A number out of range",
                "double|[1]|A value that is a list",
                "float|1e39|A number out of range",
                "integer|1.5|A value that is a number",
                "integer|1.0|A value that is a number",
                "integer|2147483648|An integer out of range",
                "integer|true|A value that is a boolean",
                "long|9223372036854775808|An integer out of range",
                "boolean|1|A value that is an integer",
                "string|1|A value that is an integer",
                "string|{}|A value that is an object",
                "binary|\"%\"|Text that is not base64",
                "binary|1|A value that is an integer",
                "datetime|\"2026-02-30\"|Text that is no ISO 8601 date or time",
                "datetime|\"tomorrow\"|Text that is no ISO 8601 date or time",
                "datetime|1|A value that is no text"
            })
    void whatDoesNot(String type, String json, String problem) {
        assertEquals(
                problem,
                assertThrows(BodyType.Misfit.class, () -> BodyType.cast(type, Json.parse(json), false))
                        .getMessage());
    }

    @Test
    void textOfCsv() throws BodyType.Misfit {
        Map<String, Object> fits = Map.of(
                "double", 4.0, "float", 4.0f, "integer", 4, "long", 4L, "string", "4", "short", 4);
        for (Map.Entry<String, Object> entry : fits.entrySet()) {
            assertEquals(entry.getValue(), BodyType.cast(entry.getKey(), "4", true));
        }
        assertEquals(1.5e-3, BodyType.cast("double", " 1.5e-3 ", true));
        assertEquals(Double.NEGATIVE_INFINITY, BodyType.cast("double", "-inf", true));
        assertEquals(true, BodyType.cast("boolean", "True", true));
        assertNull(BodyType.cast("double", "NA", true));
        assertNull(BodyType.cast("boolean", "", true));
        assertEquals("NA", BodyType.cast("string", "NA", true), "a country");
        for (String wrong : List.of("x", "0x1p3", "1d", "1_0", "", "--1", "1e999")) {
            assertThrows(BodyType.Misfit.class, () -> BodyType.cast("integer", wrong + " ", true), wrong);
        }
        assertThrows(BodyType.Misfit.class, () -> BodyType.cast("integer", "1.5", true));
        assertThrows(BodyType.Misfit.class, () -> BodyType.cast("integer", "3.0", true));
        assertThrows(BodyType.Misfit.class, () -> BodyType.cast("boolean", "yes", true));
    }
}
