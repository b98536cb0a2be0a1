package sparkmodels.mleap;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import sparkmodels.errors.InputException;
import sparkmodels.errors.ModelException;
import sparkmodels.errors.RowException;
import sparkmodels.fixtures.Bundle;
import sparkmodels.fixtures.Packages;
import sparkmodels.packages.Table;
import sparkmodels.scoring.Body;
import sparkmodels.scoring.Field;
import sparkmodels.scoring.Scored;
import sparkmodels.scoring.Scorer;

final class MleapScorerTest {
    @TempDir
    Path root;

    private Scorer small() {
        return Scorer.open(Packages.small(root)).withOutputs(List.of("probability", "prediction"));
    }

    @Test
    void inputsAreTheSignatures() {
        Scorer scorer = Scorer.open(Packages.small(root));
        assertEquals(
                List.of(
                        new Field("age", "double", true),
                        new Field("city", "string", true),
                        new Field("visits", "integer", false)),
                scorer.inputs());
        assertEquals(
                List.of("prediction"),
                scorer.outputs().stream().map(Field::name).toList());
    }

    @Test
    void withoutSignatureTheModelTells() {
        Scorer scorer = Scorer.open(Packages.logistic(root, ""));
        assertEquals(
                List.of("city", "plan", "age", "visits"),
                scorer.inputs().stream().map(Field::name).toList());
        assertEquals(
                List.of("string", "string", "double", "double"),
                scorer.inputs().stream().map(Field::type).toList());
        assertEquals(
                List.of("prediction"),
                scorer.outputs().stream().map(Field::name).toList());
    }

    @Test
    void withoutSignatureNumbersAreIndexedAsTheSampleHadThem() {
        Packages.mlmodel(root, "");
        new Bundle(root.resolve("mleap/model"))
                .indexer("size", "sizeIndex", "keep", "2.0", "0.5")
                .indexer("store", "storeIndex", "error", "7", "12")
                .indexer("city", "cityIndex", "error", "Rome", "7")
                .assembler("features", "sizeIndex", "storeIndex", "cityIndex", "member")
                .write();
        Bundle.write(
                root.resolve("mleap/input_schema.json"),
                """
                {"type": "struct", "fields": [
                  {"name": "size", "type": "double", "nullable": true, "metadata": {}},
                  {"name": "store", "type": "long", "nullable": true, "metadata": {}},
                  {"name": "city", "type": "string", "nullable": true, "metadata": {}},
                  {"name": "member", "type": "boolean", "nullable": true, "metadata": {}},
                  {"name": "spent", "type": {"type": "udt", "class": "VectorUDT"}, "nullable": true, "metadata": {}}]}
                """);
        Scorer scorer = Scorer.open(root).withOutputs(List.of("features"));
        assertEquals(
                List.of("double", "long", "string", "boolean"),
                scorer.inputs().stream().map(Field::type).toList());
        assertArrayEquals(
                new double[] {0, 1, 0, 1}, (double[]) scorer.scoreRow(new Object[] {2, 12, "Rome", true})[0]);
        assertArrayEquals(
                new double[] {2, 0, 1, 0}, (double[]) scorer.scoreRow(new Object[] {1.5, 7L, "7", false})[0]);
        for (Object[] row : List.of(
                new Object[] {"2.0", 7, "Rome", true},
                new Object[] {2.0, 7.5, "Rome", true},
                new Object[] {2.0, 7, 7, true},
                new Object[] {2.0, 7, "Rome", 1})) {
            assertEquals(
                    "COLUMN_TYPE",
                    assertThrows(RowException.class, () -> scorer.scoreRow(row)).code());
        }
    }

