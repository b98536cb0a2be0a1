package sparkmodels.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import sparkmodels.fixtures.Bundle;
import sparkmodels.fixtures.Packages;
import sparkmodels.packages.ModelPackage;

final class MainTest {
    @TempDir
    Path root;

    private final PrintStream console = System.out;
    private final PrintStream errors = System.err;
    private final ByteArrayOutputStream printed = new ByteArrayOutputStream();
    private Path model;

    @BeforeEach
    void capture() {
        model = Packages.small(root.resolve("model"));
        PrintStream stream = new PrintStream(printed, true, StandardCharsets.UTF_8);
        System.setOut(stream);
        System.setErr(stream);
    }

    @AfterEach
    void release() {
        System.setOut(console);
        System.setErr(errors);
    }

    @Test
    void predict() {
        Path input = root.resolve("rows.csv");
        Bundle.write(input, "age,city,visits\n90,Rome,4\n,Oslo,0\n");
        assertEquals(0, Main.run("predict", "-m", model.toString(), "-i", input.toString(), "-t", "csv"));
        assertEquals("[{\"prediction\":1.0},{\"prediction\":1.0}]\n", text());
    }

    @Test
    void chosenOutputs() throws Exception {
        Path input = root.resolve("rows.json");
        Path output = root.resolve("answer.json");
        Bundle.write(input, "[{\"age\": 90, \"city\": \"Rome\", \"visits\": 4}]");
        assertEquals(
                0,
                Main.run(
                        "predict",
                        "-m",
                        model.toString(),
                        "-i",
                        input.toString(),
                        "-o",
                        output.toString(),
                        "--outputs",
                        "prediction,cityIndex"));
        assertEquals("[{\"prediction\":1.0,\"cityIndex\":0.0}]", Files.readString(output));
    }

    @Test
    void verify() {
        example("[[1.0], [1.0]]");
        assertEquals(0, Main.run("verify", model.toString()));
        assertEquals("2 rows scored in the JVM: no conflict\n", text());
    }

    @Test
    void verifyCanFail() {
        example("[[1.0], [0.0]]");
        assertEquals(1, Main.run("verify", model.toString()));
        assertTrue(text().contains("row 1, prediction: expected 0.0, actual 1.0"), text());
        printed.reset();
        assertEquals(1, Main.run("verify", "--json", model.toString()));
        assertEquals(
                "{\"rows\":2,\"conflicts\":[{\"row\":1,\"column\":\"prediction\",\"expected\":0.0,\"actual\":1.0}]}\n",
                text());
    }

    @Test
    void inspect() {
        assertEquals(0, Main.run("inspect", model.toString()));
        assertTrue(text().contains("inputs     age: double?, city: string?, visits: integer\n"), text());
    }

    @Test
    void pinnedPackages() {
        example("[[1.0], [1.0]]");
        Path input = root.resolve("rows.csv");
        Bundle.write(input, "age,city,visits\n90,Rome,4\n");
        String hash = ModelPackage.open(model).contentHash();
        List<List<String>> commands = List.of(
                List.of("inspect", model.toString()),
                List.of("verify", model.toString()),
                List.of("predict", "-m", model.toString(), "-t", "csv", "-i", input.toString()),
                List.of("serve", "-p", "0", "-m", model.toString()));
        for (List<String> command : commands) {
            for (String given : List.of(hash, "sha256:" + hash.toUpperCase(Locale.ROOT), "0".repeat(64))) {
                boolean right = given.toLowerCase(Locale.ROOT).endsWith(hash);
                if (right && command.get(0).equals("serve")) {
                    continue;
                }
                printed.reset();
                List<String> arguments = new ArrayList<>(command);
                arguments.addAll(List.of("--expected-hash", given));
                assertEquals(right ? 0 : 1, Main.run(arguments.toArray(String[]::new)), text());
                assertEquals(!right, text().startsWith("[HASH_MISMATCH] The content hash is " + hash), text());
            }
        }
    }

    @Test
    void wrongCallsOfServe() {
        for (List<String> wrong : List.of(
                List.of("--tls-cert", "x"),
                List.of("--max-body", "much"),
                List.of("--timeout", "0"),
                List.of("--queue", "-1"))) {
            List<String> arguments = new ArrayList<>(List.of("serve", "-m", model.toString()));
            arguments.addAll(wrong);
            assertEquals(2, Main.run(arguments.toArray(String[]::new)), text());
        }
        assertTrue(text().contains("TLS needs two files"), text());
        assertEquals(0, Main.run("serve", "--help"));
    }

    @Test
    void errors() {
        assertEquals(1, Main.run("inspect", root.resolve("nowhere").toString()));
        assertTrue(text().startsWith("[NOT_A_MODEL] There is no MLmodel file."), text());
        assertEquals(2, Main.run("predict"));
        assertEquals(2, Main.run());
    }

    private void example(String predictions) {
        Packages.mlmodel(
                model,
                Packages.SIGNATURE
                        + """
                saved_input_example_info: {artifact_path: input_example.json, type: dataframe, pandas_orient: split}
                example_predictions: {artifact_path: example_predictions.json}
                """);
        Bundle.write(
                model.resolve("input_example.json"),
                "{\"columns\": [\"age\", \"city\", \"visits\"], \"data\": [[90.0, \"Rome\", 4], [null, \"Oslo\", 0]]}");
        Bundle.write(
                model.resolve("example_predictions.json"),
                "{\"kind\": \"dataframe\", \"columns\": [\"prediction\"], \"data\": " + predictions
                        + ", \"dtypes\": [\"float64\"]}");
    }

    private String text() {
        return printed.toString(StandardCharsets.UTF_8);
    }
}
