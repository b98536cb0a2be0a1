package sparkmodels.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;
import sparkmodels.packages.ModelPackage;
import sparkmodels.scoring.Field;
import sparkmodels.scoring.Scorer;

@Command(
        name = "inspect",
        description = "Prints the flavors of a package, and what its model takes and gives.",
        mixinStandardHelpOptions = true)
final class Inspect implements Callable<Integer> {
    @Parameters(paramLabel = "DIR", description = "The package.")
    private Path root;

    @Mixin
    private PackagePin pin;

    @Override
    public Integer call() {
        ModelPackage model = pin.open(root);
        System.out.println("package    " + root);
        model.timeCreated().ifPresent(time -> System.out.println("created    " + time));
        System.out.println("hash       " + model.contentHash());
        System.out.println("flavors    " + String.join(", ", model.flavors().keySet()));
        try (Scorer scorer = Scorer.load(model)) {
            System.out.println("inputs     " + listed(scorer.inputs()));
            System.out.println("outputs    " + listed(scorer.outputs()));
            System.out.println("available  " + listed(scorer.available()));
        }
        return 0;
    }

    private static String listed(List<Field> fields) {
        return fields.stream()
                .map(field -> field.name() + ": " + field.type() + (field.nullable() ? "?" : ""))
                .collect(Collectors.joining(", "));
    }
}
