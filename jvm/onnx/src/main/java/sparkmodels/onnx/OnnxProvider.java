package sparkmodels.onnx;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.file.Files;
import java.nio.file.Path;
import sparkmodels.errors.ModelException;
import sparkmodels.packages.ModelPackage;
import sparkmodels.scoring.Scorer;
import sparkmodels.scoring.ScorerProvider;

/** Loads the onnx flavor: the file under the flavor's {@code data}. */
public final class OnnxProvider implements ScorerProvider {
    /** Found as a service. */
    public OnnxProvider() {}

    @Override
    public String flavor() {
        return "onnx";
    }

    @Override
    public Scorer load(ModelPackage model) {
        Object data = model.requireFlavor(flavor()).get("data");
        if (!(data instanceof String relative)) {
            throw new ModelException(
                    "INVALID_MLMODEL",
                    "The onnx flavor has no 'data'",
                    model.root().resolve("MLmodel").toString());
        }
        Path file = model.inside(relative, "data of the onnx flavor");
        if (!Files.isRegularFile(file)) {
            throw new ModelException("INVALID_PACKAGE", "The file is missing", file.toString());
        }
        try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
            // The caller's threads score rows side by side: threads of the session's own would only add to them.
            options.setIntraOpNumThreads(1);
            OrtSession session = OrtEnvironment.getEnvironment().createSession(model.read(file), options);
            return new OnnxScorer(session, model, file);
        } catch (OrtException error) {
            throw new ModelException("INVALID_MODEL", "ONNX Runtime can't load the model", file.toString(), "", error);
        }
    }
}
