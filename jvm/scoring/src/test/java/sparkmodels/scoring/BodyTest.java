package sparkmodels.scoring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Optional;
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
                "{\"instances\": [{\"a\": 1, \"b\": \"x\"}, {\"a\": 2, \"b\": null}]}",
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
                "Table[columns=[0, 1], rows=[[1, 2]]]",
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
                "{\"instances\": [[1]], \"inputs\": [[1]]}",
                "{\"instances\": [[1]], \"more\": 1}",
                "{\"instances\": [{\"a\": 1}, [1]]}",
                "{\"data\": [[1]], \"rows\": 1}",
                "{\"columns\": [1.5], \"data\": [[1]]}",
                "{\"inputs\": {\"a\": 1}}",
                "{\"dataframe_records\": {\"a\": 1}}"
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
    void namesThatStandTwice() {
        for (String text : List.of(
                "{\"columns\": [\"x\", \"x\"], \"data\": []}", "{\"dataframe_split\": {\"columns\": [1, 1], \"data\": []}}")) {
            InputException error = assertThrows(InputException.class, () -> Body.json(text));
            assertEquals("DUPLICATE_COLUMNS", error.code());
        }
        assertEquals(
                "DUPLICATE_COLUMNS",
                assertThrows(InputException.class, () -> Body.csv("x,x\n1,2\n"))
                        .code());
    }

    @Test
    void parametersThatNoModelTakes() {
        String text = "{\"instances\": [[1]], \"params\": %s}";
        assertEquals("[[1]]", Body.json(text.formatted("{}")).table().rows().toString());
        InputException error =
                assertThrows(InputException.class, () -> Body.json(text.formatted("{\"temperature\": 1}")));
        assertEquals("INVALID_ARGUMENT", error.code());
        assertTrue(error.getMessage().contains("['temperature']"), error.getMessage());
    }

    @Test
    void anOrientationAndNoOther() {
        assertThrows(InputException.class, () -> Body.json("[{\"a\": 1}]", Optional.of(Body.Orient.SPLIT)));
        assertThrows(InputException.class, () -> Body.json("{\"data\": [[1]]}", Optional.of(Body.Orient.RECORDS)));
    }

    @Test
    void csv() {
        Body body = Body.csv("\uFEFF,a,b,c\r\n\r\n0,1.5,\"x, \"\"y\"\"\",3\r\n1,,\"\",4\n\n");
        assertEquals(
                "Table[columns=[Unnamed: 0, a, b, c], rows=[[0, 1.5, x, \"y\", 3], [1, null, null, 4]]]",
                body.table().toString());
        assertFalse(body.wrapped());
        for (String broken : List.of("", "\n", "a,b\n1\n", "a,b\n1,2,3\n", "a,b\n1,\"x\n", "a\n\"x\"y\n")) {
            assertEquals(
                    "JSON_BODY",
                    assertThrows(InputException.class, () -> Body.csv(broken)).code());
        }
    }
}
