package sparkmodels.scoring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import sparkmodels.errors.InputException;

final class BodyTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"columns\": [\"a\", \"b\"], \"data\": [[1, \"x\"], [2, null]]}",
                        "[{\"a\": 1, \"b\": \"x\"}, {\"a\": 2}]",
                "{\"instances\": [{\"a\": 1, \"b\": \"x\"}, {\"a\": 2}]}",
                        "{\"inputs\": {\"a\": [1, 2], \"b\": [\"x\", null]}}",
                "{\"dataframe_split\": {\"columns\": [\"a\", \"b\"], \"data\": [[1, \"x\"], [2, null]]}}",
                        "{\"dataframe_records\": [{\"a\": 1, \"b\": \"x\"}, {\"a\": 2}]}"
            })
    void everyFormIsTheSameTable(String text) {
        Body body = Body.json(text);
        assertEquals(
                "Table[columns=[a, b], rows=[[1, x], [2, null]]]", body.table().toString());
        assertEquals(text.contains("dataframe_"), body.wrapped());
    }

    @Test
    void rowsWithoutNames() {
        assertEquals(
                "Table[columns=[], rows=[[1, 2]]]",
                Body.json("{\"instances\": [[1, 2]]}").table().toString());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{",
                "1",
                "{}",
                "[1]",
                "{\"data\": 1}",
                "{\"columns\": [\"a\"], \"data\": [[1, 2]]}",
                "{\"inputs\": {\"a\": [1], \"b\": []}}",
                "[] []",
                "{\"data\": [], \"data\": []}",
                "[{\"a\": NaN}]",
                "[{\"a\": 1e400}]"
            })
    void brokenBodies(String text) {
        assertEquals(
                "JSON_BODY",
                assertThrows(InputException.class, () -> Body.json(text)).code());
    }

    @Test
    void deepBodies() {
        String deep = "[".repeat(5000) + "]".repeat(5000);
        assertEquals(
                "JSON_BODY",
                assertThrows(InputException.class, () -> Body.json(deep)).code());
    }

    @Test
    void csv() {
        List<Field> inputs = List.of(
                new Field("a", "double", true), new Field("b", "string", true), new Field("c", "integer", false));
        Body body = Body.csv("\uFEFF,a,b,c\r\n0,1.5,\"x, \"\"y\"\"\",3\r\n1,,\"\",4\n", inputs);
        assertEquals(
                "Table[columns=[Unnamed: 0, a, b, c], rows=[[0, 1.5, x, \"y\", 3], [1, null, , 4]]]",
                body.table().toString());
        assertFalse(body.wrapped());
        assertThrows(InputException.class, () -> Body.csv("a,b\n1\n", inputs));
        assertThrows(InputException.class, () -> Body.csv("a,b\n1,\"x\n", inputs));
        assertTrue(assertThrows(InputException.class, () -> Body.csv("c\n1.5\n", inputs))
                .getMessage()
                .contains("'c' of row 0"));
    }
}
