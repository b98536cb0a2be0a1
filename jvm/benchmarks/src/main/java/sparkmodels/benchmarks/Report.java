package sparkmodels.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import sparkmodels.fixtures.Packages;
import sparkmodels.packages.Json;
import sparkmodels.packages.ModelPackage;
import sparkmodels.scoring.Scorer;

/**
 * Runs all measurements, and writes {@code jvm.json} and {@code jvm.md} into the folder that is named. Ends with 1 where
 * something is not what it must be.
 */
public final class Report {
    private static final int TURNS = 5;

    private final Map<String, Double> p50 = new LinkedHashMap<>();
    private final Map<String, Double> p99 = new LinkedHashMap<>();
    private final Endurance endurance;
    private final Map<Integer, Double> rates;

    private Report(Collection<RunResult> results, Endurance endurance, Map<Integer, Double> rates) {
        for (RunResult result : results) {
            String name = result.getParams().getParam("model") + " "
                    + result.getPrimaryResult().getLabel();
            p50.put(name, result.getPrimaryResult().getStatistics().getPercentile(50));
            p99.put(name, result.getPrimaryResult().getStatistics().getPercentile(99));
        }
        this.endurance = endurance;
        this.rates = rates;
    }

    /** Takes one argument: the folder. */
    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        Collection<RunResult> results = new Runner(new OptionsBuilder()
                        .include(ScorerBenchmark.class.getSimpleName())
                        .build())
                .run();
        Path root = Packages.logistic(Files.createTempDirectory("spark-models-benchmark"), "");
        try (Scorer scorer = Scorer.load(ModelPackage.open(root))) {
            Endurance endurance = Endurance.measure(scorer);
            Report report = new Report(results, endurance, Scaling.measure(scorer, TURNS));
            Files.writeString(folder.resolve("jvm.json"), report.json());
            Files.writeString(folder.resolve("jvm.md"), report.text());
            System.out.println(report.text());
            if (!report.missed().isEmpty()) {
                System.out.println("not reached: " + String.join("; ", report.missed()));
                System.exit(1);
            }
        }
    }

    /** What was measured against what it must be: a line each. */
    private List<String[]> checks() {
        List<String[]> checks = new ArrayList<>();
        checks.add(check("a row of the logistic regression, p50", p50.get("logistic scorer"), "≤", 5, "µs"));
        checks.add(check("a row of the forest, p50", p50.get("forest scorer"), "≤", 3, "µs"));
        for (String model : List.of("logistic", "forest")) {
            checks.add(check(
                    "scorer over bare MLeap, " + model,
                    p50.get(model + " scorer") / p50.get(model + " bare"),
                    "≤",
                    1.5,
                    "×"));
        }
        checks.add(check("8 threads over 1", rates.get(8) / rates.get(1), "≥", 1.7, "×"));
        checks.add(check("growth of the live heap over 10 million rows", 100 * endurance.growth(), "≤", 2, "%"));
        return checks;
    }

    private static String[] check(String name, double value, String relation, double bound, String unit) {
        boolean reached = relation.equals("≤") ? value <= bound : value >= bound;
        return new String[] {
            name, number(value) + " " + unit, relation + " " + bare(bound) + " " + unit, reached ? "yes" : "no"
        };
    }

    private List<String> missed() {
        return checks().stream()
                .filter(check -> check[3].equals("no"))
                .map(check -> check[0] + ": " + check[1])
                .toList();
    }

    private String json() {
        Map<String, Object> figures = new LinkedHashMap<>();
        figures.put("cores", Runtime.getRuntime().availableProcessors());
        figures.put("java", Runtime.version().toString());
        figures.put("p50_us", p50);
        figures.put("p99_us", p99);
        figures.put("live_bytes", endurance.liveBytes());
        figures.put("allocated_bytes_a_row", endurance.allocatedBytes());
        figures.put("rows_a_second", rates);
        return Json.write(figures).replace(",\"", ",\n \"").replace("{\"", "{\n \"") + "\n";
    }

    private String text() throws IOException {
        StringBuilder text = new StringBuilder(
                """
                # The scorer of the JVM

                %d cores (%s), Java %s; `make bench-jvm` writes this page. One row is measured by JMH, which samples calls in a JVM
                of its own after a warm-up; "bare" is MLeap's own `RowTransformer` on a row that has its types already.

                | | measured | must be | reached |
                | --- | --- | --- | --- |
                """
                        .formatted(Runtime.getRuntime().availableProcessors(), processor(), Runtime.version().feature()));
        checks().forEach(check -> text.append("| ").append(String.join(" | ", check)).append(" |\n"));
        text.append("\n| one row, µs | p50 | p99 |\n| --- | --- | --- |\n");
        for (String model : List.of("logistic", "forest")) {
            for (String way : List.of("scorer", "bare")) {
                String name = model + " " + way;
                text.append("| %s, %s | %s | %s |%n"
                        .formatted(
                                model.equals("forest") ? "forest of 20 trees" : "7 stages with a logistic regression",
                                way,
                                number(p50.get(name)),
                                number(p99.get(name))));
            }
        }
        text.append("\n| threads | rows a second | over one |\n| --- | --- | --- |\n");
        rates.forEach((threads, rate) -> text.append(
                "| %d | %,.0f | %s |%n".formatted(threads, rate, number(rate / rates.get(1)))));
        text.append("\n| million rows | live MB | bytes allocated for a row |\n| --- | --- | --- |\n");
        for (int part = 0; part < endurance.liveBytes().size(); part++) {
            text.append("| %d | %s | %.0f |%n"
                    .formatted(
                            (part + 1) * Endurance.ROWS / endurance.liveBytes().size() / 1_000_000,
                            number(endurance.liveBytes().get(part) / 1e6),
                            endurance.allocatedBytes().get(part)));
        }
        return text.toString();
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.2f", value);
    }

    private static String bare(double value) {
        return value == Math.rint(value) ? String.valueOf((long) value) : String.valueOf(value);
    }

    private static String processor() throws IOException {
        Path file = Path.of("/proc/cpuinfo");
        if (!Files.isReadable(file)) {
            return System.getProperty("os.arch");
        }
        return Files.readAllLines(file).stream()
                .filter(line -> line.startsWith("model name"))
                .map(line -> line.substring(line.indexOf(':') + 1).strip())
                .findFirst()
                .orElse(System.getProperty("os.arch"));
    }
}
