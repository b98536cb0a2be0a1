package sparkmodels.packages;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import sparkmodels.errors.ModelException;
import sparkmodels.fixtures.Bundle;
import sparkmodels.fixtures.Packages;
import sparkmodels.scoring.Scorer;

final class ModelPackageTest {
    @TempDir
    Path root;

    @Test
    @DisplayName("jvm.loader.bad_path: a path without MLmodel is no model, and the error names the path")
    void badPath() {
        ModelException error = assertThrows(ModelException.class, () -> ModelPackage.open(root.resolve("nowhere")));
        assertEquals("NOT_A_MODEL", error.code());
        assertEquals(root.resolve("nowhere").toString(), error.place());
        assertEquals(
                "[NOT_A_MODEL] There is no MLmodel file.\nWhere: %s.\nHint: name the directory that holds it."
                        .formatted(root.resolve("nowhere")),
                error.getMessage());
    }

    @Test
    @DisplayName(
            "jvm.model.from_root_and_config: the directory and the file are one package; flavor and time are Optional")
    void rootAndFile() {
        Packages.small(root);
        ModelPackage byRoot = ModelPackage.open(root);
        ModelPackage byFile = ModelPackage.openFile(root.resolve("MLmodel"));
        assertEquals(byRoot.flavors(), byFile.flavors());
        assertEquals(
                Optional.of("mleap/model"), byRoot.flavor("mleap").map(attributes -> attributes.get("model_data")));
        assertEquals(Optional.empty(), byRoot.flavor("sklearn"));
        assertEquals(Optional.of(LocalDateTime.of(2026, 1, 31, 12, 0, 0, 123_456_000)), byRoot.timeCreated());
        assertEquals(
                "FLAVOR_NOT_FOUND",
                assertThrows(ModelException.class, () -> byRoot.requireFlavor("onnx"))
                        .code());
    }

    @Test
    @DisplayName("mlp.mlmodel_entry: the flavor has mleap_version and model_data mleap/model")
    void entry() {
        Packages.small(root);
        assertEquals(
                "{mleap={mleap_version=0.20.0, model_data=mleap/model}}",
                ModelPackage.open(root).flavors().toString());
    }

    @Test
    void timeOfMlflow() {
        Bundle.write(root.resolve("MLmodel"), "flavors: {}\nutc_time_created: '2026-01-31 12:00:00.5'\n");
        assertEquals(
                Optional.of(LocalDateTime.of(2026, 1, 31, 12, 0, 0, 500_000_000)),
                ModelPackage.open(root).timeCreated());
    }

