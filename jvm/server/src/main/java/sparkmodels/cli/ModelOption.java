package sparkmodels.cli;

import java.nio.file.Path;
import picocli.CommandLine.Option;
import sparkmodels.packages.ModelPackage;

/** The package that a command works on. */
final class ModelOption {
    @Option(
            names = {"-m", "--model"},
            required = true,
            paramLabel = "DIR",
            description = "The package.")
    private Path root;

    @Option(names = "--no-verify-manifest", description = "Don't compare the files with the manifest.")
    private boolean unverified;

    @Option(names = "--expected-hash", paramLabel = "SHA256", description = "Refuse a package of another content hash.")
    private String expectedHash;

    ModelPackage open() {
        ModelPackage model = ModelPackage.open(root);
        if (expectedHash != null) {
            return model.verified(expectedHash);
        }
        return unverified ? model : model.verified();
    }
}
