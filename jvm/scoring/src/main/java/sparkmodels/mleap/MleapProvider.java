package sparkmodels.mleap;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Map;
import java.util.stream.Stream;
import ml.combust.mleap.runtime.MleapContext;
import ml.combust.mleap.runtime.frame.Transformer;
import ml.combust.mleap.runtime.javadsl.BundleBuilder;
import sparkmodels.errors.Codes;
import sparkmodels.errors.ModelException;
import sparkmodels.packages.ModelPackage;
import sparkmodels.packages.SafeArchive;
import sparkmodels.scoring.Scorer;
import sparkmodels.scoring.ScorerProvider;

/** Loads the mleap flavor: a Bundle.ML directory, or a zip file of one, under the flavor's {@code model_data}. */
public final class MleapProvider implements ScorerProvider {
    /** Found as a service. */
    public MleapProvider() {}

    @Override
    public String flavor() {
        return "mleap";
    }

    @Override
    public Scorer load(ModelPackage model) {
        Map<String, Object> attributes = model.requireFlavor(flavor());
        if (!(attributes.get("model_data") instanceof String data)) {
            throw new ModelException(
                    "INVALID_MLMODEL",
                    "The mleap flavor has no 'model_data'",
                    model.root().resolve("MLmodel").toString());
        }
        Path bundle = model.inside(data, "model_data of the mleap flavor");
        if (!Files.exists(bundle)) {
            throw new ModelException("INVALID_PACKAGE", "The bundle is missing", bundle.toString());
        }
        Path folder = null;
        try {
            // A copy that nobody else can change: MLeap reads the bytes that were verified.
            folder = Files.createTempDirectory("spark-models-bundle");
            SampleSchema sample = SampleSchema.beside(bundle, model);
            return new MleapScorer(
                    model, transformer(unpacked(bundle, folder, model), bundle, model), bundle, sample);
        } catch (IOException error) {
            throw new ModelException("INVALID_PACKAGE", "The bundle can't be unpacked", bundle.toString(), "", error);
        } finally {
            if (folder != null) {
                delete(folder);
            }
        }
    }

    private static Path unpacked(Path bundle, Path folder, ModelPackage model) throws IOException {
        Path copy = folder.resolve("copy");
        model.copy(bundle, copy);
        if (Files.isDirectory(copy)) {
            return copy;
        }
        Path target = Files.createDirectory(folder.resolve("unpacked"));
        SafeArchive.extract(copy, target, bundle.toString(), model.limits());
        return target;
    }

    private static Transformer transformer(Path folder, Path place, ModelPackage model) {
        MleapContext context = Context.SHARED;
        BundleCheck.check(folder, place, context.bundleRegistry(), model.limits());
        try {
            return new BundleBuilder().load(folder.toFile(), context).root();
        } catch (Exception | StackOverflowError | AssertionError error) {
            // Scala's exceptions are not declared: what MLeap throws for a broken file may be of any class.
            throw new ModelException(
                    Codes.INVALID_BUNDLE,
                    "MLeap can't load the bundle (" + error.getClass().getSimpleName() + ")",
                    place.toString(),
                    "save the model again",
                    error);
        }
    }

    private static void delete(Path folder) {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        } catch (IOException error) {
            throw new ModelException(
                    "INVALID_PACKAGE", "The unpacked bundle can't be removed", folder.toString(), "", error);
        }
    }

    /** Made when the first bundle is loaded: it reads the registry of ops, which takes a second. */
    private static final class Context {
        static final MleapContext SHARED = MleapContext.defaultContext();

        private Context() {}
    }
}