    @Test
    void bothFormsOfASignature() {
        Bundle.write(
                root.resolve("MLmodel"),
                """
                flavors: {}
                signature:
                  inputs: '[{"name": "x", "type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 28]}}]'
                  outputs: '[{"name": "y", "dtype": "float64", "shape": [-1]}]'
                """);
        Signature signature = ModelPackage.open(root).signature().orElseThrow();
        assertEquals(List.of(new TensorSpec(Optional.of("x"), "float32", List.of(-1L, 28L))), signature.inputs());
        assertEquals(List.of(new TensorSpec(Optional.of("y"), "float64", List.of(-1L))), signature.outputs());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "[{\"type\": \"decimal\"}]",
                "[{\"name\": 1, \"type\": \"long\"}]",
                "[{\"name\": \"a\", \"type\": \"long\"}, {\"type\": \"long\"}]",
                "[{\"name\": \"a\", \"type\": \"long\"}, {\"name\": \"a\", \"type\": \"long\"}]",
                "{}",
                "[1]",
                "[{\"dtype\": \"int8\", \"shape\": [-2]}]"
            })
    void brokenSignatures(String inputs) {
        Bundle.write(root.resolve("MLmodel"), "flavors: {}\nsignature:\n  inputs: '" + inputs + "'\n");
        ModelException error =
                assertThrows(ModelException.class, () -> ModelPackage.open(root).signature());
        assertEquals("INVALID_SCHEMA", error.code());
        assertTrue(error.place().contains("MLmodel: signature.inputs"), error.place());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "- a\n- b\n",
                "flavors: [1]\n",
                "flavors: {a: 1}\n",
                "flavors: {}\nflavors: {}\n",
                "flavors: {a: !!javax.script.ScriptEngineManager {}}\n",
                "flavors: {a: &x {b: *x}}\n",
                "flavors: {\n"
            })
    void brokenDescriptions(String text) {
        Bundle.write(root.resolve("MLmodel"), text);
        assertEquals(
                "INVALID_MLMODEL",
                assertThrows(ModelException.class, () -> ModelPackage.open(root))
                        .code());
    }

    @Test
    void aliasesThatExplode() {
        StringBuilder text = new StringBuilder("flavors: {}\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for (int at = 1; at < 9; at++) {
            text.append("a%d: &a%d [%s]\n"
                    .formatted(at, at, String.join(", ", java.util.Collections.nCopies(10, "*a" + (at - 1)))));
        }
        Bundle.write(root.resolve("MLmodel"), text.toString());
        assertEquals(
                "INVALID_MLMODEL",
                assertThrows(ModelException.class, () -> ModelPackage.open(root))
                        .code());
    }

    @Test
    void tooDeep() {
        Bundle.write(root.resolve("MLmodel"), "flavors: {}\na: " + "[".repeat(200) + "]".repeat(200) + "\n");
        ModelException error = assertThrows(ModelException.class, () -> ModelPackage.open(root));
        assertTrue(error.getMessage().contains("more than 100 levels"), error.getMessage());
    }

    @Test
    void pathsThatLeadOut() throws Exception {
        Bundle.write(root.resolve("in/MLmodel"), "flavors: {}\ninput_example: ../secret.json\n");
        Files.writeString(root.resolve("secret.json"), "[]");
        ModelPackage model = ModelPackage.open(root.resolve("in"));
        assertEquals(
                "PATH_ESCAPES",
                assertThrows(ModelException.class, model::inputExample).code());
        Files.createSymbolicLink(root.resolve("in/link.json"), root.resolve("secret.json"));
        assertEquals(
                "PATH_ESCAPES",
                assertThrows(ModelException.class, () -> model.inside("link.json", "a test"))
                        .code());
        assertEquals(
                "PATH_ESCAPES",
                assertThrows(ModelException.class, () -> model.inside("/etc/passwd", "a test"))
                        .code());
    }

    @Test
    void exampleAndPredictions() {
        Bundle.write(
                root.resolve("MLmodel"),
                """
                flavors: {}
                saved_input_example_info: {artifact_path: input_example.json, type: dataframe, pandas_orient: split}
                example_predictions: {artifact_path: example_predictions.json}
                """);
        Bundle.write(root.resolve("input_example.json"), "{\"columns\": [\"a\"], \"data\": [[1], [null]]}");
        Bundle.write(
                root.resolve("example_predictions.json"),
                "{\"kind\": \"ndarray\", \"dtype\": \"float64\", \"shape\": [2], \"data\": [0.5, {\"float\":"
                        + " \"-Infinity\"}]}");
        ModelPackage model = ModelPackage.open(root);
        assertEquals(
                "Table[columns=[a], rows=[[1], [null]]]",
                model.inputExample().orElseThrow().toString());
        assertEquals(
                "Table[columns=[], rows=[[0.5], [-Infinity]]]",
                model.examplePredictions().orElseThrow().toString());
    }

    @Test
    void manifest() throws Exception {
        Packages.small(root);
        Packages.writeManifest(root);
        String hash = ModelPackage.open(root).verified().contentHash();
        assertEquals(hash, ModelPackage.open(root).verified("sha256:" + hash).contentHash());
        assertEquals(
                "HASH_MISMATCH",
                assertThrows(ModelException.class, () -> ModelPackage.open(root).verified("0".repeat(64)))
                        .code());
        Files.writeString(root.resolve("mleap/model/bundle.json"), " ", java.nio.file.StandardOpenOption.APPEND);
        Files.writeString(root.resolve("new.txt"), "");
        ModelException error =
                assertThrows(ModelException.class, () -> ModelPackage.open(root).verified());
        assertEquals("MANIFEST_MISMATCH", error.code());
        assertTrue(
                error.getMessage().contains("changed ['mleap/model/bundle.json'], added ['new.txt'], removed []"),
                error.getMessage());
    }

    @Test
    void theHashIsThatOfThePythonPackage() {
        Bundle.write(root.resolve("MLmodel"), "flavors: {}\n");
        Bundle.write(root.resolve("a/\uFB01le.txt"), "one\n");
        Bundle.write(root.resolve("a/\uD83D\uDE00.txt"), "two\n");
        Bundle.write(root.resolve("a/__pycache__/x.pyc"), "ignored");
        // python -c "from spark_models.package.manifest import content_hash; print(content_hash(root))"
        assertEquals(
                "4ecfc659c1bc4dc5abe53cfd317e1c430a3e979589815e17a61342362c98f379",
                ModelPackage.open(root).contentHash());
    }

    @Test
    void whatIsLoadedIsWhatWasVerified() throws Exception {
        ModelPackage model = ModelPackage.open(Packages.small(root)).verified();
        Path file = root.resolve("mleap/model/root/model.node/model.json");
        Files.writeString(file, Files.readString(file).replace("0.05", "0.06"));
        ModelException error = assertThrows(ModelException.class, () -> Scorer.load(model));
        assertEquals("MANIFEST_MISMATCH", error.code());
        assertEquals(file.toString(), error.place());
    }
}