    @Test
    void withoutSignatureFloatsAreAsTheSampleHadThem() {
        Packages.mlmodel(root, "");
        new Bundle(root.resolve("mleap/model")).assembler("v", "a", "b").write();
        Bundle.write(
                root.resolve("mleap/input_schema.json"),
                """
                {"type": "struct", "fields": [
                  {"name": "a", "type": "float", "nullable": true, "metadata": {}},
                  {"name": "b", "type": "double", "nullable": true, "metadata": {}}]}
                """);
        assertArrayEquals(
                new double[] {0.1f, 0.1}, (double[]) Scorer.open(root).scoreRow(new Object[] {0.1, 0.1})[0]);
    }

    @Test
    void aSchemaOfTheSampleThatIsNone() {
        Packages.small(root);
        Bundle.write(root.resolve("mleap/input_schema.json"), "[]");
        ModelException error = assertThrows(ModelException.class, () -> Scorer.open(root));
        assertEquals("INVALID_PACKAGE", error.code());
        assertTrue(error.getMessage().contains("input_schema.json"));
    }

    @Test
    void probabilities() {
        Scorer scorer = small();
        double expected = Packages.probability(30, 1, 4);
        double[] probability =
                (double[]) scorer.score(Map.of("age", 30.0, "city", "Oslo", "visits", 4, "extra", "ignored"))
                        .get("probability");
        assertArrayEquals(new double[] {1 - expected, expected}, probability, 1e-15);
        assertEquals(expected > 0.5 ? 1.0 : 0.0, scorer.scoreRow(new Object[] {30.0, "Oslo", 4})[1]);
    }

    @Test
    void sevenStages() {
        Scorer scorer = Scorer.open(Packages.logistic(root, "")).withOutputs(List.of("probability"));
        double[] raw = {52, 1, 0, 1, 0, 0};
        double[] mean = {40, 3, 0.4, 0.3, 0.5, 0.4};
        double[] std = {12, 2, 0.5, 0.4, 0.5, 0.5};
        double[] weights = {0.8, -0.4, 0.3, -0.2, 0.6, -0.1};
        double margin = -0.25;
        for (int at = 0; at < raw.length; at++) {
            margin += weights[at] * (raw[at] - mean[at]) / std[at];
        }
        double[] scored = (double[]) scorer.scoreRow(new Object[] {"Oslo", "unseen", 52.0, 1.0})[0];
        assertEquals(1 / (1 + Math.exp(-margin)), scored[1], 1e-15);
    }

    @Test
    void missingNumbersAreImputed() {
        Packages.small(root);
        Packages.mlmodel(root, Packages.SIGNATURE.replace("\"double\"}, ", "\"double\", \"required\": false}, "));
        Scorer scorer = Scorer.open(root).withOutputs(List.of("probability", "prediction"));
        Map<String, Object> row = new HashMap<>(Map.of("city", "Rome", "visits", 0));
        double[] absent = (double[]) scorer.score(row).get("probability");
        row.put("age", null);
        double[] empty = (double[]) scorer.score(row).get("probability");
        row.put("age", Double.NaN);
        double[] unknown = (double[]) scorer.score(row).get("probability");
        double expected = Packages.probability(40, 0, 0);
        assertEquals(expected, absent[1], 1e-15);
        assertEquals(expected, empty[1], 1e-15);
        assertEquals(expected, unknown[1], 1e-15);
    }

    @Test
    void aMisspeltInputIsNotImputed() {
        Scorer scorer = small();
        InputException error = assertThrows(
                InputException.class, () -> scorer.score(Map.of("Age", 1.0, "city", "Rome", "visits", 0)));
        assertEquals("MISSING_COLUMNS", error.code());
        assertEquals("rename 'Age' to 'age'", error.hint().orElseThrow());
        Packages.mlmodel(root, "");
        Scorer unsigned = Scorer.open(root);
        Map<String, Object> row = Map.of("Age", 1.0, "city", "Rome", "visits", 0);
        assertEquals(
                "MISSING_COLUMNS",
                assertThrows(InputException.class, () -> unsigned.score(row)).code());
    }

