package sparkmodels.mleap;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import ml.combust.mleap.core.types.DataType;
import ml.combust.mleap.core.types.ScalarType;
import sparkmodels.errors.ModelException;
import sparkmodels.packages.ModelPackage;

/**
 * The types of the columns that the pipeline was saved with, in Spark's JSON beside the bundle. MLeap indexes numbers as
 * text, and takes booleans for numbers: only these types tell what a row without a signature holds.
 *
 * @param types by column, in the signature's words; without those that it has no word for
 */
record SampleSchema(Map<String, String> types) {
    private static final String FILE = "input_schema.json";
    private static final Map<String, String> WORDS = Map.of(
            "boolean", "boolean",
            "byte", "integer",
            "short", "integer",
            "integer", "integer",
            "long", "long",
            "float", "float",
            "double", "double");

    /**
     * What stands beside the bundle; nothing where it has no such file.
     *
     * @throws ModelException [INVALID_PACKAGE] it is not Spark's JSON of a schema
     */
    static SampleSchema beside(Path bundle, ModelPackage model) {
        Path file = bundle.resolveSibling(FILE);
        if (!Files.exists(file)) {
            return new SampleSchema(Map.of());
        }
        Path confined = model.inside(
                model.root().toAbsolutePath().normalize().relativize(file).toString(), "the schema of the sample");
        if (!(model.readJson(confined) instanceof Map<?, ?> schema) || !(schema.get("fields") instanceof List<?> fields)) {
            throw new ModelException("INVALID_PACKAGE", "It is not Spark's JSON of a schema", file.toString());
        }
        Map<String, String> types = new HashMap<>();
        for (Object field : fields) {
            if (field instanceof Map<?, ?> spec
                    && spec.get("name") instanceof String name
                    && spec.get("type") instanceof String type
                    && WORDS.containsKey(type)) {
                types.put(name, WORDS.get(type));
            }
        }
        return new SampleSchema(Map.copyOf(types));
    }

    /** The type of a column's values where MLeap's own is of another kind, or would keep what a float does not. */
    Optional<String> beyond(String column, DataType type) {
        if (!(type instanceof ScalarType)) {
            return Optional.empty();
        }
        String base = type.base().toString();
        return Optional.ofNullable(types.get(column))
                .filter(word -> base.equals("string")
                        || base.equals("double") && (word.equals("boolean") || word.equals("float")));
    }
}
