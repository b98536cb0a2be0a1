import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import sparkmodels.errors.RowException;
import sparkmodels.errors.ScoringException;
import sparkmodels.packages.Json;
import sparkmodels.packages.Table;
import sparkmodels.scoring.Scored;
import sparkmodels.scoring.Scorer;

/**
 * Scores what stands in the lines of standard input, each {"package", "outputs", "columns", "data"}, and answers each in
 * one line: {"load_ms", "rows", "errors"}, the errors by row. Doubles that JSON has not are {"float": "NaN"}.
 *
 * <p>Run as a source file on the class path of spark-models.jar: one JVM for all pipelines of a test.
 */
final class ScoreLines {
    private ScoreLines() {}

    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            Map<String, Object> answer = new LinkedHashMap<>();
            try {
                answer(line, answer);
            } catch (ScoringException error) {
                answer.put("error", error.getMessage() + "\n" + error.getCause());
            }
            System.out.println(Json.write(answer));
            System.out.flush();
        }
    }

    private static void answer(String line, Map<String, Object> answer) {
        Map<?, ?> asked = (Map<?, ?>) Json.parse(line);
        long start = System.nanoTime();
        try (Scorer scorer = Scorer.open(Path.of((String) asked.get("package")))) {
            answer.put("load_ms", (System.nanoTime() - start) / 1_000_000);
            Scored scored = scorer.withOutputs(texts(asked.get("outputs")))
                    .scoreTable(new Table(texts(asked.get("columns")), rows(asked.get("data"))));
            answer.put("rows", plain(scored.table().rows()));
            Map<String, String> errors = new HashMap<>();
            for (RowException error : scored.errors()) {
                String cause = error.getCause() == null ? "" : " (" + error.getCause() + ")";
                errors.put(String.valueOf(error.row().orElseThrow()), error.getMessage() + cause);
            }
            answer.put("errors", errors);
        }
    }

    private static List<String> texts(Object items) {
        return ((List<?>) items).stream().map(String::valueOf).toList();
    }

    private static List<List<Object>> rows(Object data) {
        List<List<Object>> rows = new ArrayList<>();
        for (Object row : (List<?>) data) {
            List<Object> values = new ArrayList<>();
            ((List<?>) row).forEach(value -> values.add(exact(value)));
            rows.add(values);
        }
        return rows;
    }

    private static Object exact(Object value) {
        if (value instanceof Map<?, ?> map && map.get("float") instanceof String text) {
            return Double.valueOf(text);
        }
        if (value instanceof List<?> items) {
            List<Object> values = new ArrayList<>();
            items.forEach(item -> values.add(exact(item)));
            return values;
        }
        return value;
    }

    private static Object plain(Object value) {
        if (value instanceof Float number) {
            return plain(number.doubleValue());
        }
        if (value instanceof Double number && !Double.isFinite(number)) {
            return Map.of("float", number.toString());
        }
        if (value instanceof double[] numbers) {
            List<Object> items = new ArrayList<>();
            for (double number : numbers) {
                items.add(plain(number));
            }
            return items;
        }
        if (value instanceof List<?> list) {
            List<Object> items = new ArrayList<>();
            list.forEach(item -> items.add(plain(item)));
            return items;
        }
        return value;
    }
}
