package sparkmodels.mleap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import sparkmodels.errors.InputException;
import sparkmodels.errors.ModelException;
import sparkmodels.fixtures.Bundle;
import sparkmodels.fixtures.Packages;
import sparkmodels.packages.Json;
import sparkmodels.scoring.Scorer;

final class BadBundleTest {
    @TempDir
    Path root;

    @Test
    void truncatedBundleJson() throws IOException {
        Path file = Packages.small(root).resolve("mleap/model/bundle.json");
        Files.writeString(file, Files.readString(file).substring(0, 40));
        assertError("INVALID_BUNDLE", file);
    }

    @Test
    void otherFormat() throws IOException {
        Path file = changed("mleap/model/bundle.json", "\"json\"", "\"protobuf\"");
        assertError("INVALID_BUNDLE", file);
    }

    @Test
    void unknownOp() throws IOException {
        Path file = changed("mleap/model/root/features.node/model.json", "vector_assembler", "vector_dissembler");
        assertTrue(assertError("UNKNOWN_OP", file).getMessage().contains("'vector_dissembler'"));
    }

    @Test
    void missingNode() throws IOException {
        Path file = Packages.small(root).resolve("mleap/model/root/features.node/model.json");
        Files.delete(file);
        assertError("INVALID_BUNDLE", file);
    }

    @Test
    void nodesThatLeadOut() throws IOException {
        Path file = changed("mleap/model/root/model.json", "\"features\"", "\"../../features\"");
        assertError("INVALID_BUNDLE", file);
    }

    @Test
    void missingAttribute() throws IOException {
        changed("mleap/model/root/model.node/model.json", "\"coefficients\"", "\"coefs\"");
        assertError("INVALID_BUNDLE", root.resolve("mleap/model"));
    }

    @Test
    void links() throws IOException {
        Path link = Packages.small(root).resolve("mleap/model/root/link");
        Files.createSymbolicLink(link, Path.of("/etc"));
        assertError("INVALID_PACKAGE", link);
    }

    @Test
    void noBundle() {
        Packages.mlmodel(root, "");
        assertError("INVALID_PACKAGE", root.resolve("mleap/model"));
    }

    @Test
    void signatureThatLacksAnInput() {
        Packages.small(root);
        Packages.mlmodel(root, "signature: {inputs: '[{\"name\": \"age\", \"type\": \"double\"}]'}\n");
        assertTrue(assertError("INVALID_PACKAGE", root.resolve("mleap/model"))
                .getMessage()
                .contains("['city', 'visits']"));
    }