    @Test
    void aModelThatAsserts() {
        Packages.mlmodel(root, "");
        new Bundle(root.resolve("mleap/model"))
                .interaction("out", new int[] {3, 1}, "kind", "amount")
                .write();
        Scorer scorer = Scorer.open(root);
        assertArrayEquals(new double[] {0, 2.5, 0}, (double[]) scorer.scoreRow(new Object[] {1.0, 2.5})[0]);
        RowException error = assertThrows(RowException.class, () -> scorer.scoreRow(new Object[] {7.0, 2.5}));
        assertEquals("INVALID_INPUT", error.code());
        assertFalse(error.getMessage().contains("7.0"), error.getMessage());
        Scored scored = scorer.scoreTable(
                new Table(List.of("kind", "amount"), List.of(List.of(0.5, 1.0), List.of(2.0, 3.0))));
        assertEquals(0L, scored.errors().get(0).row().orElseThrow());
        assertArrayEquals(
                new double[] {0, 0, 3}, (double[]) scored.table().rows().get(1).get(0));
    }

    @Test
    void numbersThatAFloatDoesNotHold() {
        Packages.mlmodel(root, "signature: {inputs: '[{\"name\": \"a\", \"type\": \"float\"}]'}\n");
        new Bundle(root.resolve("mleap/model")).assembler("v", "a").write();
        Scorer scorer = Scorer.open(root).withOutputs(List.of("v"));
        assertEquals(
                "COLUMN_TYPE",
                assertThrows(RowException.class, () -> scorer.scoreRow(new Object[] {1e300}))
                        .code());
        assertArrayEquals(
                new double[] {Double.NEGATIVE_INFINITY},
                (double[]) scorer.scoreRow(new Object[] {Double.NEGATIVE_INFINITY})[0]);
    }

    @Test
    @DisplayName("jvm.predict.missing_field: an absent input is an error that names it")
    void missingField() {
        InputException error =
                assertThrows(InputException.class, () -> small().score(Map.of("Age", 1.0, "city", "Rome")));
        assertEquals("MISSING_COLUMNS", error.code());
        assertTrue(error.getMessage().contains("['age', 'visits']"), error.getMessage());
        assertEquals("rename 'Age' to 'age'", error.hint().orElseThrow());
        InputException json = assertThrows(InputException.class, () -> small().scoreJson(
                        "{\"columns\": [\"age\", \"city\", \"Visits\"], \"data\": [[1, \"Rome\", 1]]}"));
        assertEquals("rename 'Visits' to 'visits'", json.hint().orElseThrow());
    }

    @Test
    @DisplayName("jvm.frame.to_leapframe_missing_field: a table without an input is refused; extra columns are dropped")
    void tables() {
        Scorer scorer = Scorer.open(Packages.small(root));
        Table extra = new Table(List.of("x", "visits", "city", "age"), List.of(Arrays.asList(null, 4, "Oslo", 90.0)));
        assertEquals(List.of(List.of(1.0)), scorer.scoreTable(extra).orThrow().rows());
        Table lacking = new Table(List.of("age", "city"), List.of());
        assertEquals(
                "MISSING_COLUMNS",
                assertThrows(InputException.class, () -> scorer.scoreTable(lacking))
                        .code());
    }

    @Test
    @DisplayName("jvm.predict.ok: split JSON gives a JSON list of the prediction column")
    void splitJson() {
        String body =
                "{\"columns\": [\"age\", \"city\", \"visits\"], \"data\": [[90, \"Rome\", 4], [10.5, \"Oslo\", 0]]}";
        Packages.small(root);
        Scorer named = Scorer.open(root);
        Packages.mlmodel(root, "");
        Scorer scorer = Scorer.open(root);
        assertEquals("[1.0,0.0]", scorer.scoreJson(body.replace("4", "4.0")));
        assertEquals("[1.0,0.0]", named.withOutputs(List.of("prediction")).scoreJson(body));
        // Where the signature names the outputs a row is a record, as the Python server answers.
        assertEquals("[{\"prediction\":1.0},{\"prediction\":0.0}]", named.scoreJson(body));
    }

