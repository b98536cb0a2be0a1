package sparkmodels.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import sparkmodels.packages.Json;
import sparkmodels.packages.ModelPackage;
import sparkmodels.scoring.Scorer;
import sparkmodels.testkit.Conflict;
import sparkmodels.testkit.GoldenCases;

@Command(
        name = "verify",
        description = "Scores the stored example and compares it with the stored predictions.",
        mixinStandardHelpOptions = true)
final class Verify implements Callable<Integer> {
    @Parameters(paramLabel = "DIR", description = "The package.")
    private Path root;

    @Mixin
    private PackagePin pin;

    @Option(
            names = "--cases",
            paramLabel = "FILE",
            description = "Golden cases instead: {\"inputs\": …, \"expected\": …}, each in split orientation.")
    private Path cases;

    @Option(
            names = "--tolerance",
            defaultValue = "1e-9",
            description = "By which numbers may differ (${DEFAULT-VALUE}).")
    private double tolerance;

    @Option(names = "--json", description = "Print {\"rows\", \"conflicts\"}.")
    private boolean json;

    @Override
    public Integer call() {
        ModelPackage model = pin.open(root);
        GoldenCases golden = cases == null ? GoldenCases.of(model) : GoldenCases.read(cases);
        try (Scorer scorer = Scorer.load(model)) {
            List<Conflict> conflicts = golden.conflicts(scorer, tolerance);
            print(golden.inputs().rows().size(), conflicts);
            return conflicts.isEmpty() ? 0 : 1;
        }
    }

    private void print(int rows, List<Conflict> conflicts) {
        if (!json) {
            conflicts.forEach(System.out::println);
            System.out.printf(
                    "%d rows scored in the JVM: %s%n",
                    rows, conflicts.isEmpty() ? "no conflict" : conflicts.size() + " conflicts");
            return;
        }
        List<Object> listed = new ArrayList<>();
        for (Conflict conflict : conflicts) {
            Map<String, Object> fields = new LinkedHashMap<>();
            fields.put("row", conflict.row());
            fields.put("column", conflict.column());
            fields.put("expected", conflict.expected());
            fields.put("actual", conflict.actual());
            listed.add(fields);
        }
        Map<String, Object> report = new LinkedHashMap<>();
        report.put("rows", rows);
        report.put("conflicts", listed);
        System.out.println(Json.write(report));
    }
}
