package sparkmodels.testkit;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import sparkmodels.errors.ModelException;
import sparkmodels.packages.Json;
import sparkmodels.packages.Limits;
import sparkmodels.packages.ModelPackage;
import sparkmodels.packages.Table;
import sparkmodels.scoring.Body;
import sparkmodels.scoring.Field;
import sparkmodels.scoring.Scored;
import sparkmodels.scoring.Scorer;

/**
 * Rows and what a model must give for them.
 *
 * <pre>{@code
 * GoldenCases cases = GoldenCases.of(ModelPackage.open(path));   // the stored example and its predictions
 * cases.conflicts(scorer, 1e-9).forEach(System.out::println);    // row by row; nothing where all is well
 * }</pre>
 *
 * @param inputs the rows
 * @param expected as many rows; one column, if it has no name, is the scorer's only output
 */
public record GoldenCases(Table inputs, Table expected) {
    /** A sum of floats in another order differs by more than one of doubles. */
    private static final double FLOATS = 1e-6;

    /** Checks that the two are of one length. */
    public GoldenCases {
        if (inputs.rows().size() != expected.rows().size()) {
            throw new ModelException(
                    "ROW_COUNT",
                    "There are %d rows and %d predictions"
                            .formatted(inputs.rows().size(), expected.rows().size()),
                    "the golden cases");
        }
    }

    /**
     * The stored example of a package, with the predictions on it.
     *
     * @throws ModelException [NOTHING_TO_REPLAY] it has none
     */
    public static GoldenCases of(ModelPackage model) {
        Table inputs = model.inputExample().orElseThrow(() -> nothing(model, "input example"));
        return new GoldenCases(
                inputs,
                model.examplePredictions().orElseThrow(() -> nothing(model, "predictions on an input example")));
    }

    /**
     * The cases of a JSON file: {@code {"inputs": {"columns", "data"}, "expected": {"columns", "data"}}}.
     *
     * @throws ModelException [INVALID_PACKAGE] it has another form
     */
    public static GoldenCases read(Path file) {
        if (Json.read(file, Limits.DEFAULT) instanceof Map<?, ?> map
                && map.containsKey("inputs")
                && map.containsKey("expected")) {
            return new GoldenCases(table(map.get("inputs")), table(map.get("expected")));
        }
        throw new ModelException(
                "INVALID_PACKAGE", "It is not of the form {\"inputs\", \"expected\"}", file.toString());
    }

    private static Table table(Object value) {
        Table table = Body.split(Json.write(value)).table();
        boolean named = value instanceof Map<?, ?> map && map.get("columns") != null;
        return named ? table : new Table(List.of(), table.rows());
    }

    /**
     * Every value that a scorer gives otherwise.
     *
     * @param tolerance by which numbers may differ, absolutely or by their size; those that the model gives as floats
     *     may by 1e-6 at least
     */
    public List<Conflict> conflicts(Scorer scorer, double tolerance) {
        Scorer wanted = expected.columns().isEmpty() ? scorer : scorer.withOutputs(expected.columns());
        List<String> names = wanted.outputs().stream().map(Field::name).toList();
        Scored scored = wanted.scoreTable(inputs);
        List<Conflict> conflicts = new ArrayList<>();
        for (int row = 0; row < expected.rows().size(); row++) {
            List<Object> should = expected.rows().get(row);
            List<Object> is = scored.table().rows().get(row);
            int number = row;
            String refused = scored.errors().stream()
                    .filter(error -> error.row().filter(at -> at == number).isPresent())
                    .map(error -> "[" + error.code() + "]")
                    .findFirst()
                    .orElse("");
            for (int at = 0; at < should.size(); at++) {
                Object actual = at < is.size() ? is.get(at) : null;
                if (!refused.isEmpty() || at >= is.size() || !same(should.get(at), actual, tolerance)) {
                    conflicts.add(new Conflict(
                            row,
                            at < names.size() ? names.get(at) : "output " + at,
                            should.get(at),
                            refused.isEmpty() ? actual : refused));
                }
            }
        }
        return conflicts;
    }

    private static boolean same(Object expected, Object actual, double tolerance) {
        // The stored form has null for NaN.
        if (missing(expected) || missing(actual)) {
            return missing(expected) && missing(actual);
        }
        if (expected instanceof Number one && actual instanceof Number other) {
            double most = other instanceof Float ? Math.max(tolerance, FLOATS) : tolerance;
            double difference = Math.abs(one.doubleValue() - other.doubleValue());
            return one.doubleValue() == other.doubleValue()
                    || difference <= most
                    || difference <= most * Math.min(Math.abs(one.doubleValue()), Math.abs(other.doubleValue()));
        }
        List<?> one = items(expected);
        List<?> other = items(actual);
        if (one != null && other != null) {
            if (one.size() != other.size()) {
                return false;
            }
            for (int at = 0; at < one.size(); at++) {
                if (!same(one.get(at), other.get(at), tolerance)) {
                    return false;
                }
            }
            return true;
        }
        return expected.equals(actual);
    }

    private static boolean missing(Object value) {
        return value == null
                || value instanceof Double number && number.isNaN()
                || value instanceof Float narrow && narrow.isNaN();
    }

    private static List<?> items(Object value) {
        if (value instanceof double[] numbers) {
            return java.util.Arrays.stream(numbers).boxed().toList();
        }
        return value instanceof List<?> list ? list : null;
    }

    private static ModelException nothing(ModelPackage model, String what) {
        return new ModelException(
                "NOTHING_TO_REPLAY",
                "The package stores no " + what,
                model.root().toString(),
                "save it with input_example=");
    }
}
