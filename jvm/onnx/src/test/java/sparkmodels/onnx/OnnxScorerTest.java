package sparkmodels.onnx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import sparkmodels.errors.InputException;
import sparkmodels.errors.ModelException;
import sparkmodels.errors.RowException;
import sparkmodels.scoring.Scorer;

final class OnnxScorerTest {
    private static final String SIGNATURE =
            "signature: {inputs: '[{\"name\": \"a\", \"type\": \"double\"}, {\"name\": \"b\", \"type\":"
                    + " \"integer\"}]'}\n";

    @TempDir
    Path root;

    private Scorer scorer(String signature) throws Exception {
        Files.writeString(
                root.resolve("MLmodel"), "flavors:\n  onnx: {onnx_version: 1.17.0, data: model.onnx}\n" + signature);
        OnnxFile.linear(root.resolve("model.onnx"), 0.5f, 2.0f, -1.0f);
        return Scorer.open(root);
    }

    @Test
    void columnsGoToTheOnlyInput() throws Exception {
        try (Scorer scorer = scorer(SIGNATURE)) {
            assertEquals(Map.of("y", 4.5), scorer.score(Map.of("b", 2, "a", 3.0)));
            assertEquals("[4.5,0.5]", scorer.scoreJson("{\"columns\": [\"b\", \"a\"], \"data\": [[2, 3], [0, 0]]}"));
        }
    }

    @Test
    void withoutSignatureAListIsTaken() throws Exception {
        try (Scorer scorer = scorer("")) {
            assertEquals("x", scorer.inputs().get(0).name());
            assertEquals(4.5, scorer.scoreRow(new Object[] {List.of(3, 2)})[0]);
            assertEquals(4.5, scorer.scoreRow(new Object[] {new double[] {3, 2}})[0]);
            assertEquals(
                    "TENSOR_SHAPE",
                    assertThrows(RowException.class, () -> scorer.scoreRow(new Object[] {List.of(3)}))
                            .code());
        }
    }

    @Test
    void badRows() throws Exception {
        try (Scorer scorer = scorer(SIGNATURE)) {
            assertEquals(
                    "COLUMN_TYPE",
                    assertThrows(RowException.class, () -> scorer.score(Map.of("a", "x", "b", 1)))
                            .code());
            assertEquals(
                    "COLUMN_TYPE",
                    assertThrows(RowException.class, () -> scorer.score(Map.of("a", 1.0, "b", 1.5)))
                            .code());
            assertEquals(
                    "NULLS_IN_COLUMN",
                    assertThrows(RowException.class, () -> scorer.scoreRow(new Object[] {1.0, null}))
                            .code());
            assertEquals(
                    "MISSING_COLUMNS",
                    assertThrows(InputException.class, () -> scorer.score(Map.of("a", 1.0)))
                            .code());
        }
    }

    @Test
    void mapsOfLabels() throws Exception {
        scorer(SIGNATURE).close();
        OnnxFile.zipMap(root.resolve("model.onnx"), 3, 7);
        try (Scorer scorer = Scorer.open(root)) {
            assertEquals(Map.of("scores", Map.of(3L, 2.0, 7L, -4.0)), scorer.score(Map.of("a", 1.5, "b", 4)));
            assertEquals(
                    "[{\"3\":2.0,\"7\":-4.0},{\"3\":0.5,\"7\":0.0}]",
                    scorer.scoreJson("{\"columns\": [\"a\", \"b\"], \"data\": [[1.5, 4], [0, 0]]}"));
        }
    }

    @Test
    void numbersThatAFloatDoesNotHold() throws Exception {
        try (Scorer scorer = scorer("")) {
            assertEquals(
                    "COLUMN_TYPE",
                    assertThrows(RowException.class, () -> scorer.scoreRow(new Object[] {List.of(1e300, 2)}))
                            .code());
            assertEquals(
                    Double.POSITIVE_INFINITY,
                    scorer.scoreRow(new Object[] {List.of(Double.POSITIVE_INFINITY, 2)})[0]);
        }
    }

    @Test
    void brokenModels() throws Exception {
        scorer(SIGNATURE).close();
        Files.writeString(root.resolve("model.onnx"), "no model");
        ModelException error = assertThrows(ModelException.class, () -> Scorer.open(root));
        assertEquals("INVALID_MODEL", error.code());
        assertEquals(root.resolve("model.onnx").toString(), error.place());
    }
}