    @Test
    void allThatIsWrongWithABodyIsToldAtOnce() {
        Scorer scorer = Scorer.open(Packages.small(root));
        Body body = Body.json("[{\"age\": \"old\", \"visits\": 1.5}, {\"age\": 1, \"visits\": null}]");
        InputException error = assertThrows(InputException.class, () -> scorer.scoreBody(body));
        assertEquals(
                """
                [INVALID_INPUT] 4 problems with the input.
                [MISSING_COLUMNS] Model is missing inputs ['city'].
                Where: the body, which has ['age', 'visits'].
                [JSON_VALUE] A value that is text is no double.
                Where: $[0].age.
                [JSON_VALUE] A value that is a number is no integer.
                Where: $[0].visits.
                [NULLS_IN_COLUMN] Column 'visits' of type integer has missing values.
                Where: inputs of the signature.
                Hint: mark it "required": false, or fill the missing values.""",
                error.getMessage());
    }

    @Test
    void columnsWithoutNamesAreBoundByPosition() {
        Packages.small(root);
        Packages.mlmodel(
                root,
                "signature: {inputs: '[{\"type\": \"double\"}, {\"type\": \"string\"}, {\"type\": \"integer\"}]',"
                        + " outputs: '[{\"type\": \"double\"}]'}\n");
        Scorer scorer = Scorer.open(root);
        assertEquals("[1.0]", scorer.scoreJson("{\"data\": [[90, \"Rome\", 4]]}"));
        assertEquals("[]", scorer.scoreJson("{\"data\": []}"));
        InputException error =
                assertThrows(InputException.class, () -> scorer.scoreJson("{\"data\": [[90, \"Rome\"]]}"));
        assertEquals("COLUMN_COUNT", error.code());
    }

    @Test
    void badRowsAreSetAside() {
        Scorer scorer = Scorer.open(Packages.small(root));
        Table table = new Table(
                List.of("age", "city", "visits"),
                List.of(
                        List.of(90.0, "Rome", 4),
                        List.of(90.0, "Atlantis", 4),
                        Arrays.asList(90.0, "Rome", null),
                        List.of("old", "Rome", 4),
                        List.of(90.0, "Rome", 4.5),
                        List.of(90.0, "Rome", 4)));
        Scored scored = scorer.scoreTable(table);
        assertEquals(
                List.of(1L, 2L, 3L, 4L),
                scored.errors().stream().map(error -> error.row().orElseThrow()).toList());
        assertEquals(
                List.of("INVALID_INPUT", "NULLS_IN_COLUMN", "COLUMN_TYPE", "COLUMN_TYPE"),
                scored.errors().stream().map(RowException::code).toList());
        assertEquals(6, scored.table().rows().size());
        assertEquals(List.of(1.0), scored.table().rows().get(5));
        assertEquals(
                java.util.Collections.singletonList((Object) null),
                scored.table().rows().get(1));
        assertFalse(
                scored.errors().get(0).getMessage().contains("Atlantis"), "no values of a row in the text of an error");
        assertEquals("the field 'visits' of row 2", scored.errors().get(1).place());
    }

    @Test
    void nullInAPrimitive() {
        // Without an imputer MLeap would take a null number for nothing at all or for 0.
        Scorer scorer = Scorer.open(Packages.logistic(root, ""));
        RowException error =
                assertThrows(RowException.class, () -> scorer.scoreRow(new Object[] {"Rome", "free", null, 1.0}));
        assertEquals("age", error.field().orElseThrow());
        assertEquals("NULLS_IN_COLUMN", error.code());
        assertThrows(
                RowException.class,
                () -> scorer.scoreRow(new Object[] {null, "free", 1.0, 1.0}),
                "handleInvalid=error refuses a null text");
    }