    @Test
    void zippedBundle() throws IOException {
        Path bundle = Packages.small(root).resolve("mleap/model");
        Path zipped = root.resolve("mleap/zipped");
        try (OutputStream stream = Files.newOutputStream(zipped);
                ZipOutputStream zip = new ZipOutputStream(stream);
                Stream<Path> files = Files.walk(bundle)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                zip.putNextEntry(new ZipEntry(bundle.relativize(file).toString()));
                zip.write(Files.readAllBytes(file));
            }
        }
        Bundle.write(
                root.resolve("MLmodel"),
                Files.readString(root.resolve("MLmodel")).replace("mleap/model", "mleap/zipped"));
        assertEquals(
                Map.of("prediction", 1.0), Scorer.open(root).score(Map.of("age", 90.0, "city", "Rome", "visits", 4)));
    }

    @Test
    void zipThatLeadsOut() throws IOException {
        Packages.mlmodel(root, "");
        Files.createDirectories(root.resolve("mleap"));
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(root.resolve("mleap/model")))) {
            zip.putNextEntry(new ZipEntry("../../../evil"));
        }
        assertError("UNSAFE_ARCHIVE", root.resolve("mleap/model"));
    }

    @Test
    void zipThatUnpacksToTooMuch() throws IOException {
        Packages.mlmodel(root, "");
        Files.createDirectories(root.resolve("mleap"));
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(root.resolve("mleap/model")))) {
            zip.putNextEntry(new ZipEntry("bundle.json"));
            for (int at = 0; at < 100; at++) {
                zip.write(new byte[1 << 20]);
            }
        }
        assertTrue(assertError("UNSAFE_ARCHIVE", root.resolve("mleap/model"))
                .getMessage()
                .contains("'bundle.json' unpacks to more than 200 times its size"));
    }

    @Test
    void everyFileCutOffAnywhere() throws IOException {
        Packages.forest(root, 2);
        Object expected = answer();
        for (Path file : files()) {
            String whole = Files.readString(file);
            for (int length = 0; length < whole.strip().length(); length += 1 + whole.length() / 20) {
                Files.writeString(file, whole.substring(0, length));
                refusedOrSame(expected, file + " cut off after " + length);
            }
            Files.writeString(file, whole);
        }
        assertEquals(expected, answer());
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "\"text\"", "[]", "{}", "true", "REMOVED", "EXTRA"})
    void everyValueOfAnotherType(String other) throws IOException {
        Packages.small(root);
        everyValue(other);
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "\"text\"", "[]", "{}", "true", "REMOVED", "EXTRA"})
    void everyValueOfATree(String other) throws IOException {
        Packages.forest(root, 2);
        everyValue(other);
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "\"text\"", "[]", "{}", "true", "REMOVED", "EXTRA"})
    void everyValueOfAModelInside(String other) throws IOException {
        Packages.oneVsRest(root);
        everyValue(other);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"intercept\": {}",
                "\"intercept\": null",
                "\"intercept\": {\"double\": null}",
                "\"intercept\": {\"type\": \"double\"}"
            })
    void aModelInsideWithoutItsNumber(String attribute) throws IOException {
        Path file = Packages.oneVsRest(root).resolve("mleap/model/root/model.node/model1/model.json");
        Files.writeString(file, Files.readString(file).replace("\"intercept\": {\"double\": -0.5}", attribute));
        assertTrue(Files.readString(file).contains(attribute));
        assertError("INVALID_BUNDLE", file);
    }

    @Test
    void anUnknownOpOfAModelInside() throws IOException {
        Path file = Packages.oneVsRest(root).resolve("mleap/model/root/model.node/model2/model.json");
        Files.writeString(file, Files.readString(file).replace("logistic_regression", "logistic_progression"));
        assertError("UNKNOWN_OP", file);
    }

    @Test
    void aTreeInsideAModelInside() throws IOException {
        Packages.forest(root, 2);
        Path node = root.resolve("mleap/model/root/model.node");
        Path inner = Files.createDirectory(node.resolve("model0"));
        Files.move(node.resolve("tree0"), inner.resolve("tree0"));
        Files.copy(node.resolve("model.json"), inner.resolve("model.json"));
        Path tree = inner.resolve("tree0/tree.json");
        Files.writeString(tree, Files.readString(tree).replace("8.0", "null"));
        assertError("INVALID_BUNDLE", tree);
    }

    @Test
    void classesWithoutAModel() throws IOException {
        Path file = Packages.oneVsRest(root).resolve("mleap/model/root/model.node/model.json");
        Files.writeString(file, Files.readString(file).replace("{\"long\": 3}", "{\"long\": 2}"));
        assertTrue(assertError("INVALID_BUNDLE", file).getMessage().contains("2 classes and 3 models"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "{\"double\": null}", "{}"})
    void nothingToImpute(String value) throws IOException {
        String file = "mleap/model/root/ageFilled.node/model.json";
        String stated = "\"surrogate_value\": ";
        assertError("INVALID_BUNDLE", changed(file, stated + "{\"double\": 40.0}", stated + value));
    }

    @Test
    void nullsThatAreMeant() throws IOException {
        changed("mleap/model/root/ageFilled.node/model.json", "-999.0", "null");
        assertEquals(
                Map.of("prediction", 1.0), Scorer.open(root).score(Map.of("age", 90.0, "city", "Rome", "visits", 4)));
        Packages.mlmodel(root, "");
        new Bundle(root.resolve("mleap/model")).bucketizer("age", "bucket", null, 1.0, null).write();
        assertEquals(Map.of("bucket", 1.0), Scorer.open(root).score(Map.of("age", 90.0)));
        new Bundle(root.resolve("mleap/model")).bucketizer("age", "bucket", 0.0, null, 9.0).write();
        assertError("INVALID_BUNDLE", root.resolve("mleap/model/root/bucket.node/model.json"));
    }

    private void everyValue(String other) throws IOException {
        Object expected = answer();
        for (Path file : files()) {
            List<String> lines = Files.readAllLines(file);
            boolean byLine = file.endsWith("tree.json");
            String whole = Files.readString(file);
            List<String> texts = byLine ? lines : List.of(whole);
            for (int line = 0; line < texts.size(); line++) {
                int count = Mutation.count(texts.get(line));
                for (int at = 0; at < count; at++) {
                    String changed = Mutation.of(texts.get(line), at, other);
                    List<String> all = new ArrayList<>(texts);
                    all.set(line, changed);
                    Files.writeString(file, String.join("\n", all));
                    refusedOrSame(expected, changed);
                }
            }
            Files.writeString(file, whole);
        }
        assertEquals(expected, answer());
    }

    /** A broken bundle is refused with its path, or what was changed in it does not matter; nothing is scored wrong. */
    private void refusedOrSame(Object expected, String change) {
        try {
            assertEquals(expected, answer(), change);
        } catch (InputException error) {
            // As well: a label or a column of another name, which the row shows.
            assertTrue(error.code().matches("INVALID_INPUT|MISSING_COLUMNS|TENSOR_SHAPE"), change + error);
        } catch (ModelException error) {
            assertTrue(List.of("INVALID_BUNDLE", "UNKNOWN_OP", "INVALID_PACKAGE").contains(error.code()), change + error);
            assertTrue(error.place().startsWith(root.resolve("mleap/model").toString()), change + error);
        }
    }

    /** What comes out for one row, as text. */
    private Object answer() {
        try (Scorer scorer = Scorer.open(root)) {
            Scorer all = scorer.withOutputs(List.of("probability", "prediction"));
            Object[] row = scorer.inputs().size() == 1
                    ? new Object[] {new double[] {0.05, 0.15, 0.25, 0.35}}
                    : new Object[] {40.0, "Oslo", 4};
            return Json.write(Arrays.asList(all.scoreRow(row)));
        }
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> files = Files.walk(root.resolve("mleap/model"))) {
            return files.filter(Files::isRegularFile).sorted().toList();
        }
    }

    /** A file of a whole package, after a text in it was replaced. */
    private Path changed(String file, String text, String other) throws IOException {
        Path path = Packages.small(root).resolve(file);
        Files.writeString(path, Files.readString(path).replace(text, other));
        return path;
    }

    private ModelException assertError(String code, Path place) {
        ModelException error = assertThrows(ModelException.class, () -> Scorer.open(root));
        assertEquals(code, error.code(), error.getMessage());
        assertEquals(place.toString(), error.place());
        return error;
    }
}
