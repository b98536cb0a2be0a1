package sparkmodels.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import sparkmodels.errors.ModelException;
import sparkmodels.fixtures.Bundle;
import sparkmodels.fixtures.Packages;
import sparkmodels.packages.ModelPackage;
import sparkmodels.packages.Table;
import sparkmodels.scoring.Scorer;

final class GoldenCasesTest {
    private static final Table INPUTS = new Table(
            List.of("age", "city", "visits"),
            List.of(List.of(90.0, "Rome", 4), Arrays.asList(null, "Oslo", 0), List.of(10.0, "Atlantis", 1)));

    @TempDir
    Path root;

    @Test
    void agreement() {
        double one = Packages.probability(90, 0, 4);
        double two = Packages.probability(40, 1, 0);
        Table expected = new Table(
                List.of("prediction", "probability"),
                List.of(List.of(1.0, List.of(1 - one, one)), List.of(two > 0.5 ? 1.0 : 0.0, List.of(1 - two, two))));
        GoldenCases cases =
                new GoldenCases(new Table(INPUTS.columns(), INPUTS.rows().subList(0, 2)), expected);
        assertEquals(List.of(), cases.conflicts(Scorer.open(Packages.small(root)), 1e-9));
    }

    @Test
    void conflictsRowByRow() {
        Table expected = new Table(List.of(), List.of(List.of(1.0), List.of(0.0), List.of(0.0)));
        List<Conflict> conflicts = new GoldenCases(INPUTS, expected).conflicts(Scorer.open(Packages.small(root)), 1e-9);
        assertEquals(
                List.of(
                        "row 1, prediction: expected 0.0, actual 1.0",
                        "row 2, prediction: expected 0.0, actual \"[INVALID_INPUT]\""),
                conflicts.stream().map(Conflict::toString).toList());
    }

    @Test
    void aPerturbedCoefficientIsSeen() throws Exception {
        Table rows = new Table(INPUTS.columns(), INPUTS.rows().subList(0, 1));
        double one = Packages.probability(90, 0, 4);
        GoldenCases cases =
                new GoldenCases(rows, new Table(List.of("probability"), List.of(List.of(List.of(1 - one, one)))));
        assertEquals(0, cases.conflicts(Scorer.open(Packages.small(root)), 1e-9).size());
        Path file = root.resolve("mleap/model/root/model.node/model.json");
        Files.writeString(file, Files.readString(file).replace("0.05", "0.0500001"));
        assertEquals(1, cases.conflicts(Scorer.open(root), 1e-9).size());
    }

    @Test
    void floatsAgreeAsFarAsFloatsDo() {
        Packages.mlmodel(root, "");
        String factors = "{\"type\": \"list\", \"tensor\": [{\"float\": [%s],"
                + " \"shape\": {\"dimensions\": [{\"size\": 1, \"name\": \"\"}]}}]}";
        new Bundle(root.resolve("mleap/model"))
                .stage(
                        "als",
                        "rated",
                        Bundle.ports("user", "user") + ", " + Bundle.ports("item", "item"),
                        Bundle.ports("prediction", "prediction"),
                        ("\"rank\": {\"int\": 1}, \"users\": {\"type\": \"list\", \"int\": [1]}, \"items\":"
                                        + " {\"type\": \"list\", \"int\": [2]}, \"user_factors\": "
                                        + factors.formatted("10.1")
                                        + ", \"item_factors\": "
                                        + factors.formatted("3.3")))
                .write();
        Table inputs = new Table(List.of("user", "item"), List.of(List.of(1, 2), List.of(1, 3)));
        Scorer scorer = Scorer.open(root);
        Table near = new Table(List.of(), List.of(List.of(10.1 * 3.3), Arrays.asList((Object) null)));
        assertEquals(List.of(), new GoldenCases(inputs, near).conflicts(scorer, 1e-9));
        Table far = new Table(List.of(), List.of(List.of(10.1 * 3.3 + 1e-4), Arrays.asList((Object) null)));
        assertEquals(1, new GoldenCases(inputs, far).conflicts(scorer, 1e-9).size());
    }

    @Test
    void filesOfCases() {
        Bundle.write(
                root.resolve("cases.json"),
                "{\"inputs\": {\"columns\": [\"age\"], \"data\": [[1.5]]}, \"expected\": {\"columns\": [\"p\"],"
                        + " \"data\": [[null]]}}");
        assertEquals(
                "GoldenCases[inputs=Table[columns=[age], rows=[[1.5]]], expected=Table[columns=[p], rows=[[null]]]]",
                GoldenCases.read(root.resolve("cases.json")).toString());
        Bundle.write(root.resolve("cases.json"), "[]");
        assertThrows(ModelException.class, () -> GoldenCases.read(root.resolve("cases.json")));
    }

    @Test
    void nothingStored() {
        ModelException error =
                assertThrows(ModelException.class, () -> GoldenCases.of(ModelPackage.open(Packages.small(root))));
        assertEquals("NOTHING_TO_REPLAY", error.code());
    }
}