    @Test
    void integersPastAFloatsPrecision() {
        Scorer scorer = Scorer.open(Packages.logistic(root, ""));
        assertThrows(RowException.class, () -> scorer.scoreRow(new Object[] {"Rome", "free", (1L << 53) + 1, 1.0}));
        scorer.scoreRow(new Object[] {"Rome", "free", 1L << 53, 1.0});
    }

    @Test
    void forests() {
        Scorer scorer = Scorer.open(Packages.forest(root, 20)).withOutputs(List.of("probability", "prediction"));
        double left = 0;
        double[] features = {0.35, 1.0, -2.0, 0.95};
        for (int at = 0; at < 20; at++) {
            left += features[at % 4] <= at / 10.0 ? 0.8 : 0.1;
        }
        Object[] scored = scorer.scoreRow(new Object[] {features});
        assertArrayEquals(new double[] {left / 20, 1 - left / 20}, (double[]) scored[0], 1e-12);
        assertArrayEquals(
                (double[]) scored[0], (double[]) scorer.scoreRow(new Object[] {List.of(0.35, 1, -2.0, 0.95)})[0]);
        Map<String, Object> sparse =
                Map.of("size", 4, "indices", List.of(0, 1, 2, 3), "values", List.of(0.35, 1, -2, 0.95));
        assertArrayEquals((double[]) scored[0], (double[]) scorer.scoreRow(new Object[] {sparse})[0]);
        assertEquals(
                "COLUMN_TYPE",
                assertThrows(RowException.class, () -> scorer.scoreRow(new Object[] {List.of("a", 1, 2, 3)}))
                        .code());
    }

    @Test
    void vectorsOfAnotherLength() {
        Scorer scorer = Scorer.open(Packages.forest(root, 20));
        RowException error =
                assertThrows(RowException.class, () -> scorer.scoreRow(new Object[] {new double[] {1, 2, 3}}));
        assertEquals("TENSOR_SHAPE", error.code());
    }

    @Test
    void skippedRows() {
        Packages.mlmodel(root, "");
        new Bundle(root.resolve("mleap/model"))
                .indexer("city", "cityIndex", "skip", "Rome")
                .write();
        Scorer scorer = Scorer.open(root);
        assertEquals(0.0, scorer.scoreRow(new Object[] {"Rome"})[0]);
        RowException error = assertThrows(RowException.class, () -> scorer.scoreRow(new Object[] {"Oslo"}));
        assertEquals("INVALID_INPUT", error.code());
    }

    @Test
    void rowsOfAnotherLength() {
        assertEquals(
                "COLUMN_COUNT",
                assertThrows(InputException.class, () -> small().scoreRow(new Object[] {1.0}))
                        .code());
    }

    @Test
    void unknownOutputs() {
        assertEquals(
                "MISSING_COLUMNS",
                assertThrows(InputException.class, () -> small().withOutputs(List.of("probabilty")))
                        .code());
    }

    @Test
    void eightThreadsAtOnce() throws Exception {
        Scorer scorer = small();
        ExecutorService pool = Executors.newFixedThreadPool(8);
        List<Callable<Boolean>> tasks = new ArrayList<>();
        for (int thread = 0; thread < 8; thread++) {
            int visits = thread;
            tasks.add(() -> {
                for (int at = 0; at < 2000; at++) {
                    double[] scored = (double[])
                            scorer.scoreRow(new Object[] {(double) at, at % 2 == 0 ? "Rome" : "Oslo", visits})[0];
                    if (Math.abs(scored[1] - Packages.probability(at, at % 2, visits)) > 1e-12) {
                        return false;
                    }
                }
                return true;
            });
        }
        for (Future<Boolean> result : pool.invokeAll(tasks)) {
            assertTrue(result.get());
        }
        pool.shutdown();
    }
}
