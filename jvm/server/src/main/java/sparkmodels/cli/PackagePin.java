package sparkmodels.cli;

import java.nio.file.Path;
import picocli.CommandLine.Option;
import sparkmodels.packages.ModelPackage;

/** Which package is meant, beside where it is. */
final class PackagePin {
    @Option(
            names = "--expected-hash",
            paramLabel = "SHA256",
            description = "The content hash that the package must have; inspect shows it.")
    private String expectedHash;

    /** Whether a hash is asked for. */
    boolean isGiven() {
        return expectedHash != null;
    }

    /** The package, its files compared with its manifest and its hash with the pin. */
    ModelPackage open(Path root) {
        ModelPackage model = ModelPackage.open(root);
        return expectedHash == null ? model.verified() : model.verified(expectedHash);
    }
}
