package sparkmodels.cli;

import java.nio.file.Path;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import sparkmodels.packages.ModelPackage;

/** The package that a command works on. */
final class ModelOption {
    @Option(
            names = {"-m", "--model", "--model-uri"},
            required = true,
            paramLabel = "DIR",
            description = "The package.")
    private Path root;

    @Option(names = "--no-verify-manifest", description = "Don't compare the files with the manifest.")
    private boolean unverified;

    @Mixin
    private PackagePin pin;

    ModelPackage open() {
        return unverified && !pin.isGiven() ? ModelPackage.open(root) : pin.open(root);
    }
}
